/** A worker's side of the talk with its supervisor: questions, and what comes unasked. */
import type { RestartOutcome } from '#system/routes-admin.ts';
import type { Permits } from '#system/stream/permits.ts';
import type { ToSupervisor, ToWorker } from './messages.ts';
import { createRemotePermits } from './permits.ts';
import type { RunningWorker } from './worker.ts';

export type Channel = {
  readonly say: (message: ToSupervisor) => void;
  /** One answer for all workers. */
  readonly metrics: () => Promise<string>;
  readonly restart: () => Promise<RestartOutcome>;
  readonly watch: (accounts: readonly string[]) => Promise<void>;
  readonly permits: Permits;
  /** Hears for `worker` from now on; `exit` once it has ended as it was told to. */
  readonly serve: (worker: RunningWorker, exit: () => void) => void;
};

type Question = { readonly kind: 'metrics-wanted' | 'restart-wanted' } | { readonly kind: 'watch'; readonly accounts: readonly string[] };

export function createChannel(worker: Pick<NodeJS.Process, 'send' | 'on'>): Channel {
  const waiting = new Map<number, (answer: unknown) => void>();
  let nextId = 0;
  const say: Channel['say'] = (message) => void worker.send?.(message);
  const ask = <T>(question: Question): Promise<T> =>
    new Promise((resolve) => {
      const id = nextId++;
      waiting.set(id, resolve as (answer: unknown) => void);
      say({ ...question, id });
    });
  const answer = (id: number, value: unknown): void => {
    waiting.get(id)?.(value);
    waiting.delete(id);
  };
  const permits = createRemotePermits({
    want: (id, wanted) => say({ kind: 'permits-wanted', id, wanted }),
    giveBack: (accounts) => say({ kind: 'permits-back', accounts }),
  });
  let running: RunningWorker | undefined;
  let end: (ending: () => Promise<void>) => Promise<void> = async () => undefined;
  // From the start: what a worker asks while its listeners are still being opened is answered too. What it is asked then is asked again once it listens.
  worker.on('message', (message: ToWorker) => {
    if (message.kind === 'metrics') answer(message.id, message.text);
    else if (message.kind === 'permits') permits.granted(message.id, message.granted);
    else if (message.kind === 'restart') answer(message.id, message.outcome);
    else if (message.kind === 'watched') answer(message.id, undefined);
    else if (running !== undefined) hear(running, message);
  });
  const hear = (by: RunningWorker, message: Told): void => {
    if (message.kind === 'news') by.hear(message.news);
    else if (message.kind === 'watch') {
      by.hearWatch(message.worker, message.accounts);
      if (message.id !== undefined) say({ kind: 'watch-known', of: message.worker, id: message.id });
    } else if (message.kind === 'watches') by.hearWatches(message.watches);
    else if (message.kind === 'snapshot-wanted') void by.snapshot().then((snapshot) => say({ kind: 'snapshot', id: message.id, snapshot }));
    else void end(message.kind === 'drain' ? by.drain : by.leave);
  };
  return {
    say,
    permits,
    metrics: () => ask<string>({ kind: 'metrics-wanted' }),
    restart: () => ask<RestartOutcome>({ kind: 'restart-wanted' }),
    watch: (accounts) => ask<void>({ kind: 'watch', accounts }),
    serve: (by, exit) => {
      running = by;
      end = async (ending) => {
        await ending();
        const snapshot = await by.snapshot();
        // The process ends once this is out: what it counted is counted on.
        worker.send?.({ kind: 'last-snapshot', snapshot } satisfies ToSupervisor, undefined, {}, exit);
      };
    },
  };
}

/** What is no answer. */
type Told = Exclude<ToWorker, { readonly kind: 'metrics' | 'permits' | 'restart' | 'watched' }>;
