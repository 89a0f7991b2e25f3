#!/usr/bin/env node
/**
 * Where every command starts. JavaScript without anything new in it, since a Node that is too old has to be able to read the sentence
 * about it: loading a `.ts` it would crash, with the exit code that here means that the service failed.
 */
const nodeMajorMin = 26;
const usageExitCode = 2;
const brokenExitCode = 5;

function end(exitCode, text) {
  process.stderr.write(`${text}\n`);
  process.exitCode = exitCode;
}

if (Number(process.versions.node.split('.')[0]) >= nodeMajorMin) {
  import('./main.ts').catch((error) => end(brokenExitCode, `Headroom could not be loaded, after npm ci? ${error.stack}`));
} else {
  const found = `Headroom needs Node ${nodeMajorMin} and this is ${process.version}.`;
  end(usageExitCode, `${found} After npm ci, npx and npm run bring the right one: npx headroom --help`);
}
