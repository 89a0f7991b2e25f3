/**
 * Which worker wants to hear of whose devices. Who asks is answered once all others know it, so that what it reads then and what it hears from then on
 * leave no gap; a worker that comes later learns it when it can hear.
 */
import type { Worker } from 'node:cluster';
import type { Crew } from './crew.ts';

export type Watches = {
  readonly ask: (worker: Worker, question: { readonly id: number; readonly accounts: readonly string[] }) => void;
  /** `worker` knows what `of` asked. */
  readonly known: (worker: Worker, asked: { readonly of: number; readonly id: number }) => void;
  readonly greet: (worker: Worker) => void;
  readonly ended: (worker: Worker) => void;
};

/** One that hangs is not waited for longer; once it knows, what it may have kept to itself is told again. */
const knownTimeoutMs = 1000;

type Asked = { readonly asker: Worker; readonly id: number; readonly missing: Set<number>; isLate: boolean };

export function createWatches({ live, send, passOn }: Pick<Crew, 'live' | 'send' | 'passOn'>): Watches {
  const byWorker = new Map<number, readonly string[]>();
  /** Those that can hear; the others tell everything. */
  const greeted = new Set<number>();
  const open = new Set<Asked>();
  const answer = ({ asker, id }: Asked): void => send(asker, { kind: 'watched', id });
  const settle = (asked: Asked): void => {
    if (asked.missing.size > 0 || !open.delete(asked)) return;
    if (asked.isLate) send(asked.asker, { kind: 'news', news: { kind: 'lost' } });
    else answer(asked);
  };
  const goOnWithout = (asked: Asked): void => {
    if (!open.has(asked)) return;
    asked.isLate = true;
    answer(asked);
  };
  return {
    ask: (worker, { id, accounts }) => {
      if (accounts.length === 0) byWorker.delete(worker.id);
      else byWorker.set(worker.id, accounts);
      const others = live().filter((other) => other.id !== worker.id && greeted.has(other.id));
      const asked: Asked = { asker: worker, id, missing: new Set(others.map((other) => other.id)), isLate: false };
      open.add(asked);
      for (const other of others) send(other, { kind: 'watch', worker: worker.id, id, accounts });
      setTimeout(goOnWithout, knownTimeoutMs, asked);
      settle(asked);
    },
    known: (worker, { of, id }) => {
      for (const asked of open) if (asked.asker.id === of && asked.id === id && asked.missing.delete(worker.id)) settle(asked);
    },
    greet: (worker) => {
      greeted.add(worker.id);
      send(worker, { kind: 'watches', watches: [...byWorker].filter(([id]) => id !== worker.id) });
    },
    ended: (worker) => {
      greeted.delete(worker.id);
      if (byWorker.delete(worker.id)) passOn(worker, { kind: 'watch', worker: worker.id, id: undefined, accounts: [] });
      for (const asked of open) {
        if (asked.asker.id === worker.id) open.delete(asked);
        else if (asked.missing.delete(worker.id)) settle(asked);
      }
    },
  };
}
