import { expect, test } from 'vitest';
import { costOf, notHeld } from './spike-cost.ts';

const totals = { planned: 1000, acknowledged: 1000 } as Parameters<typeof costOf>[0]['totals'];
const quantiles = { count: 1, p50: 2, p90: 3, p99: 4, p999: 5, max: 6 };
const latencyMs = { spike: { ingest: { response: quantiles } } };

test('a cost is what the verdict says, and what it does not say is not a number', () => {
  const cost = costOf({ cpu: { system: 100, generator: 30 }, latencyMs, totals });
  expect(cost).toEqual({ serviceMicros: 100, generatorMicros: 30, p50Ms: 2, p99Ms: 4, goodShare: 1 });
  const unknown = costOf({ cpu: { system: null, generator: null }, latencyMs: {}, totals });
  expect(unknown.serviceMicros).toBeNaN();
  expect(unknown.p99Ms).toBeNaN();
});

test('a machine that does not hold the rate is told one that it holds', () => {
  const cost = costOf({ cpu: { system: 1, generator: 1 }, latencyMs, totals: { ...totals, acknowledged: 400 } });
  expect(notHeld('base', cost, 10_000)).toMatch(/does not hold 10000\/s: the build base acknowledged 40\.0 % .* --rate 2400$/);
  expect(notHeld('base', costOf({ cpu: { system: 1, generator: 1 }, latencyMs, totals }), 10_000)).toBeUndefined();
});
