/** Which worker wants to hear of whose devices, so that a worker that comes later knows it too. */
import type { Worker } from 'node:cluster';
import type { Crew } from './crew.ts';

export type Watches = {
  readonly tell: (worker: Worker, accounts: readonly string[]) => void;
  readonly greet: (worker: Worker) => void;
};

export function createWatches({ send, passOn }: Pick<Crew, 'send' | 'passOn'>): Watches {
  const byWorker = new Map<number, readonly string[]>();
  return {
    tell: (worker, accounts) => {
      if (accounts.length === 0 && !byWorker.has(worker.id)) return;
      if (accounts.length === 0) byWorker.delete(worker.id);
      else byWorker.set(worker.id, accounts);
      passOn(worker, { kind: 'watch', worker: worker.id, accounts });
    },
    greet: (worker) => {
      for (const [id, accounts] of byWorker) if (id !== worker.id) send(worker, { kind: 'watch', worker: id, accounts });
    },
  };
}
