/** A run's records as columns by second, all of one length: what is drawn over time. */
import { emptyHistogram, mergeHistograms, quantileMicros, type SparseHistogram } from '#harness/metrics/histogram.ts';
import type { Cell, CellCounts, RunResult, TimeName } from '#harness/run-result.ts';

export type Column = readonly (number | null)[];

/** One more than the last second that any record has. */
export function secondsOf({ cells, machine, scrapes, phases }: RunResult): number {
  const last = Math.max(0, ...[...cells, ...machine, ...scrapes].map(({ second }) => second), ...phases.map(({ endSeconds }) => Math.ceil(endSeconds) - 1));
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
export function countColumn(seconds: number, cells: readonly Cell[], name: keyof CellCounts): Column {
  const sums = new Array<number>(seconds).fill(0);
  for (const { second, counts } of cells) if (second < seconds) sums[second] = (sums[second] ?? 0) + counts[name];
  return sums;
}

export const bothOf = (cells: readonly Cell[], time: TimeName): SparseHistogram =>
  mergeHistograms(cells.flatMap(({ times }) => (times[time] === undefined ? [] : [times[time].clean, times[time].spoiled])));

export type Quantiles = Readonly<Record<'p50' | 'p90' | 'p99' | 'max', Column>>;

/** Of good answers, in milliseconds: a failure has no latency, it is counted. */
export function quantileColumns(seconds: number, cells: readonly Cell[], time: TimeName): Quantiles {
  const bySecond = Map.groupBy(cells, ({ second }) => second);
  const histograms = Array.from({ length: seconds }, (_, second) => {
    const here = bySecond.get(second);
    return here === undefined ? emptyHistogram : bothOf(here, time);
  });
  const at = (q: number): Column =>
    column(seconds, (second) => {
      const micros = quantileMicros(histograms[second] ?? emptyHistogram, q);
      return micros === undefined ? undefined : micros / 1000;
    });
  return { p50: at(0.5), p90: at(0.9), p99: at(0.99), max: at(1) };
}

/** Records of one second (of several workers, say) combined; null where none has a value. */
export function recordColumn<T extends { readonly second: number }>(
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
