import fc from 'fast-check';
import * as hdr from 'hdr-histogram-js';
import { describe, expect, it } from 'vitest';
import {
  bucketIndexOf,
  bucketTopMicros,
  countOf,
  emptyHistogram,
  Histogram,
  histogramMicrosMax,
  mergeHistograms,
  quantileMicros,
  type SparseHistogram,
} from './histogram.ts';

const micros = fc.oneof(fc.integer({ min: 1, max: 5000 }), fc.integer({ min: 1, max: histogramMicrosMax }));
const samples = fc.array(micros, { minLength: 1, maxLength: 300 });

function recorded(values: readonly number[]): SparseHistogram {
  const histogram = new Histogram();
  for (const value of values) histogram.record(value);
  return histogram.toSparse();
}

function oracleOf(values: readonly number[]): hdr.Histogram {
  const oracle = hdr.build({
    lowestDiscernibleValue: 1,
    highestTrackableValue: histogramMicrosMax,
    numberOfSignificantValueDigits: 3,
    bitBucketSize: 64,
    useWebAssembly: false,
  });
  for (const value of values) oracle.recordValue(value);
  return oracle;
}

describe('the layout', () => {
  it('is off by at most 1/1024, and never flatters', () => {
    fc.assert(
      fc.property(micros, (value) => {
        const top = bucketTopMicros(bucketIndexOf(value));
        expect(top).toBeGreaterThanOrEqual(value);
        expect(top - value).toBeLessThanOrEqual(value / 1024);
      }),
    );
  });

  it('has no gap and no overlap', () => {
    for (let index = 1; index < bucketIndexOf(histogramMicrosMax); index++) {
      expect(bucketIndexOf(bucketTopMicros(index))).toBe(index);
      expect(bucketIndexOf(bucketTopMicros(index) + 1)).toBe(index + 1);
    }
  });

  it('refuses what cannot be a time', () => {
    expect(() => bucketIndexOf(Number.NaN)).toThrow(RangeError);
    expect(() => bucketIndexOf(-1)).toThrow(RangeError);
  });
});

describe('against hdr-histogram-js', () => {
  it('gives the same quantiles for the same samples', () => {
    fc.assert(
      fc.property(samples, (values) => {
        const ours = recorded(values);
        const oracle = oracleOf(values);
        for (const q of [0.5, 0.9, 0.99, 0.999, 1]) expect(quantileMicros(ours, q)).toBe(oracle.getValueAtPercentile(q * 100));
      }),
      { numRuns: 200 },
    );
  });

  it('knows the golden answers', () => {
    expect(quantileMicros(recorded([1000, 2000, 3000, 250_000]), 0.5)).toBe(2000);
    const golden = hdr.decodeFromCompressedBase64('HISTFAAAADB4nJNpmSzMwMDAw8DAwMjAwMDMAAEgNsO1yUsYYPzz/Exn+ZmmcjC1pzMBAIr/BrM=');
    expect(golden.totalCount).toBe(4);
    expect(golden.getValueAtPercentile(50)).toBe(2000);
    const hundred = recorded(Array.from({ length: 100 }, (_, i) => i + 1));
    expect([0.5, 0.99, 0.999].map((q) => quantileMicros(hundred, q))).toEqual([50, 99, 100]);
  });
});

describe('merging', () => {
  it('gives, bucket by bucket, what recording everything in one would have', () => {
    fc.assert(
      fc.property(samples, samples, (a, b) => {
        expect(mergeHistograms([recorded(a), recorded(b)])).toEqual(recorded([...a, ...b]));
        expect(mergeHistograms([recorded(b), recorded(a)])).toEqual(recorded([...a, ...b]));
        expect(countOf(recorded([...a, ...b]))).toBe(a.length + b.length);
      }),
    );
  });
});

describe('quantiles with failures', () => {
  const hundred = recorded(Array.from({ length: 95 }, () => 5000));
  it('are beyond every sample where they fall among the failed', () => {
    expect(quantileMicros(hundred, 0.95, 5)).toBe(bucketTopMicros(bucketIndexOf(5000)));
    expect(quantileMicros(hundred, 0.96, 5)).toBe(Number.POSITIVE_INFINITY);
  });
  it('are nothing without samples', () => {
    expect(quantileMicros(emptyHistogram, 0.5)).toBeUndefined();
  });
});
