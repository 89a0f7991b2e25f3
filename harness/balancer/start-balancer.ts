/** Starts the model balancer as a child process, and speaks to it. */
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { readDescriptorLimit } from '#harness/metrics/proc.ts';
import { modelSettings } from './choice.ts';
import type { BalancerCommand, BalancerProcessOptions, BalancerReport, FromBalancer, ToBalancer } from './messages.ts';
import type { TargetAddress } from './relaying.ts';

export type BalancerProcess = {
  readonly url: string;
  readonly pid: number;
  readonly setTargets: (targets: readonly TargetAddress[]) => Promise<void>;
  /** Nothing new to it from now on; resolves at once, while those that are left are closed after the delay of the balancer's clock. */
  readonly drain: (target: TargetAddress, delayMs: number) => Promise<void>;
  readonly dropAll: (how: 'fin' | 'rst') => Promise<void>;
  readonly counts: () => Promise<BalancerReport>;
  /** Its connections are reset; resolves when it has ended and its log is written. */
  readonly stop: () => Promise<void>;
  readonly kill: () => void;
};

const stopTimeoutMs = 5000;

/** Throws a UsageError where the choice cannot be had on this machine. */
export async function startBalancerProcess(options: BalancerProcessOptions): Promise<BalancerProcess> {
  modelSettings(options.choice, readDescriptorLimit());
  const child = fork(fileURLToPath(new URL('./balancer-process.ts', import.meta.url)), [JSON.stringify(options)], {
    execArgv: [],
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const waiting = new Map<number, { readonly resolve: (report: BalancerReport) => void; readonly reject: (error: Error) => void }>();
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  void ended.then(() => {
    for (const { reject } of waiting.values()) reject(new Error(endedText));
    waiting.clear();
  });
  const url = await listening(child);
  child.on('message', (message: FromBalancer) => {
    if (message.kind !== 'done') return;
    waiting.get(message.id)?.resolve(message.report);
    waiting.delete(message.id);
  });
  let nextId = 0;
  const ask = (command: BalancerCommand): Promise<BalancerReport> =>
    new Promise((resolve, reject) => {
      if (!child.connected) return reject(new Error(endedText));
      const id = nextId++;
      waiting.set(id, { resolve, reject });
      child.send({ id, command } satisfies ToBalancer, () => undefined);
    });
  return {
    url,
    pid: child.pid as number,
    setTargets: async (targets) => void (await ask({ kind: 'set-targets', targets })),
    drain: async (target, delayMs) => void (await ask({ kind: 'drain', target, delayMs })),
    dropAll: async (how) => void (await ask({ kind: 'drop-all', how })),
    counts: () => ask({ kind: 'counts' }),
    stop: async () => {
      if (child.connected) child.disconnect();
      const timer = setTimeout(() => child.kill('SIGKILL'), stopTimeoutMs);
      await ended;
      clearTimeout(timer);
    },
    kill: () => child.kill('SIGKILL'),
  };
}

const endedText = 'the balancer has ended';

function listening(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    child.once('message', (message: FromBalancer) => {
      if (message.kind === 'listening') resolve(message.url);
      else reject(new Error(`the balancer could not be started: ${message.kind === 'failed' ? message.text : message.kind}`));
    });
    child.once('error', (error) => reject(new Error(`the balancer could not be started: ${error.message}`)));
    child.once('exit', (code) => reject(new Error(`the balancer ended with code ${code} before it listened`)));
  });
}
