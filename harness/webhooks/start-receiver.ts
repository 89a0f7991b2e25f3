/** The counting receiver, from the side of who measures. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { MessageRow, type Numbered } from '#harness/engine/message-row.ts';
import type { WebhookDelta } from '#harness/run-result.ts';
import { ReceiverAnswers } from './receiver-answers.ts';
import type { EndpointArrivals, ReceiverEndpoint } from './receiver-book.ts';
import type { ReceiverCounts } from './receiver-counts.ts';

export type ToReceiver =
  /** Without a path: of whatever is no endpoint. */
  | { readonly kind: 'expect'; readonly path?: string; readonly secret: string }
  | { readonly kind: 'serve'; readonly endpoints: readonly ReceiverEndpoint[] }
  | { readonly kind: 'begin'; readonly originNs: string }
  | { readonly kind: 'phase'; readonly phase: number; readonly startMs: number }
  | { readonly kind: 'read'; readonly id: number }
  | { readonly kind: 'arrivals'; readonly id: number; readonly paths: readonly string[]; readonly type: string }
  | { readonly kind: 'hand-over'; readonly id: number };
export type FromReceiver =
  | { readonly kind: 'listening'; readonly port: number }
  | { readonly kind: 'answer'; readonly id: number; readonly answer: unknown }
  | { readonly kind: 'visit'; readonly path: string; readonly url: string }
  | { readonly kind: 'delta'; readonly delta: WebhookDelta };

export type ReceiverOptions = {
  readonly host?: string;
  /** What was counted of a second that is over; once it has begun. */
  readonly onDelta?: (delta: WebhookDelta) => void;
  /** A handshake asks for a visit. */
  readonly onVisit?: (path: string, url: string) => void;
};

export type CountingReceiver = {
  readonly url: string;
  /** A webhook's secret: from now on hits that none of the expected ones signed are counted. */
  readonly expect: (secret: string) => void;
  /** Of what came to no endpoint. Rejects where the process has ended by itself. */
  readonly read: () => Promise<ReceiverCounts>;
  /** From now on what comes to these paths is written down for itself. */
  readonly serve: (endpoints: readonly ReceiverEndpoint[]) => void;
  readonly expectAt: (path: string, secret: string) => void;
  /** Counts by second from here on, on the run's clock. */
  readonly begin: (originNs: bigint) => void;
  readonly phase: (phase: number, startMs: number) => void;
  /** In the order of the paths. Rejects as `read` does. */
  readonly arrivals: (paths: readonly string[], type: string) => Promise<readonly EndpointArrivals[]>;
  /** What was counted in the second that is not over yet. */
  readonly handOver: () => Promise<void>;
  /** Messages before the last one that was heard, which were not. */
  readonly missing: () => number;
  /** Set once the process has ended by itself. */
  readonly trouble: () => Error | undefined;
  readonly pid: number;
  readonly kill: () => void;
  readonly stop: () => Promise<void>;
};

export type PathArrivals = EndpointArrivals & { readonly path: string };

/** Of an endpoint that is not told of nobody knows what came: that is no endpoint to which nothing came. */
export function arrivalsByPath(paths: readonly string[], told: readonly PathArrivals[]): readonly EndpointArrivals[] {
  const byPath = new Map(told.map((one) => [one.path, one]));
  return paths.map((path) => {
    const one = byPath.get(path);
    if (one === undefined) throw new Error(`the receiver did not say what came to ${path}`);
    return one;
  });
}

const startMsMax = 15_000;
/** A message may have been lost, and a run may not wait for it for ever. */
const answerMsMax = 60_000;

/** Rejects with a sentence where the process does not come up; nothing of it is left then. */
export async function startReceiver({ host = '127.0.0.1', onDelta, onVisit }: ReceiverOptions = {}): Promise<CountingReceiver> {
  const child = fork(fileURLToPath(new URL('./receiver-process.ts', import.meta.url)), [host]);
  const exited = once(child, 'exit');
  const answers = new ReceiverAnswers(answerMsMax);
  const listening = Promise.withResolvers<number>();
  let trouble: Error | undefined;
  const late = setTimeout(() => listening.reject(new Error(`the receiver was not there within ${startMsMax} ms`)), startMsMax);
  const row = new MessageRow();
  child.on('message', ({ number, message }: Numbered<FromReceiver>) => {
    if (!row.isNew(number)) return;
    if (message.kind === 'listening') return listening.resolve(message.port);
    if (message.kind === 'delta') return onDelta?.(message.delta);
    if (message.kind === 'visit') return onVisit?.(message.path, message.url);
    answers.hear(message);
  });
  void exited.then(([code]) => {
    trouble = new Error(`the receiver ended with ${code}`);
    listening.reject(trouble);
    answers.fail(trouble);
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
  const ask = async (asking: (id: number) => ToReceiver): Promise<unknown> => {
    if (trouble !== undefined) throw trouble;
    return answers.ask((id) => say(asking(id)));
  };
  return {
    url: `http://${host}:${port}/`,
    pid: child.pid ?? 0,
    expect: (secret) => say({ kind: 'expect', secret }),
    read: async () => (await ask((id) => ({ kind: 'read', id }))) as ReceiverCounts,
    serve: (endpoints) => say({ kind: 'serve', endpoints }),
    expectAt: (path, secret) => say({ kind: 'expect', path, secret }),
    begin: (originNs) => say({ kind: 'begin', originNs: String(originNs) }),
    phase: (phase, startMs) => say({ kind: 'phase', phase, startMs }),
    arrivals: async (paths, type) => {
      const told = (await ask((id) => ({ kind: 'arrivals', id, paths, type }))) as readonly PathArrivals[];
      return arrivalsByPath(paths, told);
    },
    missing: () => row.missing,
    handOver: async () => void (await ask((id) => ({ kind: 'hand-over', id }))),
    trouble: () => trouble,
    kill: () => void child.kill('SIGKILL'),
    stop: async () => {
      if (child.connected) child.disconnect();
      await exited;
    },
  };
}
