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

/** One that hangs is not waited for longer. */
const knownTimeoutMs = 1000;

type Asked = { readonly missing: Set<number>; readonly answer: () => void };

export function createWatches({ live, send, passOn }: Pick<Crew, 'live' | 'send' | 'passOn'>): Watches {
  const byWorker = new Map<number, readonly string[]>();
  /** Those that can hear; the others tell everything. */
  const greeted = new Set<number>();
  const open = new Map<string, Asked>();
  const without = (name: string, worker: number): void => {
    const asked = open.get(name);
    if (asked?.missing.delete(worker) === true && asked.missing.size === 0) asked.answer();
  };
  return {
    ask: (worker, { id, accounts }) => {
      if (accounts.length === 0) byWorker.delete(worker.id);
      else byWorker.set(worker.id, accounts);
      const name = nameOf(worker.id, id);
      const others = live().filter((other) => other.id !== worker.id && greeted.has(other.id));
      const answer = (): void => {
        clearTimeout(late);
        if (open.delete(name)) send(worker, { kind: 'watched', id });
      };
      const late = setTimeout(answer, knownTimeoutMs);
      open.set(name, { missing: new Set(others.map((other) => other.id)), answer });
      for (const other of others) send(other, { kind: 'watch', worker: worker.id, id, accounts });
      if (others.length === 0) answer();
    },
    known: (worker, { of, id }) => without(nameOf(of, id), worker.id),
    greet: (worker) => {
      greeted.add(worker.id);
      send(worker, { kind: 'watches', watches: [...byWorker].filter(([id]) => id !== worker.id) });
    },
    ended: (worker) => {
      greeted.delete(worker.id);
      if (byWorker.delete(worker.id)) passOn(worker, { kind: 'watch', worker: worker.id, id: undefined, accounts: [] });
      for (const name of [...open.keys()]) without(name, worker.id);
    },
  };
}

const nameOf = (worker: number, id: number): string => `${worker}/${id}`;
