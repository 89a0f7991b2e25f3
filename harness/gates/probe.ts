/** The probe is a second ruler. Where it and the engine disagree on service times, the engine may have measured itself. */
import { mergeHistograms, quantileMicros, type SparseHistogram } from '#harness/metrics/histogram.ts';
import type { RunResult } from '#harness/run-result.ts';
import { quantileIntervalMs } from './quantile-interval.ts';
import { type Figure, phasesOf } from './samples.ts';
import type { ParsedThreshold } from './threshold.ts';

/** High, since requests of one run depend on each other and make the interval too narrow. */
export const probeConfidence = 0.999;
export const probeTolerance = { ms: 1, share: 0.1 } as const;
export const probeQuantiles = [0.5, 0.9, 0.99] as const;

export type Comparison = { readonly q: number; readonly engineMs: number; readonly probeMs: number; readonly disagrees: boolean };
type Rulers = { readonly engine: SparseHistogram; readonly probe: SparseHistogram };

/** Service times of some phases by both rulers, without the seconds in which the machine stood still. */
export function rulersOf(result: Pick<RunResult, 'cells' | 'probe'>, phases: ReadonlySet<number>, spoiled: ReadonlySet<number>): Rulers {
  const concerns = (one: { readonly phase: number; readonly second: number }): boolean => phases.has(one.phase) && !spoiled.has(one.second);
  const service = result.cells
    .filter(concerns)
    .flatMap((cell) => (cell.times.service === undefined ? [] : [cell.times.service.clean, cell.times.service.spoiled]));
  const probe = (result.probe?.seconds ?? []).filter(concerns).map((one) => one.service);
  return { engine: mergeHistograms(service), probe: mergeHistograms(probe) };
}

/** They disagree where the intervals do not meet and the quantiles are further apart than 1 ms and 10 %. undefined: no samples. */
export function compareRulers({ engine, probe }: Rulers, q: number): Comparison | undefined {
  const engineMicros = quantileMicros(engine, q);
  const probeMicros = quantileMicros(probe, q);
  if (engineMicros === undefined || probeMicros === undefined) return undefined;
  const engineMs = engineMicros / 1000;
  const probeMs = probeMicros / 1000;
  const ours = quantileIntervalMs(engine, q, probeConfidence);
  const theirs = quantileIntervalMs(probe, q, probeConfidence);
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
