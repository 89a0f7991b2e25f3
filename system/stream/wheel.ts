/** A timer wheel: when each of many is due, for the price of one timer. Times are milliseconds of one clock. */

export type Wheel<T> = {
  /** Puts or moves `item`; it comes out of `advance` at most one tick after `dueMs`, or earlier where that is more than a turn away. */
  readonly place: (item: T, dueMs: number) => void;
  readonly remove: (item: T) => void;
  /** Takes out all that is due at `nowMs`. */
  readonly advance: (nowMs: number) => readonly T[];
  readonly size: () => number;
};

export function createWheel<T extends { bucket: number }>({
  tickMs,
  buckets: count,
  startMs,
}: {
  readonly tickMs: number;
  readonly buckets: number;
  readonly startMs: number;
}): Wheel<T> {
  const buckets = Array.from({ length: count }, () => new Set<T>());
  let tick = Math.floor(startMs / tickMs);
  let size = 0;
  const remove = (item: T): void => {
    if (item.bucket < 0) return;
    buckets[item.bucket]?.delete(item);
    item.bucket = -1;
    size--;
  };
  return {
    place: (item, dueMs) => {
      remove(item);
      const due = Math.min(Math.max(Math.ceil(dueMs / tickMs), tick + 1), tick + count - 1);
      item.bucket = due % count;
      buckets[item.bucket]?.add(item);
      size++;
    },
    remove,
    advance: (nowMs) => {
      const due: T[] = [];
      const end = Math.floor(nowMs / tickMs);
      // After a long stop every bucket is due once.
      if (end - tick > count) tick = end - count;
      while (tick < end) {
        tick++;
        const bucket = buckets[tick % count] as Set<T>;
        for (const item of bucket) {
          item.bucket = -1;
          due.push(item);
        }
        size -= bucket.size;
        bucket.clear();
      }
      return due;
    },
    size: () => size,
  };
}
