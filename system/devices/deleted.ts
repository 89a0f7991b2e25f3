/**
 * The devices that were deleted of late: their tokens are refused though they have not ended. What the store says, read again at each news of a deletion, and every now and then, since news may be lost.
 * All of them are kept in memory, so that a request costs no turn of the store.
 */
import type { Clock } from '#system/clock.ts';
import { type DeviceRef, deletedKeptMs, type Store } from '#system/store/store.ts';

export type DeletedDevices = {
  readonly has: (ref: DeviceRef) => boolean;
  /** Resolves once what is deleted now is known here. Does not reject: what could not be read is read the next time. */
  readonly refresh: () => Promise<void>;
  readonly close: () => void;
};

export type DeletedOptions = {
  readonly store: Pick<Store, 'readDeleted'>;
  readonly clock: Clock;
  readonly refreshMs: number;
  /** Told of each at least once, and again for a while: what a request in flight opened meanwhile is met then. */
  readonly onDeleted: (refs: readonly DeviceRef[]) => void;
  readonly onTrouble: (error: unknown) => void;
};

const pageMax = 1000;
/** Rows are stamped before they are stored: one may be older than what was read before it was there. */
const overlapMs = 30_000;

export function createDeletedDevices({ store, clock, refreshMs, onDeleted, onTrouble }: DeletedOptions): DeletedDevices {
  const deletedAtMs = new Map<string, number>();
  let readToMs = clock.wallMs() - deletedKeptMs;
  let reading: Promise<void> | undefined;
  let again: Promise<void> | undefined;
  const read = async (): Promise<void> => {
    for (let fromMs = readToMs - overlapMs, isLast = false; !isLast; ) {
      const page = await store.readDeleted({ fromMs, limit: pageMax });
      for (const ref of page) deletedAtMs.set(keyOf(ref), ref.atMs);
      if (page.length > 0) onDeleted(page);
      isLast = page.length < pageMax;
      // A millisecond that fills a page has more of them than are read.
      fromMs = Math.max(fromMs + 1, page.at(-1)?.atMs ?? 0);
      readToMs = Math.max(readToMs, page.at(-1)?.atMs ?? 0);
    }
    forgetBefore(deletedAtMs, clock.wallMs() - deletedKeptMs);
  };
  const start = (): Promise<void> => {
    reading = read()
      .catch(onTrouble)
      .finally(() => {
        reading = undefined;
      });
    return reading;
  };
  const refresh = (): Promise<void> => {
    if (reading === undefined) return start();
    // What is being read may have begun before the deletion that is asked for.
    again ??= reading.then(() => {
      again = undefined;
      return start();
    });
    return again;
  };
  const refreshing = setInterval(() => void refresh(), refreshMs).unref();
  return {
    refresh,
    has: (ref) => deletedAtMs.size > 0 && deletedAtMs.has(keyOf(ref)),
    close: () => clearInterval(refreshing),
  };
}

const keyOf = ({ account, device }: DeviceRef): string => `${account}\0${device}`;

/** They were put in by their time, nearly: the first that is young ends the search. */
function forgetBefore(deletedAtMs: Map<string, number>, beforeMs: number): void {
  for (const [key, atMs] of deletedAtMs) {
    if (atMs >= beforeMs) return;
    deletedAtMs.delete(key);
  }
}
