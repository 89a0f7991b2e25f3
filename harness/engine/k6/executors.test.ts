import fc from 'fast-check';
import { expect, test } from 'vitest';
import { arrivalCount } from '#harness/pacing/rate.ts';
import type { RateCurve } from '#harness/scenario.ts';
import { type Executor, executorOf, tailSeconds } from './executors.ts';

const seconds = (text: string): number => (text.endsWith('us') ? Number.parseFloat(text) / 1e6 : Number.parseFloat(text));
const perSecond = (unitRate: number): number => unitRate / 1000;
const placing = { startMs: 2000, vus: 10, gracefulStopMs: 1000 };

/** k6's own arithmetic (lib/executor): a constant rate fires at once and then every whole number of nanoseconds; a ramp at each whole arrival of its integral. */
function instantsOf(executor: Executor): readonly number[] {
  if (executor.executor === 'constant-arrival-rate') {
    const periodSeconds = Math.trunc(1e9 / perSecond(executor.rate)) / 1e9;
    return Array.from({ length: Math.floor(seconds(executor.duration) / periodSeconds) }, (_, i) => i * periodSeconds);
  }
  const instants: number[] = [];
  let [from, done, start] = [perSecond(executor.startRate), 0, 0];
  for (const stage of executor.stages) {
    const [to, length] = [perSecond(stage.target), seconds(stage.duration)];
    const all = done + ((from + to) / 2) * length;
    while (instants.length + 1 <= all) {
      const wanted = instants.length + 1 - done;
      const root = Math.sqrt(Math.max(0, from * from + (2 * (to - from) * wanted) / length));
      instants.push(start + (2 * wanted) / (from + root));
    }
    [from, done, start] = [to, all, start + length];
  }
  return instants;
}

const whole = fc.integer({ min: 1, max: 5000 });
const curves: fc.Arbitrary<RateCurve> = fc.oneof(
  whole.map((ratePerSecond) => ({ kind: 'constant' as const, ratePerSecond })),
  fc
    .tuple(fc.integer({ min: 0, max: 5000 }), fc.integer({ min: 0, max: 5000 }))
    .map(([fromPerSecond, toPerSecond]) => ({ kind: 'ramp' as const, fromPerSecond, toPerSecond })),
  fc.tuple(whole, whole).map(([basePerSecond, peakPerSecond]) => ({ kind: 'spike' as const, basePerSecond, peakPerSecond, fromSeconds: 1, untilSeconds: 2 })),
  fc.tuple(whole, whole).map(([first, then]) => ({
    kind: 'step' as const,
    steps: [
      { atSeconds: 0, ratePerSecond: first },
      { atSeconds: 1.5, ratePerSecond: then },
    ],
  })),
);

test('every curve gives k6 at least the planned arrivals, and gives them within the phase', () => {
  fc.assert(
    fc.property(curves, fc.integer({ min: 3, max: 8 }), (rate, durationSeconds) => {
      const phase = { name: 'load', rate, durationSeconds };
      const count = arrivalCount(phase);
      const instants = instantsOf(executorOf(phase, placing));
      expect(instants.length).toBeGreaterThanOrEqual(count);
      // Of a sum that is no whole number the last one comes with the tail, at its rate of at least one a second.
      if (count > 1) expect(instants[count - 2]).toBeLessThanOrEqual(durationSeconds + 1e-6);
      if (count > 0) expect(instants[count - 1]).toBeLessThanOrEqual(durationSeconds + tailSeconds);
    }),
    { numRuns: 60 },
  );
});

test('a constant rate begins half a period after its phase, as the plan does', () => {
  const executor = executorOf({ name: 'load', rate: { kind: 'constant', ratePerSecond: 100 }, durationSeconds: 5 }, placing);
  expect(executor).toMatchObject({
    executor: 'constant-arrival-rate',
    startTime: '2005000us',
    rate: 100_000,
    timeUnit: '1000s',
    duration: '6000000us',
    tags: { phase: 'load' },
  });
});

test('a jump takes no time', () => {
  const executor = executorOf(
    { name: 'load', rate: { kind: 'spike', basePerSecond: 10, peakPerSecond: 100, fromSeconds: 1, untilSeconds: 2 }, durationSeconds: 3 },
    placing,
  );
  expect(executor.executor === 'ramping-arrival-rate' && executor.stages.filter(({ duration }) => duration === '0us' || duration === '0s')).toHaveLength(4);
});
