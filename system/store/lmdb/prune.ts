/** Forgetting what nobody may ask for any more: records beyond the hot window, and what their steps filtered. */
import { archivedThrough } from '#system/store/ordered-archive.ts';
import { partitionCount, positionStart } from '#system/store/store.ts';
import type { StoreTime } from '#system/store/store-time.ts';
import { agedThrough, storeTimeOf } from './ages.ts';
import { positionOf, receivedAtOf, sequenceKey, sequenceOf } from './codec.ts';
import { ordered } from './lmdb-changes.ts';
import { reasonsKey } from './steps.ts';
import { type Head, readPartition, type Tables } from './tables.ts';

/** Of one transaction: bounds how long it may take. */
const recordsAtOnce = 64;

export type PruneInput = {
  readonly tables: Tables;
  readonly time: StoreTime;
  readonly head: Pick<Head, 'sequence' | 'floor' | 'accepted'>;
  /** Records after this one hold digests that dedupe has nowhere else. */
  readonly sealedThrough: number;
  /** Records that were there before this time of the store are beyond the window. */
  readonly beforeMs: number;
  /** Records stay until every partition has archived them. */
  readonly isArchived: boolean;
};

/** Inside the write transaction. Returns the new floor: the first record that is still there. */
export function prune({ tables, time, head, sealedThrough, beforeMs, isArchived }: PruneInput): number {
  const receivedOf = (sequence: number, record: Buffer): number => storeTimeOf(tables, time, { sequence, receivedAtMs: receivedAtOf(record) });
  let floor = head.floor;
  const end = Math.min(
    head.floor + recordsAtOnce,
    sealedThrough + 1,
    steppedThrough(tables, head) + 1,
    isArchived ? archivedRecords(tables) + 1 : Number.POSITIVE_INFINITY,
  );
  const aged = agedThrough(tables, beforeMs);
  for (; floor < end; floor++) {
    const record = tables.log.getBinary(sequenceKey(floor));
    if (floor > aged && record !== undefined && receivedOf(floor, record) >= beforeMs) break;
    tables.log.removeSync(sequenceKey(floor));
  }
  if (floor > head.floor) pruneReasons(tables, floor);
  return floor;
}

/** The last record that the pipeline has left behind in every partition. */
function steppedThrough(tables: Tables, { sequence, accepted }: PruneInput['head']): number {
  let least = sequence;
  for (let partition = 0; partition < partitionCount; partition++) {
    const { done, checkpoint } = readPartition(tables, partition);
    // The record of the checkpoint may hold more of this partition.
    if ((accepted[partition] ?? 0) !== done) least = Math.min(least, sequenceOf(checkpoint) - 1);
  }
  return least;
}

/** The last record that is archived in every partition; the one that a slice ends in may hold more. */
function archivedRecords(tables: Tables): number {
  const archive = ordered(tables.archive);
  let least = Number.POSITIVE_INFINITY;
  for (let partition = 0; partition < partitionCount; partition++) least = Math.min(least, sequenceOf(archivedThrough(archive, partition)) - 1);
  return least;
}

function pruneReasons(tables: Tables, floor: number): void {
  for (let partition = 0; partition < partitionCount; partition++) {
    const old = tables.reasons.getKeys({ start: reasonsKey(partition, positionStart), end: reasonsKey(partition, positionOf(floor, 0)) });
    for (const key of [...old]) tables.reasons.removeSync(key);
  }
}
