/** Starts the probe's process and gathers what it saw. */
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { PhaseRecord } from '#harness/run-result.ts';
import type { ProbeInput, ProbeMessage } from './messages.ts';
import { ProbeBook, type ProbeOutcome } from './probe-book.ts';

export type Probe = {
  readonly pid: number;
  /** Lets the requests in flight end, at most their timeout. */
  readonly finish: (phases: readonly PhaseRecord[]) => Promise<ProbeOutcome>;
  readonly kill: () => void;
};

/** For whatever a slow machine has to do beside waiting for the last answer. */
const finishMsMax = 5000;

export function startProbe(input: ProbeInput): Probe {
  const child = fork(fileURLToPath(new URL('./probe-process.ts', import.meta.url)), { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  const book = new ProbeBook(input.plan);
  child.on('message', (message: ProbeMessage) => book.hear(message));
  child.on('error', (error) => book.failed(error.message));
  // Not `exit`: that may come before the last messages have been read.
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  child.send(input, () => undefined);
  return {
    pid: child.pid ?? 0,
    finish: async (phases) => {
      stopGently(child, input.timeoutMs + finishMsMax);
      await ended;
      return book.outcome(phases);
    },
    kill: () => child.kill('SIGKILL'),
  };
}

function stopGently(child: ChildProcess, killAfterMs: number): void {
  if (child.connected) child.send('stop', () => undefined);
  const timer = setTimeout(() => child.kill('SIGKILL'), killAfterMs);
  child.once('exit', () => clearTimeout(timer));
}
