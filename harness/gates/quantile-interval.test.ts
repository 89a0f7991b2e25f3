import { expect, test } from 'vitest';
import { histogramOfMs } from './example-run.ts';
import { quantileIntervalMs, quantileRanks } from './quantile-interval.ts';

// Exact binomial ranks, equal tails, 95 %.
test.each([
  [10, 0.5, 2, 9],
  [100, 0.9, 84, 96],
  [1000, 0.99, 983, 997],
  [10_000, 0.99, 9880, 9920],
  [6, 0.5, 1, 6],
  [5, 0.5, undefined, undefined],
])('of %i samples the %d-quantile lies between ranks %s and %s', (samples, q, low, high) => {
  expect(quantileRanks(samples, q, 0.95)).toEqual({ low, high });
});

test.each([
  [0.5, 5],
  [0.9, 29],
  [0.95, 59],
  [0.99, 299],
  [0.999, 2995],
])('a one-sided 95 %% bound of the %d-quantile is finite from %i samples', (q, samples) => {
  expect(quantileRanks(samples - 1, q, 0.9).high).toBeUndefined();
  expect(quantileRanks(samples, q, 0.9).high).toBe(samples);
});

test('the interval is one of values; without a finite bound it is open', () => {
  const hundred = histogramOfMs(Array.from({ length: 100 }, (_, i) => [i + 1, 1] as const));
  const { low, high } = quantileIntervalMs(hundred, 0.9, 0.95);
  expect([Math.round(low), Math.round(high)]).toEqual([84, 96]);
  expect(quantileIntervalMs(histogramOfMs([[5, 5]]), 0.5, 0.95)).toEqual({ low: 0, high: Number.POSITIVE_INFINITY });
  expect(quantileIntervalMs(histogramOfMs([]), 0.5, 0.95)).toEqual({ low: 0, high: Number.POSITIVE_INFINITY });
});

test('many samples neither underflow nor take long', () => {
  const { low, high } = quantileRanks(300_000, 0.5, 0.95);
  // Normal approximation: 150,000 ± 1.96 · √(n/4).
  expect(Math.abs((low as number) - (150_000 - 536.8))).toBeLessThan(3);
  expect(Math.abs((high as number) - (150_000 + 536.8))).toBeLessThan(3);
});
