/**
 * Two engines' service times, pair by pair. Where they are apart, the probe of each run tells why: it asks the same service at the same time, twenty times a second
 * and whoever drives, so what it sees differ is the service's, and the rest is what an engine takes to read an answer. Pure.
 */
import { quantileIntervalMs } from '#harness/gates/quantile-interval.ts';
import { median } from '#harness/metrics/growth.ts';
import type { SparseHistogram } from '#harness/metrics/histogram.ts';
import type { Verdict } from '#harness/run-result.ts';
import { round } from './bench.ts';

export type Timed = {
  readonly verdict: Pick<Verdict, 'verdict' | 'reasons'>;
  readonly service: SparseHistogram;
  /** The probe's service times in the same seconds. */
  readonly probe: SparseHistogram;
};
export type Pairs = { readonly native: readonly Timed[]; readonly k6: readonly Timed[] };

export const confidence = 0.99;

/** Median over runs of the middle of a quantile's interval, milliseconds. */
export const middleMs = (runs: readonly Timed[], ruler: 'service' | 'probe', q: number): number =>
  median(
    runs.map((run) => {
      const { low, high } = quantileIntervalMs(run[ruler], q, confidence);
      return (low + high) / 2;
    }),
  );

export function comparison(pairs: Pairs, q: number): string {
  const invalid = (['native', 'k6'] as const).flatMap((engine) => invalidOf(engine, pairs[engine]));
  if (invalid.length > 0) return `not comparable: ${invalid.join('; ')}`;
  const { native, k6 } = pairs;
  const apart = native.filter((run, i) => {
    const other = k6[i];
    if (other === undefined) return false;
    const [ours, theirs] = [quantileIntervalMs(run.service, q, confidence), quantileIntervalMs(other.service, q, confidence)];
    return ours.high < theirs.low || theirs.high < ours.low;
  }).length;
  if (apart === 0) return 'within their intervals';
  return `apart in ${apart} of ${native.length}: ${reasonOf(pairs, q)}`;
}

/** Said with its reasons' codes: without them nobody knows what to mend. */
function invalidOf(engine: string, runs: readonly Timed[]): readonly string[] {
  const failed = runs.filter(({ verdict }) => verdict.verdict !== 'pass');
  if (failed.length === 0) return [];
  const codes = new Set(failed.flatMap(({ verdict }) => verdict.reasons.map(({ code }) => code)));
  return [`${failed.length} of ${runs.length} runs of ${engine} did not pass as a measurement (${[...codes].join(', ')})`];
}

function reasonOf({ native, k6 }: Pairs, q: number): string {
  const added = (runs: readonly Timed[]): string => {
    const [service, probe] = [middleMs(runs, 'service', q), middleMs(runs, 'probe', q)];
    return Number.isFinite(service - probe) ? `${round(service)} ms where the probe saw ${round(probe)}` : `${round(service)} ms, and the probe saw too little`;
  };
  return `native ${added(native)}, k6 ${added(k6)}; what the probes differ by is the service's, given other bursts and other cores, and the rest the engines' own reading`;
}
