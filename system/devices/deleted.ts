/**
 * The devices that were deleted of late: their tokens are refused though they have not ended. Who deletes tells everybody; the store is read at the start, and every now and then, since news may be lost.
 * All of them are kept in memory, so that a request costs no turn of the store.
 */
import type { Clock } from '#system/clock.ts';
import { type DeviceRef, deletedKeptMs, deviceKey, type Store } from '#system/store/store.ts';

export type DeletedDevices = {
  readonly has: (ref: DeviceRef) => boolean;
  readonly add: (refs: readonly DeviceRef[]) => void;
  /** Resolves once what is deleted now is known here. Does not reject: what could not be read is read the next time. */
  readonly refresh: () => Promise<void>;
  readonly close: () => void;
};

export type DeletedOptions = {
  readonly store: Pick<Store, 'readDeleted'>;
  readonly clock: Clock;
  readonly refreshMs: number;
  /** Told of each, and again with what is read within the half minute after: what a request in flight opened meanwhile is met then. */
  readonly onDeleted: (refs: readonly DeviceRef[]) => void;
  readonly onTrouble: (error: unknown) => void;
};

const pageMax = 1000;
/** Rows are stamped before they are stored: one may be older than what was read before it was there. */
const overlapMs = 30_000;
/** About 150 MB. Beyond it the oldest are forgotten, whose tokens may have an hour left. */
const deletedMax = 1_000_000;

export function createDeletedDevices({ store, clock, refreshMs, onDeleted, onTrouble }: DeletedOptions): DeletedDevices {
  const knownAtMs = new Map<string, number>();
  let readAtMs = clock.wallMs() - deletedKeptMs;
  let reading: Promise<void> | undefined;
  const add = (refs: readonly DeviceRef[]): void => {
    const nowMs = clock.wallMs();
    for (const ref of refs) remember(knownAtMs, deviceKey(ref), nowMs);
    if (refs.length > 0) onDeleted(refs);
  };
  const read = async (): Promise<void> => {
    const beganAtMs = clock.wallMs();
    // Never from what rows say: one that a wrong clock stamped would hide all that come after it.
    let fromMs = Math.min(readAtMs, beganAtMs) - overlapMs;
    for (let isLast = false; !isLast; ) {
      const page = await store.readDeleted({ fromMs, limit: pageMax });
      add(page);
      isLast = page.length < pageMax;
      // A millisecond that fills a page has more of them than are read.
      fromMs = Math.max(fromMs + 1, page.at(-1)?.atMs ?? 0);
    }
    readAtMs = beganAtMs;
    forgetBefore(knownAtMs, beganAtMs - deletedKeptMs);
  };
  const refresh = (): Promise<void> => {
    reading ??= read()
      .catch(onTrouble)
      .finally(() => {
        reading = undefined;
      });
    return reading;
  };
  const refreshing = setInterval(() => void refresh(), refreshMs).unref();
  return {
    add,
    refresh,
    has: (ref) => knownAtMs.size > 0 && knownAtMs.has(deviceKey(ref)),
    close: () => clearInterval(refreshing),
  };
}

function remember(knownAtMs: Map<string, number>, key: string, nowMs: number): void {
  if (knownAtMs.size >= deletedMax && !knownAtMs.has(key)) knownAtMs.delete(knownAtMs.keys().next().value as string);
  knownAtMs.set(key, nowMs);
}

/** By when they were heard of first, which is the order of the map, nearly: the first that is young ends the search. */
function forgetBefore(knownAtMs: Map<string, number>, beforeMs: number): void {
  for (const [key, atMs] of knownAtMs) {
    if (atMs >= beforeMs) return;
    knownAtMs.delete(key);
  }
}
