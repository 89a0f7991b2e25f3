/**
 * Asks all workers for their numbers at once. A sum over workers must not go back because one of them ended or was late, so the last that each
 * said is kept: its counts go on counting, what it held at that moment does not.
 */
import type { Worker } from 'node:cluster';
import { mergePast, type Past, type Snapshot } from '#system/telemetry/counts.ts';
import type { Crew } from './crew.ts';

export type Gathered = {
  /** Of those who answered. */
  readonly present: readonly Snapshot[];
  /** Of those who ended, as one, and of those who were late. */
  readonly past: readonly Past[];
};

export type Gatherer = {
  readonly gather: () => Promise<Gathered>;
  readonly answered: (worker: Worker, id: number, snapshot: Snapshot) => void;
  readonly said: (worker: Worker, snapshot: Snapshot) => void;
  readonly ended: (worker: Worker) => void;
};

const snapshotTimeoutMs = 900;
type Gathering = { readonly answers: Map<number, Snapshot>; readonly missing: Set<number>; readonly finish: () => void };

export function createGatherer({ live, send }: Pick<Crew, 'live' | 'send'>): Gatherer {
  const gatherings = new Map<number, Gathering>();
  const lastSaid = new Map<number, Snapshot>();
  let gone: Past | undefined;
  let nextId = 0;
  const gathered = (answers: ReadonlyMap<number, Snapshot>): Gathered => {
    const late = [...lastSaid].flatMap(([worker, snapshot]) => (answers.has(worker) ? [] : [snapshot]));
    // Who ended since it answered is among the gone already.
    const present = [...answers].flatMap(([worker, snapshot]) => (lastSaid.has(worker) ? [snapshot] : []));
    return { present, past: gone === undefined ? late : [gone, ...late] };
  };
  const said: Gatherer['said'] = (worker, snapshot) => void lastSaid.set(worker.id, snapshot);
  return {
    said,
    gather: () =>
      new Promise((resolve) => {
        const id = nextId++;
        const workers = live();
        const gathering: Gathering = {
          answers: new Map(),
          missing: new Set(workers.map((worker) => worker.id)),
          finish: () => {
            if (gatherings.delete(id)) resolve(gathered(gathering.answers));
          },
        };
        gatherings.set(id, gathering);
        setTimeout(gathering.finish, snapshotTimeoutMs);
        for (const worker of workers) send(worker, { kind: 'snapshot-wanted', id });
      }),
    answered: (worker, id, snapshot) => {
      said(worker, snapshot);
      const gathering = gatherings.get(id);
      if (gathering === undefined) return;
      gathering.answers.set(worker.id, snapshot);
      gathering.missing.delete(worker.id);
      if (gathering.missing.size === 0) gathering.finish();
    },
    ended: (worker) => {
      const last = lastSaid.get(worker.id);
      lastSaid.delete(worker.id);
      if (last !== undefined) gone = mergePast(gone === undefined ? [last] : [gone, last]);
      for (const { missing, finish } of [...gatherings.values()]) if (missing.delete(worker.id) && missing.size === 0) finish();
    },
  };
}
