/** Times and counts of streams: as seen, and between which bounds when what a stop of the generator may have caused is left open. */
import { countOf } from '#harness/metrics/histogram.ts';
import type { StreamCell, StreamCounts } from '#harness/run-result.ts';
import { timeoutMsOf } from '#harness/scenario.ts';
import { type Observation, observeWindows } from './holds.ts';
import type { MetricSource } from './metric.ts';
import type { Figure, JudgedData, SampledFigure } from './samples.ts';
import { bySecond, heldOf, selectStreamCells, sumSpoiled, sumStreams, sumStreamTimes } from './stream-samples.ts';
import type { ParsedThreshold } from './threshold.ts';
import { timeFigure } from './time-figure.ts';

const nothing: SampledFigure = { samples: 0, figure: undefined };

export function observeStreams(data: JudgedData, threshold: ParsedThreshold): Observation {
  const cells = selectStreamCells(data, threshold.selector);
  return observeWindows(threshold, { cells, secondOf: ({ second }) => second, figureOf: (some) => figureOf(data, threshold, some) });
}

function figureOf(data: JudgedData, threshold: ParsedThreshold, cells: readonly StreamCell[]): SampledFigure {
  const { source } = threshold.metric;
  if (source.kind === 'stream-time') return streamTimeFigure(data, threshold, source, cells);
  return source.kind === 'stream-count' ? countFigure(cells, source.counts, threshold.aggregation.kind === 'max') : nothing;
}

type TimeSource = Extract<MetricSource, { kind: 'stream-time' }>;

function streamTimeFigure(
  { run }: JudgedData,
  { aggregation, metric, selector }: ParsedThreshold,
  source: TimeSource,
  cells: readonly StreamCell[],
): SampledFigure {
  const { clean, spoiled, atMost, missing, missingSpoiled } = sumStreamTimes(cells, source.time);
  const all = selector.outcome !== 'ok';
  const failed = all ? missing : 0;
  const certainlyFailed = all ? missing - missingSpoiled : 0;
  const unbounded = all ? missingSpoiled : 0;
  const unknown = countOf(spoiled) + unbounded;
  // A dial has a limit; who never came back was away for longer than any time, and so is the average.
  const timeoutMicros = source.time === 'hello' ? timeoutMsOf(run.scenario.fleet) * 1000 : Number.POSITIVE_INFINITY;
  const question = { clean, spoiled, failed, certainlyFailed, unknown, atMost, unbounded, waited: 0, timeoutMicros };
  const { samples, figure } = timeFigure(question, aggregation);
  return { samples, figure: figure === undefined || metric.unit !== 's' ? figure : inSeconds(figure) };
}

const inSeconds = ({ seen, low, high }: Figure): Figure => ({ seen: seen / 1000, low: low / 1000, high: high / 1000 });

/** Readers that the cells are about: a count of what befell nobody says nothing. */
const readersIn = (cells: readonly StreamCell[]): number => Math.max(sumStreams(cells, 'dialled'), 0, ...bySecond(cells, heldOf).values());

/**
 * `mostInASecond`: of a second that only partly lies in the phase the part counts, so a burst in a phase's first moment does not hide.
 * A stop adds to what happened and takes nothing away: what it held up is counted afterwards.
 */
function countFigure(cells: readonly StreamCell[], names: readonly (keyof StreamCounts)[], mostInASecond: boolean): SampledFigure {
  const samples = readersIn(cells);
  if (samples === 0) return nothing;
  const total = (some: readonly StreamCell[]): number => sumStreams(some, ...names);
  const certain = (some: readonly StreamCell[]): number => total(some) - sumSpoiled(some, ...names);
  const over = (value: (some: readonly StreamCell[]) => number): number =>
    mostInASecond ? Math.max(...bySecond(cells, (cell) => value([cell])).values()) : value(cells);
  const seen = over(total);
  return { samples, figure: { seen, low: over(certain), high: seen } };
}

/**
 * Of a run that is not over. Counts and what is most only rise, what is least only falls; a quantile may yet become anything, and who is
 * away may come back.
 */
export function streamsCanStillHold({ figure }: Observation, { metric: { source }, aggregation, operator, limit }: ParsedThreshold): boolean {
  if (figure === undefined || (source.kind === 'stream-time' && (source.time === 'resume' || source.time === 'offline_after'))) return true;
  if (source.kind === 'stream-count' || source.kind === 'webhook-count' || aggregation.kind === 'max') {
    if (operator === '<') return figure.low < limit;
    return operator === '<=' || operator === '==' ? figure.low <= limit : true;
  }
  if (aggregation.kind !== 'min') return true;
  if (operator === '>') return figure.high > limit;
  return operator === '>=' || operator === '==' ? figure.high >= limit : true;
}
