/**
 * Order-statistic (binomial) interval of a quantile: distribution-free, equal tails. It is right for independent samples and too
 * narrow for the requests of one run, which depend on each other: it may compare two rulers, and must never judge a build.
 */
import { bucketTopMicros, countOf, type SparseHistogram } from '#harness/metrics/histogram.ts';

/** Ranks from 1; `undefined`: no finite bound with so few samples. */
export type Ranks = { readonly low: number | undefined; readonly high: number | undefined };

export function quantileRanks(samples: number, q: number, confidence: number): Ranks {
  const tail = (1 - confidence) / 2;
  const below = ranksInTail(samples, q, tail);
  const above = ranksInTail(samples, 1 - q, tail);
  return { low: below === 0 ? undefined : below, high: above === 0 ? undefined : samples + 1 - above };
}

/** How many k = 0, 1, … have P(B ≤ k) ≤ tail, with B binomial(n, p); summed in logarithms, since pmf(0) underflows. */
function ranksInTail(n: number, p: number, tail: number): number {
  let logPmf = n * Math.log1p(-p);
  let sum = 0;
  for (let k = 0; k < n; k++) {
    sum += Math.exp(logPmf);
    if (sum > tail * (1 + 1e-12)) return k;
    logPmf += Math.log((n - k) / (k + 1)) + Math.log(p) - Math.log1p(-p);
  }
  return n;
}

export type IntervalMs = { readonly low: number; readonly high: number };

/**
 * Milliseconds; 0 and Infinity where there is no finite bound. `unknown` further samples may have had any time: all of them stand below the low end, and all of them
 * above the high one.
 */
export function quantileIntervalMs(histogram: SparseHistogram, q: number, confidence: number, unknown = 0): IntervalMs {
  const known = countOf(histogram);
  const ranks = quantileRanks(known + unknown, q, confidence);
  const low = (ranks.low ?? 0) - unknown;
  const high = ranks.high ?? Number.POSITIVE_INFINITY;
  return {
    low: low < 1 ? 0 : valueAtRank(histogram, low) / 1000,
    high: high > known ? Number.POSITIVE_INFINITY : valueAtRank(histogram, high) / 1000,
  };
}

function valueAtRank(histogram: SparseHistogram, rank: number): number {
  let seen = 0;
  for (let i = 0; i < histogram.index.length; i++) {
    seen += histogram.count[i] as number;
    if (seen >= rank) return bucketTopMicros(histogram.index[i] as number);
  }
  throw new RangeError(`rank ${rank} of ${seen} samples`);
}
