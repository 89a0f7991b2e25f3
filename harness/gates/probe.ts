/** The probe is a second ruler. Where it and the engine disagree on service times, the engine may have measured itself. */
import { countOf, mergeHistograms, quantileMicros, type SparseHistogram } from '#harness/metrics/histogram.ts';
import type { RunResult } from '#harness/run-result.ts';
import { quantileIntervalMs } from './quantile-interval.ts';
import { type Figure, phasesOf } from './samples.ts';
import type { ParsedThreshold } from './threshold.ts';
import type { Saying } from './validity.ts';
import { percent, shortNumber } from './wording.ts';

/** High, since requests of one run depend on each other and make the interval too narrow. */
export const probeConfidence = 0.999;
export const probeTolerance = { ms: 1, share: 0.1 } as const;
export const probeQuantiles = [0.5, 0.9, 0.99] as const;

/** A probe that missed more of its instants than this in a phase says so. */
export const probeMissingShareMax = 0.01;

export type Comparison = { readonly q: number; readonly engineMs: number; readonly probeMs: number; readonly disagrees: boolean };
type Rulers = {
  readonly engine: SparseHistogram;
  readonly probe: SparseHistogram;
  /** Beside them: what was planned, and has no time that could be compared. It may have had any. */
  readonly unknown: { readonly engine: number; readonly probe: number };
};

/** Service times of some phases by both rulers, without the seconds in which the machine stood still. */
export function rulersOf(result: Pick<RunResult, 'cells' | 'probe'>, phases: ReadonlySet<number>, spoiled: ReadonlySet<number>): Rulers {
  const concerns = (one: { readonly phase: number; readonly second: number }): boolean => phases.has(one.phase) && !spoiled.has(one.second);
  const cells = result.cells.filter(concerns);
  const service = cells.flatMap((cell) => (cell.times.service === undefined ? [] : [cell.times.service.clean, cell.times.service.spoiled]));
  const seconds = (result.probe?.seconds ?? []).filter(concerns);
  const unknown = {
    engine: cells.reduce((sum, { counts }) => sum + counts.failed + counts.neverFired - counts.heldNever, 0),
    probe: seconds.reduce((sum, { failed, missing = 0 }) => sum + failed + missing, 0),
  };
  return { engine: mergeHistograms(service), probe: mergeHistograms(seconds.map((one) => one.service)), unknown };
}

/**
 * They disagree where the intervals do not meet, whatever the times of what is unknown were, and the quantiles are further apart than 1 ms and 10 %.
 * undefined: no samples.
 */
export function compareRulers({ engine, probe, unknown }: Rulers, q: number): Comparison | undefined {
  const engineMicros = quantileMicros(engine, q);
  const probeMicros = quantileMicros(probe, q);
  if (engineMicros === undefined || probeMicros === undefined) return undefined;
  const engineMs = engineMicros / 1000;
  const probeMs = probeMicros / 1000;
  const ours = quantileIntervalMs(engine, q, probeConfidence, unknown.engine);
  const theirs = quantileIntervalMs(probe, q, probeConfidence, unknown.probe);
  const apart = ours.high < theirs.low || theirs.high < ours.low;
  const tolerated = Math.max(probeTolerance.ms, probeTolerance.share * Math.max(engineMs, probeMs));
  return { q, engineMs, probeMs, disagrees: apart && Math.abs(engineMs - probeMs) > tolerated };
}

/**
 * A quantile's bounds, widened by how far the probe's is from the engine's: what holds for only one of the rulers is unknown.
 * A response contains the service, so it is off by as much.
 */
export function widenByProbe(
  figure: Figure,
  threshold: ParsedThreshold,
  result: Pick<RunResult, 'cells' | 'probe' | 'phases'>,
  spoiled: ReadonlySet<number>,
): Figure {
  const { source } = threshold.metric;
  const { aggregation } = threshold;
  const concerned = source.kind === 'time' && (source.time === 'response' || source.time === 'service' || source.time === 'chain');
  if (!concerned || aggregation.kind !== 'quantile' || result.probe === undefined) return figure;
  const comparison = compareRulers(rulersOf(result, phasesOf(result, threshold.selector), spoiled), aggregation.q);
  if (comparison === undefined || !comparison.disagrees) return figure;
  const byMs = comparison.probeMs - comparison.engineMs;
  return { seen: figure.seen + Math.max(0, byMs), low: Math.max(0, figure.low + Math.min(0, byMs)), high: figure.high + Math.max(0, byMs) };
}

/** Where the two disagree in a measured phase, each as a sentence. */
export function disagreements(result: Pick<RunResult, 'cells' | 'probe' | 'phases'>, spoiled: ReadonlySet<number>): readonly string[] {
  if (result.probe === undefined) return [];
  return result.phases.flatMap((phase, index) => {
    if (!phase.measured) return [];
    const rulers = rulersOf(result, new Set([index]), spoiled);
    return probeQuantiles.flatMap((q) => {
      const one = compareRulers(rulers, q);
      if (one === undefined || !one.disagrees) return [];
      return [`in phase ${phase.name} the probe's service p${q * 100} is ${one.probeMs.toFixed(1)} ms and the engine's ${one.engineMs.toFixed(1)} ms`];
    });
  });
}

/** Where the probe fell behind its plan in a measured phase: by how much, and what cannot be compared for it. */
export function probeNotes(result: Pick<RunResult, 'cells' | 'probe' | 'phases'>, spoiled: ReadonlySet<number>): readonly Saying[] {
  return result.phases.flatMap(({ name, measured }, phase) => {
    const seconds = (result.probe?.seconds ?? []).filter((one) => one.phase === phase && !spoiled.has(one.second));
    const total = (count: (one: (typeof seconds)[number]) => number): number => seconds.reduce((sum, one) => sum + count(one), 0);
    const missing = total((one) => one.missing ?? 0);
    const planned = total(({ service, failed, shed = 0 }) => countOf(service) + failed + shed) + missing;
    if (!measured || missing <= probeMissingShareMax * planned) return [];
    const behindMs = Math.max(...seconds.map(({ behindMsMax = 0 }) => behindMsMax));
    const behind = behindMs > 0 ? `, and it was up to ${shortNumber(behindMs)} ms behind` : '';
    const { probe, unknown } = rulersOf(result, new Set([phase]), spoiled);
    const blind = probeQuantiles.filter((q) => isBlind(probe, q, unknown.probe)).map((q) => `p${q * 100}`);
    const compared = blind.length === 0 ? '' : `: its ${blind.join(', ')} cannot be compared with the engine's`;
    const text = `in phase ${name} the probe missed ${shortNumber(missing)} of its ${shortNumber(planned)} instants (${percent(missing / planned)})${behind}${compared}`;
    return [{ code: 'probe-behind', text }];
  });
}

/** The quantile may have been anything. */
function isBlind(probe: SparseHistogram, q: number, unknown: number): boolean {
  const { low, high } = quantileIntervalMs(probe, q, probeConfidence, unknown);
  return low === 0 && high === Number.POSITIVE_INFINITY;
}
