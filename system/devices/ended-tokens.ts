/**
 * Whose tokens ended of late, though their time had not: those of devices that were moved, rotated or deleted. Who does it tells everybody; the store is read at the start, and every now and then, since news may be lost.
 * All of them are kept in memory, so that a request costs no turn of the store.
 */
import { type Clock, storeMsOf } from '#system/clock.ts';
import { deviceKey, type EndedTokens, endedTokensKeptMs, type Store, type TokenEnd } from '#system/store/store.ts';

/** Of a caller; who is no device has no generation. */
type Holder = { readonly account: string; readonly device?: string; readonly generation?: number };

export type EndedTokensKnown = {
  readonly has: (holder: Holder) => boolean;
  readonly add: (ended: readonly TokenEnd[]) => void;
  /** Resolves once what has ended now is known here. Does not reject: what could not be read is read the next time. */
  readonly refresh: () => Promise<void>;
  readonly close: () => void;
};

export type EndedTokensOptions = {
  readonly store: Pick<Store, 'readEndedTokens'>;
  readonly clock: Clock;
  readonly refreshMs: number;
  /** Told of each, and again with what is read within the half minute after: what a request in flight opened meanwhile is met then. */
  readonly onEnded: (ended: readonly TokenEnd[]) => void;
  readonly onTrouble: (error: unknown) => void;
};

const pageMax = 1000;
/** Rows are stamped before they are stored: one may be older than what was read before it was there. */
const overlapMs = 30_000;
/** About 150 MB. Beyond it the oldest are forgotten, whose tokens may have an hour left. */
const endedMax = 1_000_000;

type Known = { readonly generation: number; readonly atMs: number };

export function createEndedTokens({ store, clock, refreshMs, onEnded, onTrouble }: EndedTokensOptions): EndedTokensKnown {
  const known = new Map<string, Known>();
  let readAtMs = clock.wallMs() - endedTokensKeptMs;
  let reading: Promise<void> | undefined;
  const add = (ended: readonly TokenEnd[]): void => {
    const nowMs = storeMsOf(clock);
    for (const end of ended) remember(known, end, nowMs);
    if (ended.length > 0) onEnded(ended);
  };
  const read = async (): Promise<void> => {
    const beganAtMs = clock.wallMs();
    // Never from what rows say: one that a wrong clock stamped would hide all that come after it.
    let fromMs = Math.min(readAtMs, beganAtMs) - overlapMs;
    for (let isLast = false; !isLast; ) {
      const page = await store.readEndedTokens({ fromMs, limit: pageMax });
      add(page.map(withGeneration));
      isLast = page.length < pageMax;
      // A millisecond that fills a page has more of them than are read.
      fromMs = Math.max(fromMs + 1, page.at(-1)?.atMs ?? 0);
    }
    readAtMs = beganAtMs;
    forgetBefore(known, storeMsOf(clock) - endedTokensKeptMs);
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
    has: ({ account, device, generation }) =>
      known.size > 0 && device !== undefined && generation !== undefined && generation < (known.get(deviceKey({ account, device }))?.generation ?? 0),
    close: () => clearInterval(refreshing),
  };
}

/** Deletions that an older version noted name none: no token of theirs is good. */
const withGeneration = ({ generation = Number.POSITIVE_INFINITY, ...end }: EndedTokens): TokenEnd => ({ ...end, generation });

function remember(known: Map<string, Known>, end: TokenEnd, nowMs: number): void {
  const key = deviceKey(end);
  const generation = Math.max(end.generation, known.get(key)?.generation ?? 0);
  if (known.size >= endedMax && !known.has(key)) known.delete(known.keys().next().value as string);
  known.set(key, { generation, atMs: nowMs });
}

/** By when they were heard of first, which is the order of the map, nearly: the first that is young ends the search. */
function forgetBefore(known: Map<string, Known>, beforeMs: number): void {
  for (const [key, { atMs }] of known) {
    if (atMs >= beforeMs) return;
    known.delete(key);
  }
}
