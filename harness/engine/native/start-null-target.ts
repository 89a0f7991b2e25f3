// Starts the null target as a child process and asks it what it saw.
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { FromNullTarget, NullTargetOptions, NullTargetReport, ToNullTarget } from './null-target-protocol.ts';

export type { DelayPeak, NullTargetOptions, NullTargetReport } from './null-target-protocol.ts';

export type NullTarget = {
  readonly host: string;
  readonly port: number;
  readonly pid: number;
  /** Forgets what it saw. */
  readonly reset: () => void;
  readonly report: () => Promise<NullTargetReport>;
  readonly stop: () => Promise<void>;
};

async function hear<Kind extends FromNullTarget['kind']>(child: ChildProcess, kind: Kind): Promise<Extract<FromNullTarget, { kind: Kind }>> {
  const ended = once(child, 'exit').then(() => {
    throw new Error('the null target ended before it answered');
  });
  const message = (await Promise.race([once(child, 'message'), ended]))[0] as FromNullTarget;
  if (message.kind !== kind) throw new Error(`the null target said ${message.kind} where ${kind} was expected`);
  return message as Extract<FromNullTarget, { kind: Kind }>;
}

export async function startNullTarget(options: NullTargetOptions = {}): Promise<NullTarget> {
  const child = fork(fileURLToPath(new URL('./null-target.ts', import.meta.url)), [JSON.stringify(options)], {
    execArgv: [],
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const tell = (message: ToNullTarget): void => void child.send(message);
  const { port } = await hear(child, 'listening');
  return {
    host: '127.0.0.1',
    port,
    pid: child.pid!,
    reset: () => tell({ kind: 'reset' }),
    report: async () => {
      tell({ kind: 'report' });
      return (await hear(child, 'report')).report;
    },
    stop: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const ended = once(child, 'exit');
      child.disconnect();
      await ended;
    },
  };
}
