import { bucketTopMicros, countOf, quantileMicros, type SparseHistogram } from '#harness/metrics/histogram.ts';
import type { Aggregation } from './threshold.ts';

/**
 * A statistic of samples, `below` further ones quicker than all of them and `beyond` ones that failed. Microseconds; Infinity
 * where it falls among the failed. An average counts a failed one as the timeout, or as the slowest sample where that took longer.
 */
export function timeStatisticMicros(
  histogram: SparseHistogram,
  aggregation: Aggregation,
  { below, beyond, timeoutMicros }: { readonly below: number; readonly beyond: number; readonly timeoutMicros: number },
): number {
  const all: SparseHistogram = below > 0 ? { index: [0, ...histogram.index], count: [below, ...histogram.count] } : histogram;
  switch (aggregation.kind) {
    case 'quantile':
      return quantileMicros(all, aggregation.q, beyond) ?? 0;
    case 'max':
      return quantileMicros(all, 1, beyond) ?? 0;
    case 'min':
      return quantileMicros(all, 0, beyond) ?? 0;
    case 'avg':
      return averageMicros(all, beyond, timeoutMicros);
    default:
      throw new Error(`a time has no ${aggregation.kind}`);
  }
}

function averageMicros(histogram: SparseHistogram, beyond: number, timeoutMicros: number): number {
  const slowest = histogram.index.length === 0 ? 0 : bucketTopMicros(histogram.index.at(-1) as number);
  let sum = beyond === 0 ? 0 : beyond * Math.max(timeoutMicros, slowest);
  for (let i = 0; i < histogram.index.length; i++) sum += bucketTopMicros(histogram.index[i] as number) * (histogram.count[i] as number);
  const count = countOf(histogram) + beyond;
  return count === 0 ? 0 : sum / count;
}
