/** The command line: `node harness/main.ts VERB …`, which the npm scripts call. */

import { brokenExitCode, runVerb, usageExitCode } from './command/verbs.ts';
import { InterruptedError } from './interrupted-error.ts';
import { requireNode } from './node-version.ts';
import { exitCodes } from './run-result.ts';
import { UsageError } from './usage-error.ts';

const say = { out: (text: string) => void process.stdout.write(text), err: (text: string) => void process.stderr.write(text) };

requireNode();

try {
  process.exitCode = await runVerb(process.argv.slice(2), say);
} catch (error) {
  // Node's own exit code for a crash is 1, which here would say that the service failed.
  say.err(`${error instanceof Error ? (process.env.DEBUG === undefined ? error.message : error.stack) : String(error)}\n`);
  process.exitCode = exitCodeOf(error);
}

function exitCodeOf(error: unknown): number {
  if (error instanceof UsageError) return usageExitCode;
  return error instanceof InterruptedError ? exitCodes.interrupted : brokenExitCode;
}
