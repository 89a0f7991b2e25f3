/** The counting receiver, from the side of who measures. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { ReceiverCounts } from './receiver-counts.ts';

export type ToReceiver = { readonly kind: 'expect'; readonly secret: string } | { readonly kind: 'read'; readonly id: number };
export type FromReceiver =
  | { readonly kind: 'listening'; readonly port: number }
  | { readonly kind: 'counts'; readonly id: number; readonly counts: ReceiverCounts };

export type CountingReceiver = {
  readonly url: string;
  /** A webhook's secret: from now on hits that none of the expected ones signed are counted. */
  readonly expect: (secret: string) => void;
  /** Rejects where the process has ended by itself. */
  readonly read: () => Promise<ReceiverCounts>;
  readonly pid: number;
  readonly stop: () => Promise<void>;
};

const startMsMax = 15_000;

/** Rejects with a sentence where the process does not come up; nothing of it is left then. */
export async function startReceiver({ host = '127.0.0.1' }: { readonly host?: string } = {}): Promise<CountingReceiver> {
  const child = fork(fileURLToPath(new URL('./receiver-process.ts', import.meta.url)), [host]);
  const exited = once(child, 'exit');
  const waiting = new Map<number, PromiseWithResolvers<ReceiverCounts>>();
  const listening = Promise.withResolvers<number>();
  let trouble: Error | undefined;
  let asked = 0;
  const late = setTimeout(() => listening.reject(new Error(`the receiver was not there within ${startMsMax} ms`)), startMsMax);
  child.on('message', (message: FromReceiver) => {
    if (message.kind === 'listening') return listening.resolve(message.port);
    waiting.get(message.id)?.resolve(message.counts);
    waiting.delete(message.id);
  });
  void exited.then(([code]) => {
    trouble = new Error(`the receiver ended with ${code}`);
    listening.reject(trouble);
    for (const one of waiting.values()) one.reject(trouble);
    waiting.clear();
  });
  let port: number;
  try {
    port = await listening.promise;
  } catch (error) {
    child.kill('SIGKILL');
    throw error;
  } finally {
    clearTimeout(late);
  }
  const say = (message: ToReceiver): void => void (child.connected && child.send(message, () => undefined));
  return {
    url: `http://${host}:${port}/`,
    pid: child.pid ?? 0,
    expect: (secret) => say({ kind: 'expect', secret }),
    read: () => {
      if (trouble !== undefined) return Promise.reject(trouble);
      const one = Promise.withResolvers<ReceiverCounts>();
      const id = ++asked;
      waiting.set(id, one);
      say({ kind: 'read', id });
      return one.promise;
    },
    stop: async () => {
      if (child.connected) child.disconnect();
      await exited;
    },
  };
}
