import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { countOf, quantileMicros } from '#harness/metrics/histogram.ts';
import type { WorkerLag } from '#harness/run-result.ts';
import { exampleCell, exampleRun, histogramOfMs, thresholdOf } from './example-run.ts';
import { defaultLimits, heldUpMsOf, noiseOf, raised, withNoise } from './noise.ts';
import { observe } from './observe.ts';
import { takeSlowest } from './take-slowest.ts';

const stopAt = (second: number, stopMsTotal: number, worker = 0): WorkerLag => ({
  worker,
  second,
  stopMsTotal,
  loopDelayMaxMs: stopMsTotal,
  gcMsTotal: 0,
  gcMsMax: 0,
  utilisation: 0,
});
const samples = fc.array(fc.tuple(fc.integer({ min: 1, max: 5000 }), fc.integer({ min: 1, max: 9 })), { maxLength: 12 });

test('the slowest and the rest are all there are, and none of the rest is slower', () => {
  fc.assert(
    fc.property(samples, fc.nat({ max: 60 }), (list, howMany) => {
      const all = histogramOfMs(list);
      const { kept, taken } = takeSlowest(all, howMany);
      expect(countOf(taken)).toBe(Math.min(howMany, countOf(all)));
      expect(countOf(kept) + countOf(taken)).toBe(countOf(all));
      if (countOf(kept) > 0 && countOf(taken) > 0) expect(quantileMicros(kept, 1)).toBeLessThanOrEqual(quantileMicros(taken, 0) as number);
    }),
  );
});

test('raised, each sample is later by as much', () => {
  fc.assert(
    fc.property(samples, fc.integer({ min: 0, max: 900 }), (list, byMs) => {
      const before = histogramOfMs(list);
      const after = raised(before, byMs);
      expect(countOf(after)).toBe(countOf(before));
      for (const q of [0, 0.5, 0.9, 1]) {
        const expected = (quantileMicros(before, q) ?? 0) + (countOf(before) === 0 ? 0 : byMs * 1000);
        expect(Math.abs((quantileMicros(after, q) ?? 0) - expected)).toBeLessThanOrEqual(expected / 500);
      }
    }),
  );
});

describe('which stop can have touched a cell', () => {
  const spoiled = exampleCell({ second: 12, phase: 2, spoiled: [[2500, 1]] });
  test.each([
    [10, 0],
    [11, 300],
    [16, 300],
    [17, 0],
  ])('one of second %i: %i ms', (second, expected) => {
    const noise = noiseOf(exampleRun({ workers: [stopAt(second, 300), stopAt(second, 80, 1)] }), defaultLimits);
    expect(heldUpMsOf(noise, spoiled)).toBe(expected);
  });
});

test('the service’s times are raised by the stop, the generator’s own are not', () => {
  const both = { clean: histogramOfMs([]), spoiled: histogramOfMs([[40, 10]]) };
  const cell = { ...exampleCell({ second: 12, phase: 2, spoiled: [[40, 10]] }), times: { response: both, service: both, chain: both, dispatch_delay: both } };
  const run = exampleRun({ cells: [cell], workers: [stopAt(12, 60)] });
  const judged = { ...run, cells: withNoise(run.cells, noiseOf(run, defaultLimits)) };
  const highOf = (metric: string): number | undefined => observe(judged, thresholdOf(metric, 'max<500')).figure?.high;
  for (const metric of ['response_ms', 'service_ms', 'chain_ms']) expect(highOf(metric), metric).toBeCloseTo(100, 0);
  expect(highOf('dispatch_delay_ms')).toBeCloseTo(40, 0);
});
