/** The command line; `harness/headroom.js` is what starts it. */

import { brokenBy, endingOf } from './command/exit-codes.ts';
import { guardOutput } from './command/guard-output.ts';
import { runVerb } from './command/verbs.ts';

const say = {
  out: (text: string) => void process.stdout.write(text),
  err: (text: string) => void process.stderr.write(text),
};

guardOutput(process);
// Node's own exit code for a crash is 1, which here would say that the service failed.
process.on('uncaughtException', (error) => {
  const { code, text } = brokenBy(error);
  say.err(text);
  process.exit(code);
});

try {
  process.exitCode = await runVerb(process.argv.slice(2), say);
} catch (error) {
  const { code, text } = endingOf(error);
  say.err(text);
  process.exitCode = code;
}
