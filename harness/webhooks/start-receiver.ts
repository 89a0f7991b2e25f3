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
  readonly read: () => Promise<ReceiverCounts>;
  readonly pid: number;
  readonly stop: () => Promise<void>;
};

const startMsMax = 15_000;

export async function startReceiver({ host = '127.0.0.1' }: { readonly host?: string } = {}): Promise<CountingReceiver> {
  const child = fork(fileURLToPath(new URL('./receiver-process.ts', import.meta.url)), [host]);
  const exited = once(child, 'exit');
  const waiting = new Map<number, (counts: ReceiverCounts) => void>();
  let asked = 0;
  const port = await new Promise<number>((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`the receiver was not there within ${startMsMax} ms`)), startMsMax);
    void exited.then(([code]) => reject(new Error(`the receiver ended with ${code}`)));
    child.on('message', (message: FromReceiver) => {
      if (message.kind === 'listening') {
        clearTimeout(late);
        resolve(message.port);
      } else {
        waiting.get(message.id)?.(message.counts);
        waiting.delete(message.id);
      }
    });
  });
  const say = (message: ToReceiver): void => void child.send(message);
  return {
    url: `http://${host}:${port}/`,
    pid: child.pid ?? 0,
    expect: (secret) => say({ kind: 'expect', secret }),
    read: () =>
      new Promise((resolve) => {
        const id = ++asked;
        waiting.set(id, resolve);
        say({ kind: 'read', id });
      }),
    stop: async () => {
      child.disconnect();
      await exited;
    },
  };
}
