/** What a threshold's metric came to: as seen, and between which bounds it lies when unknown arrivals may have been anything. */
import { countOf, mergeHistograms, type SparseHistogram } from '#harness/metrics/histogram.ts';
import { observeCpu, observeDrain, observeLedger, observeScrape } from './observe-single.ts';
import { observeRecovery } from './recovery.ts';
import { type Figure, type JudgedData, phasesOf, type SampledFigure, type Samples, type SelectedCell, selectCells, sumSamples, unknownOf } from './samples.ts';
import type { Aggregation, Operator, ParsedThreshold } from './threshold.ts';
import { timeStatisticMicros } from './time-statistic.ts';

export type Holds = 'yes' | 'no' | 'unknown';
/** `figure` is missing where there is no sample: then nothing holds and nothing is broken. */
export type Observation = { readonly samples: number; readonly figure: Figure | undefined; readonly holds: Holds };

export const defaultTimeoutMs = 30_000;

/** Does the comparison hold for every value in the bounds, for none, or for some? */
export function holdsWithin(operator: Operator, limit: number, { low, high }: Pick<Figure, 'low' | 'high'>): Holds {
  const answer = (always: boolean, never: boolean): Holds => (always ? 'yes' : never ? 'no' : 'unknown');
  const apart = limit < low || limit > high;
  const same = low === limit && high === limit;
  switch (operator) {
    case '<':
      return answer(high < limit, low >= limit);
    case '<=':
      return answer(high <= limit, low > limit);
    case '>':
      return answer(low > limit, high <= limit);
    case '>=':
      return answer(low >= limit, high < limit);
    case '==':
      return answer(same, apart);
    case '!=':
      return answer(apart, same);
  }
}

/** `more`: arrivals still to come, for a run that is not over: they may yet become anything. */
export function observe(data: JudgedData, threshold: ParsedThreshold, more = 0): Observation {
  const { metric } = threshold;
  switch (metric.source.kind) {
    case 'time':
    case 'count':
      return observeArrivals(data, threshold, more);
    case 'ledger':
      return single(threshold, observeLedger(data, metric.source.field));
    case 'recovery':
      return single(threshold, observeRecovery(data, threshold.selector));
    case 'drain':
      return single(threshold, observeDrain(data));
    case 'cpu':
      return single(threshold, observeCpu(data, threshold.selector));
    case 'scrape':
      return single(threshold, observeScrape(data, threshold));
  }
}

function single({ operator, limit }: ParsedThreshold, { samples, figure }: SampledFigure): Observation {
  return { samples, figure, holds: figure === undefined ? 'unknown' : holdsWithin(operator, limit, figure) };
}

function observeArrivals(data: JudgedData, threshold: ParsedThreshold, more: number): Observation {
  const cells = selectCells(data, threshold.metric, threshold.selector);
  if (threshold.overSeconds === undefined) return single(threshold, figureOf(data, threshold, cells, more));
  const windows = windowsOf(cells, threshold.overSeconds).map((window) => single(threshold, figureOf(data, threshold, window, 0)));
  return worstWindow(windows, threshold.operator);
}

/** All windows of so many whole seconds, a second apart; where there are fewer seconds, all of them are one window. */
export function windowsOf(cells: readonly SelectedCell[], seconds: number): readonly (readonly SelectedCell[])[] {
  if (cells.length === 0) return [];
  const bySecond = Map.groupBy(cells, (one) => one.cell.second);
  const first = Math.min(...bySecond.keys());
  const last = Math.max(...bySecond.keys());
  const starts = Array.from({ length: Math.max(1, last - first + 2 - seconds) }, (_, i) => first + i);
  return starts.map((start) => Array.from({ length: seconds }, (_, i) => bySecond.get(start + i) ?? []).flat());
}

/** It holds if it holds in every window; the window shown is the one nearest to breaking it. */
function worstWindow(windows: readonly Observation[], operator: Operator): Observation {
  const full = windows.filter((window) => window.figure !== undefined);
  const samples = Math.max(0, ...full.map((window) => window.samples));
  const holds = full.some((one) => one.holds === 'no') ? 'no' : full.length > 0 && full.every((one) => one.holds === 'yes') ? 'yes' : 'unknown';
  const suspects = full.filter((one) => one.holds === holds);
  const lowIsWorse = operator === '>' || operator === '>=';
  const worst = suspects.reduce<Observation | undefined>((one, other) => {
    const isWorse =
      one?.figure !== undefined && other.figure !== undefined && (lowIsWorse ? other.figure.seen < one.figure.seen : other.figure.seen > one.figure.seen);
    return one === undefined || isWorse ? other : one;
  }, undefined);
  return { samples, figure: worst?.figure, holds };
}

