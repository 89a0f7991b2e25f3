/** Asks all workers for their numbers at once; who does not answer in time is left out. */
import type { Worker } from 'node:cluster';
import type { Snapshot } from '#system/telemetry/counts.ts';
import type { ToWorker } from './messages.ts';

export type Gatherer = { readonly gather: () => Promise<readonly Snapshot[]>; readonly answered: (worker: Worker, id: number, snapshot: Snapshot) => void };

const snapshotTimeoutMs = 900;
type Gathering = { readonly snapshots: Snapshot[]; readonly missing: Set<number>; readonly finish: () => void };

export function createGatherer({
  live,
  send,
}: {
  readonly live: () => readonly Worker[];
  readonly send: (worker: Worker, message: ToWorker) => unknown;
}): Gatherer {
  const gatherings = new Map<number, Gathering>();
  let nextId = 0;
  return {
    gather: () =>
      new Promise((resolve) => {
        const id = nextId++;
        const workers = live();
        const gathering: Gathering = {
          snapshots: [],
          missing: new Set(workers.map((worker) => worker.id)),
          finish: () => {
            if (gatherings.delete(id)) resolve(gathering.snapshots);
          },
        };
        gatherings.set(id, gathering);
        setTimeout(gathering.finish, snapshotTimeoutMs);
        for (const worker of workers) send(worker, { kind: 'snapshot-wanted', id });
      }),
    answered: (worker, id, snapshot) => {
      const gathering = gatherings.get(id);
      if (gathering === undefined) return;
      gathering.snapshots.push(snapshot);
      gathering.missing.delete(worker.id);
      if (gathering.missing.size === 0) gathering.finish();
    },
  };
}
