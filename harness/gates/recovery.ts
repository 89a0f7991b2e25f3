/**
 * Recovery after a phase: seconds from its end to the first of three consecutive seconds whose p99 response is at most twice the
 * baseline's, or 50 ms. Seconds are those of the intended start, so a backlog that is still being worked off shows.
 */
import { countOf, mergeHistograms, quantileMicros } from '#harness/metrics/histogram.ts';
import { metricOf } from './catalogue.ts';
import type { Metric } from './metric.ts';
import { type JudgedData, type SampledFigure, type SelectedCell, selectCells, sumSamples, unboundedOf, unknownOf } from './samples.ts';

export const recoveryRule = { timesBaseline: 2, floorMs: 50, consecutiveSeconds: 3, q: 0.99 } as const;
const response = metricOf('response_ms') as Metric;
const never = Number.POSITIVE_INFINITY;

export function observeRecovery(data: JudgedData, selector: Readonly<Record<string, string>>): SampledFigure {
  const nothing = { samples: 0, figure: undefined };
  const phase = data.phases.find((one) => one.name === selector.phase);
  const baseline = baselineP99Micros(selectCells(data, response, { ...selector, phase: selector.baseline ?? '' }));
  if (phase === undefined || baseline === undefined) return nothing;
  const from = Math.ceil(phase.endSeconds);
  const until = Math.floor(Math.max(...data.phases.map((one) => one.endSeconds)));
  const seconds = secondsAfter(data, selector, from, until);
  const seen = seconds.filter((one) => one.seen !== undefined).length;
  if (seen === 0) return nothing;
  const limit = (p99Micros: number): number => Math.max(recoveryRule.timesBaseline * p99Micros, recoveryRule.floorMs * 1000);
  const after = (p99s: readonly (number | undefined)[], most: number): number | undefined => {
    const start = firstRun(p99s.map((p99) => p99 !== undefined && p99 <= most));
    return start === undefined ? undefined : from - phase.endSeconds + start;
  };
  const best = after(
    seconds.map((one) => one.low),
    limit(baseline.high),
  );
  const observed = after(
    seconds.map((one) => one.seen),
    limit(baseline.seen),
  );
  const worst = after(
    seconds.map((one) => one.high),
    limit(baseline.low),
  );
  // Not seen to recover: the three seconds may still have begun in the last two that were watched.
  const atLeast = Math.max(0, from - phase.endSeconds + seconds.length - (recoveryRule.consecutiveSeconds - 1));
  return { samples: seen, figure: { seen: observed ?? never, low: best ?? atLeast, high: worst ?? never } };
}

/** First index from which on three consecutive ones hold. */
function firstRun(fine: readonly boolean[]): number | undefined {
  const start = fine.findIndex(
    (_, i) => i + recoveryRule.consecutiveSeconds <= fine.length && fine.slice(i, i + recoveryRule.consecutiveSeconds).every(Boolean),
  );
  return start < 0 ? undefined : start;
}

type Bounds = { readonly seen: number; readonly low: number; readonly high: number };

/** Of good answers: a baseline whose failures were counted would make any recovery look fine. Unknown ones lower it or do nothing. */
function baselineP99Micros(cells: readonly SelectedCell[]): Bounds | undefined {
  const { clean, spoiled } = sumSamples(cells, 'response');
  const seen = quantileMicros(mergeHistograms([clean, spoiled]), recoveryRule.q);
  if (seen === undefined) return undefined;
  const unknown = countOf(spoiled);
  const low = quantileMicros({ index: [0, ...clean.index], count: [unknown, ...clean.count] }, recoveryRule.q) ?? 0;
  return { seen, low, high: Math.max(seen, quantileMicros(clean, recoveryRule.q) ?? 0) };
}

type SecondP99 = { readonly seen: number | undefined; readonly low: number | undefined; readonly high: number | undefined };

function secondsAfter(data: JudgedData, selector: Readonly<Record<string, string>>, from: number, until: number): readonly SecondP99[] {
  const operation = selector.operation;
  const chosen = data.phases.flatMap((phase) => selectCells(data, response, { phase: phase.name, ...(operation === undefined ? {} : { operation }) }));
  const bySecond = Map.groupBy(chosen, (one) => one.cell.second);
  return Array.from({ length: Math.max(0, until - from) }, (_, i) => secondP99(bySecond.get(from + i) ?? []));
}

/** A second without arrivals has no bound: it counts neither as recovered nor as seen, unless everything in it is unknown. */
function secondP99(cells: readonly SelectedCell[]): SecondP99 {
  const samples = sumSamples(cells, 'response');
  const { clean, spoiled, atMost, failed, spoiledFailed } = samples;
  const certain = Math.max(0, failed - spoiledFailed);
  const unknown = unknownOf(samples, countOf(spoiled) + spoiledFailed);
  return {
    seen: quantileMicros(mergeHistograms([clean, spoiled]), recoveryRule.q, failed),
    low: quantileMicros({ index: [0, ...clean.index], count: [unknown, ...clean.count] }, recoveryRule.q, certain),
    high: quantileMicros(mergeHistograms([clean, atMost]), recoveryRule.q, certain + unboundedOf(samples)),
  };
}