function figureOf(data: JudgedData, threshold: ParsedThreshold, cells: readonly SelectedCell[], more: number): SampledFigure {
  const { source } = threshold.metric;
  if (source.kind === 'time') {
    const samples = sumSamples(cells, source.time);
    const timeoutMicros = (data.run.scenario.fleet.timeoutMs ?? defaultTimeoutMs) * 1000;
    const failuresCount = source.failuresAreWorst && threshold.selector.outcome !== 'ok';
    return timeFigure(samples, threshold.aggregation, {
      failuresCount,
      undelivered: source.failuresAreWorst || source.time === 'dispatch_delay',
      timeoutMicros,
      more,
    });
  }
  if (source.kind !== 'count') return { samples: 0, figure: undefined };
  return countFigure(sumSamples(cells, undefined), source.count, threshold.aggregation.kind === 'rate', more);
}

type TimeQuestion = { readonly failuresCount: boolean; readonly undelivered: boolean; readonly timeoutMicros: number; readonly more: number };

/** Milliseconds. Low: every unknown arrival quicker than all others; high: every one slower than all others. */
function timeFigure(samples: Samples, aggregation: Aggregation, question: TimeQuestion): SampledFigure {
  const { failuresCount, undelivered, timeoutMicros, more } = question;
  const failed = failuresCount ? samples.failed : 0;
  const certainlyFailed = Math.max(0, failed - samples.spoiledFailed);
  const spoiled = countOf(samples.spoiled);
  const unknown = (undelivered ? unknownOf(samples, spoiled + samples.spoiledFailed) : spoiled) + more;
  const seen = mergeHistograms([samples.clean, samples.spoiled]);
  const count = countOf(seen) + failed;
  if (count === 0) return { samples: 0, figure: undefined };
  const ms = (histogram: SparseHistogram, below: number, beyond: number): number =>
    timeStatisticMicros(histogram, aggregation, { below, beyond, timeoutMicros }) / 1000;
  const kept = withoutWorst(samples.clean, certainlyFailed, samples.waited);
  const low = ms(kept.histogram, unknown + kept.taken, kept.failed);
  return { samples: count, figure: { seen: ms(seen, 0, failed), low, high: ms(samples.clean, 0, certainlyFailed + unknown) } };
}

type Kept = { readonly histogram: SparseHistogram; readonly failed: number; readonly taken: number };

/** Takes away the worst: failures first, then the slowest. What a pool made wait may have been any of them. */
function withoutWorst(histogram: SparseHistogram, failed: number, howMany: number): Kept {
  const fromFailed = Math.min(failed, howMany);
  let left = howMany - fromFailed;
  const count = [...histogram.count];
  for (let i = count.length - 1; i >= 0 && left > 0; i--) {
    const here = Math.min(left, count[i] as number);
    count[i] = (count[i] as number) - here;
    left -= here;
  }
  return { histogram: { index: histogram.index, count }, failed: failed - fromFailed, taken: howMany - left };
}

/** A good answer in spoiled time is still good, since standing still only makes things worse: of outcomes only bad ones are spoiled. */
type CountName = 'failed' | 'shed' | 'timedOut' | 'dropped';

function countFigure(samples: Samples, name: CountName, asRate: boolean, more: number): SampledFigure {
  const total = Math.max(samples.planned, samples.resolved);
  if (total === 0) return { samples: 0, figure: undefined };
  const value = samples[name];
  const of = (count: number, all: number): number => (asRate ? (all === 0 ? 0 : count / all) : count);
  if (name === 'dropped') return { samples: total, figure: { seen: of(value, total), low: of(value, total + more), high: of(value + more, total + more) } };
  if (samples.resolved === 0) return { samples: 0, figure: undefined };
  const certain = Math.max(0, value - samples.spoiledFailed - samples.waited);
  const high = Math.min(total, value - Math.min(value, samples.spoiledFailed) + unknownOf(samples, samples.spoiledFailed)) + more;
  return { samples: samples.resolved, figure: { seen: of(value, samples.resolved), low: of(certain, total + more), high: of(high, total + more) } };
}

/** Arrivals of the phases that a threshold sees and that are still to come, when so many of each phase are planned. */
function arrivalsToCome(data: JudgedData, threshold: ParsedThreshold, plannedByPhase: ReadonlyMap<string, number>): number {
  const phases = phasesOf(data, threshold.selector);
  let planned = 0;
  for (const index of phases) planned += plannedByPhase.get(data.phases[index]?.name ?? '') ?? 0;
  for (const cell of data.cells) if (phases.has(cell.phase)) planned -= cell.counts.planned;
  return Math.max(0, planned);
}

/**
 * Of a run that is not over: may the threshold still hold, if everything to come goes well? `data.phases` has every phase of the
 * plan, those to come with their planned times. Figures that exist only after the run may always still hold.
 */
export function canStillHold(data: JudgedData, threshold: ParsedThreshold, plannedByPhase: ReadonlyMap<string, number>): boolean {
  const { kind } = threshold.metric.source;
  if (kind !== 'time' && kind !== 'count') return true;
  return observe(data, threshold, arrivalsToCome(data, threshold, plannedByPhase)).holds !== 'no';
}
