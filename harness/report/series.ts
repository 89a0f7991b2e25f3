/** A run's records as columns by second, all of one length: what is drawn over time. */
import { emptyHistogram, quantileMicros, type SparseHistogram } from '#harness/metrics/histogram.ts';
import type { RunResult } from '#harness/run-result.ts';

export type Column = readonly (number | null)[];
type Timed = { readonly second: number };

/** One more than the last second that any record has. */
export function secondsOf({ cells, streams, webhooks, machine, scrapes, phases }: RunResult): number {
  const records = [...cells, ...(streams?.cells ?? []), ...(webhooks?.cells ?? []), ...machine, ...scrapes];
  const last = Math.max(0, ...records.map(({ second }) => second), ...phases.map(({ endSeconds }) => Math.ceil(endSeconds) - 1));
  return last + 1;
}

const short = (value: number): number => Number(value.toPrecision(5));

function column(seconds: number, at: (second: number) => number | undefined): Column {
  return Array.from({ length: seconds }, (_, second) => {
    const value = at(second);
    return value === undefined || !Number.isFinite(value) ? null : short(value);
  });
}

/** A sum by second; a second in which nothing was recorded is 0, since the run lasted through it. */
export function sumColumn<C extends Timed>(seconds: number, cells: readonly C[], value: (cell: C) => number): Column {
  const sums = new Array<number>(seconds).fill(0);
  for (const cell of cells) if (cell.second < seconds) sums[cell.second] = (sums[cell.second] ?? 0) + value(cell);
  return sums;
}

/** Which part of each second the phases cover, from 0 to 1: load begins and ends in the middle of one. */
export function coveredShares(seconds: number, phases: RunResult['phases']): readonly number[] {
  const within = (second: number, { startSeconds, endSeconds }: RunResult['phases'][number]): number =>
    Math.max(0, Math.min(second + 1, endSeconds) - Math.max(second, startSeconds));
  return Array.from({ length: seconds }, (_, second) =>
    Math.min(
      1,
      phases.reduce((sum, phase) => sum + within(second, phase), 0),
    ),
  );
}

/** Less than this of a second says nothing of a rate. */
const shareMin = 0.1;

/**
 * Counts of seconds as rates: what was due in half a second came twice as fast. Where no load was due a count stands as it is.
 * `most` bounds what follows another rate: answers that come when the load is over, in the rest of its last second, were not faster for that.
 */
export const ratesOf = (counts: Column, shares: readonly number[], most: Column = []): Column =>
  counts.map((count, second) => {
    const share = shares[second] ?? 0;
    if (count === null || share === 0 || share === 1) return count;
    if (share < shareMin) return null;
    return short(Math.max(count, Math.min(count / share, most[second] ?? Number.POSITIVE_INFINITY)));
  });

/** The more of the two seconds beside each: a bound for what arrives when it will, and would look fast in a part of a second. */
export const mostBeside = (counts: Column): readonly number[] => counts.map((_, second) => Math.max(counts[second - 1] ?? 0, counts[second + 1] ?? 0));

export type Quantiles = Readonly<Record<'p50' | 'p90' | 'p99' | 'max', Column>>;

/** Of good answers, in milliseconds: a failure has no latency, it is counted. */
export function quantileColumns<C extends Timed>(seconds: number, cells: readonly C[], timesOf: (cells: readonly C[]) => SparseHistogram): Quantiles {
  const bySecond = Map.groupBy(cells, ({ second }) => second);
  const histograms = Array.from({ length: seconds }, (_, second) => {
    const here = bySecond.get(second);
    return here === undefined ? emptyHistogram : timesOf(here);
  });
  const at = (q: number): Column =>
    column(seconds, (second) => {
      const micros = quantileMicros(histograms[second] ?? emptyHistogram, q);
      return micros === undefined ? undefined : micros / 1000;
    });
  return { p50: at(0.5), p90: at(0.9), p99: at(0.99), max: at(1) };
}

/** Records of one second (of several workers, say) combined; null where none has a value. */
export function recordColumn<T extends Timed>(
  seconds: number,
  records: readonly T[],
  value: (record: T) => number | undefined,
  combine: (a: number, b: number) => number = Math.max,
): Column {
  const found = new Map<number, number>();
  for (const record of records) {
    const one = value(record);
    if (one === undefined) continue;
    const before = found.get(record.second);
    found.set(record.second, before === undefined ? one : combine(before, one));
  }
  return column(seconds, (second) => found.get(second));
}

/** Of a scrape: all samples of a metric added, whatever their labels. */
export function scrapedSum(values: Readonly<Record<string, number>>, metric: string): number | undefined {
  let sum: number | undefined;
  for (const [name, value] of Object.entries(values)) if (name === metric || name.startsWith(`${metric}{`)) sum = (sum ?? 0) + value;
  return sum;
}

export const sumOf = (column: Column): number => column.reduce<number>((sum, value) => sum + (value ?? 0), 0);
export const maxOf = (column: Column): number | undefined =>
  column.reduce<number | undefined>((max, value) => (value === null ? max : Math.max(max ?? value, value)), undefined);
