/** What a threshold's metric came to: as seen, and between which bounds it lies when unknown samples may have been anything. */
import { countOf } from '#harness/metrics/histogram.ts';
import type { TimeName } from '#harness/run-result.ts';
import { timeoutMsOf } from '#harness/scenario.ts';
import { type Observation, observationOf, observeWindows } from './holds.ts';
import { observeHeld } from './observe-held.ts';
import { observeCpu, observeDrain, observeGrowth, observeItems, observeLedger, observeResident, observeScrape } from './observe-single.ts';
import { observeStreams, streamsCanStillHold } from './observe-streams.ts';
import { observeWebhookLedger, observeWebhooks } from './observe-webhooks.ts';
import { observeRecovery } from './recovery.ts';
import {
  drivenChains,
  type JudgedData,
  lateUnspoiledOf,
  phasesOf,
  type SampledFigure,
  type Samples,
  type SelectedCell,
  selectCells,
  sumSamples,
  unboundedOf,
  unknownOf,
} from './samples.ts';
import { withoutUnfinishedSeconds } from './stream-samples.ts';
import type { ParsedThreshold } from './threshold.ts';
import { timeFigure } from './time-figure.ts';

/** `more`: samples still to come, for a run that is not over: they may yet become anything. */
export function observe(data: JudgedData, threshold: ParsedThreshold, more = 0): Observation {
  const { source } = threshold.metric;
  const single = (sampled: SampledFigure): Observation => observationOf(threshold, sampled);
  switch (source.kind) {
    case 'time':
    case 'count':
      return observeArrivals(data, threshold, more);
    case 'stream-time':
    case 'stream-count':
      return observeStreams(data, threshold);
    case 'webhook-time':
    case 'webhook-count':
    case 'webhook-open':
      return observeWebhooks(data, threshold);
    case 'webhook-ledger':
      return single(observeWebhookLedger(data, source.field, threshold.selector.receiver));
    case 'held':
      return single(observeHeld(data, threshold));
    case 'ledger':
      return single(observeLedger(data, source.field));
    case 'items':
      return single(observeItems(data, source.fields));
    case 'recovery':
      return single(observeRecovery(data, threshold.selector));
    case 'drain':
      return single(observeDrain(data));
    case 'cpu':
      return single(observeCpu(data, threshold.selector, source.per));
    case 'resident':
      return single(observeResident(data, threshold.selector));
    case 'growth':
      return single(observeGrowth(data, threshold.selector, source.figure));
    case 'scrape':
      return single(observeScrape(data, threshold));
  }
}

function observeArrivals(data: JudgedData, threshold: ParsedThreshold, more: number): Observation {
  const cells = selectCells(data, threshold.metric, threshold.selector);
  // What is to come makes no window that is over any different.
  const toCome = threshold.overSeconds === undefined ? more : 0;
  return observeWindows(threshold, { cells, secondOf: ({ cell }) => cell.second, figureOf: (some) => figureOf(data, threshold, some, toCome) });
}

function figureOf(data: JudgedData, threshold: ParsedThreshold, cells: readonly SelectedCell[], more: number): SampledFigure {
  const { source } = threshold.metric;
  if (source.kind === 'time') {
    const failuresCount = source.failuresAreWorst && threshold.selector.outcome !== 'ok';
    return arrivalTimeFigure(data, threshold, {
      time: source.time,
      cells,
      failuresCount,
      undelivered: source.failuresAreWorst || source.time === 'dispatch_delay',
      more,
    });
  }
  if (source.kind !== 'count') return { samples: 0, figure: undefined };
  return countFigure(sumSamples(cells, undefined), source.count, threshold.aggregation.kind === 'rate', more);
}

type Times = {
  readonly time: TimeName;
  readonly cells: readonly SelectedCell[];
  readonly failuresCount: boolean;
  readonly undelivered: boolean;
  readonly more: number;
};

