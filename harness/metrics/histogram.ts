/**
 * The HDR layout in a typed array: integer microseconds from 1 µs to 1 h, 2048 sub-buckets, so a value is off by at most
 * 1/1024. Counts are Float64, which cannot wrap. hdr-histogram-js is the oracle in the tests and writes the V2 log.
 */

const subBucketCount = 2048;
const subBucketHalf = 1024;
const subBucketHalfBits = 10;
export const histogramMicrosMax = 3_600_000_000;

/** Index of a value's bucket. Values below 1 count as 1, above an hour as an hour. NaN and negative values are a broken invariant. */
export function bucketIndexOf(micros: number): number {
  if (!(micros >= 0)) throw new RangeError(`a latency of ${micros} µs cannot be`);
  const value = micros < 1 ? 1 : micros > histogramMicrosMax ? histogramMicrosMax : Math.round(micros);
  if (value < subBucketCount) return value;
  const bucket = 31 - Math.clz32(value > 0xffffffff ? 0xffffffff : value >>> 0) - subBucketHalfBits;
  return (bucket << subBucketHalfBits) + Math.floor(value / 2 ** bucket);
}

/** Highest value that falls into the bucket, in microseconds: what a quantile reports, so it never flatters. */
export function bucketTopMicros(index: number): number {
  if (index < subBucketCount) return index;
  const bucket = (index >> subBucketHalfBits) - 1;
  const sub = (index & (subBucketHalf - 1)) + subBucketHalf;
  return (sub + 1) * 2 ** bucket - 1;
}

export const bucketCount = bucketIndexOf(histogramMicrosMax) + 1;

/** Non-empty buckets in ascending order: how a histogram travels, is stored and is merged. */
export type SparseHistogram = { readonly index: readonly number[]; readonly count: readonly number[] };
export const emptyHistogram: SparseHistogram = { index: [], count: [] };

export class Histogram {
  readonly counts = new Float64Array(bucketCount);
  total = 0;

  record(micros: number, times = 1): void {
    this.counts[bucketIndexOf(micros)]! += times;
    this.total += times;
  }

  add(other: SparseHistogram): void {
    for (let i = 0; i < other.index.length; i++) {
      this.counts[other.index[i]!]! += other.count[i]!;
      this.total += other.count[i]!;
    }
  }

  toSparse(): SparseHistogram {
    const index: number[] = [];
    const count: number[] = [];
    for (let i = 0; i < bucketCount; i++) {
      if (this.counts[i] !== 0) {
        index.push(i);
        count.push(this.counts[i]!);
      }
    }
    return { index, count };
  }
}

export function mergeHistograms(parts: Iterable<SparseHistogram>): SparseHistogram {
  const merged = new Histogram();
  for (const part of parts) merged.add(part);
  return merged.toSparse();
}

export function countOf(histogram: SparseHistogram): number {
  let total = 0;
  for (const count of histogram.count) total += count;
  return total;
}

/**
 * The q-quantile in microseconds (nearest rank: the smallest value with at least ⌈q·n⌉ samples at or below it), of the samples
 * and `beyond` further ones that are worse than every sample (failures, timeouts). `undefined` without samples; Infinity where
 * the rank falls among those beyond.
 */
export function quantileMicros(histogram: SparseHistogram, q: number, beyond = 0): number | undefined {
  const total = countOf(histogram) + beyond;
  if (total === 0) return undefined;
  const rank = Math.max(1, Math.ceil(q * total - 1e-9));
  let seen = 0;
  for (let i = 0; i < histogram.index.length; i++) {
    seen += histogram.count[i]!;
    if (seen >= rank) return bucketTopMicros(histogram.index[i]!);
  }
  return Number.POSITIVE_INFINITY;
}
