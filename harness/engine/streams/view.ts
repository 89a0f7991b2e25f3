/** What one listener has seen of its user's log, in four values, and whether that is what the log has. Pure. */
import { changeHash } from '#harness/target/stream-contract.ts';

export type View = {
  /** The cursor after which everything has to come; empty before the first hello. */
  from: string;
  /** The last cursor that was told, by a change or a bookmark. */
  position: string;
  seen: number;
  /** Of the changes' hashes: whole numbers below 2^53 for two million changes. */
  sum: number;
};

export const newView = (): View => ({ from: '', position: '', seen: 0, sum: 0 });

type Told = { readonly t: string; readonly ch: string; readonly k: string; readonly ver?: number; readonly c?: string };

/** Counts a change. False: its cursor did not grow, so it came twice or out of order. */
export function tellChange(view: View, change: Told): boolean {
  const cursor = change.c ?? '';
  view.seen++;
  view.sum += changeHash(change);
  if (cursor <= view.position) return false;
  view.position = cursor;
  return true;
}

/** A bookmark: everything up to it was told. */
export function tellBookmark(view: View, cursor: string): void {
  if (cursor > view.position) view.position = cursor;
}

/** One change of the log as it was read back. Cursors of one epoch sort as their positions do. */
export type LogEntry = { readonly cursor: string; readonly channel: string; readonly hash: number };

export type Expectation = { readonly count: number; readonly sum: number };

/** What a listener of these channels has to see after `from`, up to `until` where it is not listening any more. Entries ascend. */
export function expectationOf(
  entries: readonly LogEntry[],
  { from, until, channels }: { readonly from: string; readonly until: string | undefined; readonly channels: readonly string[] },
): Expectation {
  let count = 0;
  let sum = 0;
  for (const { cursor, channel, hash } of entries) {
    if (cursor <= from || !channels.includes(channel)) continue;
    if (until !== undefined && cursor > until) break;
    count++;
    sum += hash;
  }
  return { count, sum };
}

export type Compared = { readonly lost: number; readonly duplicated: number };

/** Where the counts agree and the sums do not, something else came instead: one is missing and one too many, at least. */
export function compare({ seen, sum }: Pick<View, 'seen' | 'sum'>, expected: Expectation): Compared {
  if (seen === expected.count) return sum === expected.sum ? { lost: 0, duplicated: 0 } : { lost: 1, duplicated: 1 };
  return { lost: Math.max(0, expected.count - seen), duplicated: Math.max(0, seen - expected.count) };
}
