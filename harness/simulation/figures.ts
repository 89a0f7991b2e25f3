// What tests ask of a simulated run.
import { mergeHistograms, quantileMicros, type SparseHistogram } from '#harness/metrics/histogram.ts';
import type { CellCounts, TimeName } from '#harness/run-result.ts';
import type { SimulatedRun } from './simulate.ts';

export const totalOf = (run: SimulatedRun, count: keyof CellCounts, operation?: string): number =>
  run.cells.filter((cell) => operation === undefined || cell.operation === operation).reduce((sum, cell) => sum + cell.counts[count], 0);

export function histogramOf(
  run: SimulatedRun,
  time: TimeName,
  options: { readonly operation?: string; readonly of?: 'clean' | 'spoiled' } = {},
): SparseHistogram {
  const cells = run.cells.filter((cell) => options.operation === undefined || cell.operation === options.operation);
  return mergeHistograms(cells.flatMap((cell) => cell.times[time]?.[options.of ?? 'clean'] ?? []));
}

/** Milliseconds; failures count as worse than any time. */
export function quantileMs(run: SimulatedRun, time: TimeName, q: number, operation = 'ingest'): number | undefined {
  const micros = quantileMicros(histogramOf(run, time, { operation }), q, totalOf(run, 'failed', operation));
  return micros === undefined ? undefined : micros / 1000;
}

export const reasonsOf = (run: SimulatedRun): Readonly<Record<string, number>> =>
  run.cells.reduce<Record<string, number>>((sum, cell) => {
    for (const [reason, times] of Object.entries(cell.reasons)) sum[reason] = (sum[reason] ?? 0) + times;
    return sum;
  }, {});

/** How many arrivals ended in each state, the order bit left away. */
export function statesOf(run: SimulatedRun): Readonly<Record<number, number>> {
  const counts: Record<number, number> = {};
  for (const state of run.states) counts[state & 0x0f] = (counts[state & 0x0f] ?? 0) + 1;
  return counts;
}