function arrivalTimeFigure({ run }: JudgedData, { aggregation }: ParsedThreshold, { time, cells, failuresCount, undelivered, more }: Times): SampledFigure {
  const samples = sumSamples(cells, time);
  const { clean, spoiled, atMost, waited } = samples;
  const failed = failuresCount ? samples.failed : 0;
  const unknown = undelivered ? unknownOf(samples, countOf(spoiled) + samples.spoiledFailed) : countOf(spoiled);
  const unbounded = undelivered ? unboundedOf(samples) + (time === 'service' ? lateUnspoiledOf(samples) : 0) : 0;
  const certainlyFailed = Math.max(0, failed - samples.spoiledFailed);
  const timeoutMicros = timeoutMsOf(run.scenario.fleet) * 1000;
  const question = { clean, spoiled, failed, certainlyFailed, unknown: unknown + more, atMost, unbounded: unbounded + more, waited, timeoutMicros };
  return timeFigure(question, aggregation);
}

/** A good answer in spoiled time is still good, since standing still only makes things worse: of outcomes only bad ones are spoiled. */
type CountName = 'failed' | 'shed' | 'timedOut' | 'neverFired' | 'firedLate' | 'givenUp';

function countFigure(samples: Samples, name: CountName, asRate: boolean, more: number): SampledFigure {
  const total = Math.max(samples.planned, samples.resolved);
  if (total === 0) return { samples: 0, figure: undefined };
  const value = samples[name];
  const of = (count: number, all: number): number => (asRate ? (all === 0 ? 0 : count / all) : count);
  if (name === 'neverFired' || name === 'firedLate')
    return { samples: total, figure: { seen: of(value, total), low: of(value, total + more), high: of(value + more, total + more) } };
  if (samples.resolved === 0) return { samples: 0, figure: undefined };
  const certain = Math.max(0, value - samples.spoiledFailed - samples.waited);
  const high = Math.min(total, value - Math.min(value, samples.spoiledFailed) + unboundedOf(samples)) + more;
  return { samples: samples.resolved, figure: { seen: of(value, samples.resolved), low: of(certain, total + more), high: of(high, total + more) } };
}

/** Each step of a chain, and each try of it, is a sample that a cell counts as planned. */
function samplesAnArrivalMax({ run: { scenario } }: JudgedData): number {
  const steps = Math.max(1, ...drivenChains(scenario).map((chain) => chain.length));
  return steps * (scenario.fleet.retry?.triesMax ?? 1);
}

/** Samples of the phases that a threshold sees and that may still come, at most, when so many arrivals of each phase are planned. */
function samplesToCome(data: JudgedData, threshold: ParsedThreshold, plannedByPhase: ReadonlyMap<string, number>): number {
  const phases = phasesOf(data, threshold.selector);
  const anArrivalMax = samplesAnArrivalMax(data);
  let planned = 0;
  for (const index of phases) planned += (plannedByPhase.get(data.phases[index]?.name ?? '') ?? 0) * anArrivalMax;
  for (const cell of data.cells) if (phases.has(cell.phase)) planned -= cell.counts.planned;
  return Math.max(0, planned);
}

/**
 * Of a run that is not over: may the threshold still hold, if everything to come goes well? `data.phases` has every phase of the
 * plan, those to come with their planned times. Figures that exist only after the run may always still hold.
 */
export function canStillHold(data: JudgedData, threshold: ParsedThreshold, plannedByPhase: ReadonlyMap<string, number>): boolean {
  const { kind } = threshold.metric.source;
  if (kind === 'stream-time' || kind === 'stream-count' || kind === 'held') {
    const streams = data.streams === undefined ? {} : { streams: withoutUnfinishedSeconds(data.streams) };
    return streamsCanStillHold(observe({ ...data, ...streams }, threshold), threshold);
  }
  if (kind === 'webhook-count' || kind === 'webhook-open') return streamsCanStillHold(observe(data, threshold), threshold);
  if (kind !== 'time' && kind !== 'count') return true;
  return observe(data, threshold, samplesToCome(data, threshold, plannedByPhase)).holds !== 'no';
}
