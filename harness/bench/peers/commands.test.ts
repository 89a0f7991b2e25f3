import { expect, test } from 'vitest';
import { durationMs, wrk2Quantiles } from './commands.ts';

test('durations as wrk2 prints them', () => {
  expect([durationMs('980us'), durationMs('1.25ms'), durationMs('2.5s'), durationMs('1m'), durationMs('fast')]).toEqual([0.98, 1.25, 2500, 60_000, null]);
});

test('the quantiles of wrk2 are read from its distribution, and null where it printed none', () => {
  const text = '  Latency Distribution (HdrHistogram - Recorded Latency)\n 50.000%    1.20ms\n 75.000%    1.60ms\n 90.000%    2.04ms\n 99.000%   80.13ms\n';
  expect(wrk2Quantiles(text)).toEqual({ p50: 1.2, p90: 2.04, p99: 80.13 });
  expect(wrk2Quantiles('unable to connect')).toEqual({ p50: null, p90: null, p99: null });
});
