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
  let floor = head.floor;
  const end = Math.min(head.floor + recordsAtOnce, endOf({ tables, time, head, sealedThrough, beforeMs, isArchived }));
  const aged = agedThrough(tables, beforeMs);
  for (; floor < end; floor++) {
    if (floor > aged && !isOld({ tables, time, beforeMs }, floor)) break;
    tables.log.removeSync(sequenceKey(floor));
  }
  if (floor > head.floor) pruneReasons(tables, floor);
  return floor;
}

/** Costs no write. */
export const hasOldRecords = (input: PruneInput): boolean => input.head.floor < endOf(input) && isOld(input, input.head.floor);

/** Before it everything may go that is old. The last record stays, so that a log that had something is never empty. */
const endOf = ({ tables, head, sealedThrough, isArchived }: PruneInput): number =>
  Math.min(head.sequence, sealedThrough + 1, steppedThrough(tables, head) + 1, isArchived ? archivedRecords(tables) + 1 : Number.POSITIVE_INFINITY);

/** One that is not there is. */
function isOld({ tables, time, beforeMs }: Pick<PruneInput, 'tables' | 'time' | 'beforeMs'>, sequence: number): boolean {
  const record = tables.log.getBinary(sequenceKey(sequence));
  return record === undefined || storeTimeOf(tables, time, { sequence, receivedAtMs: receivedAtOf(record) }) < beforeMs;
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
