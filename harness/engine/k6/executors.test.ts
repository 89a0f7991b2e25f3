import fc from 'fast-check';
import { expect, test } from 'vitest';
import { arrivalCount } from '#harness/pacing/rate.ts';
import { createSchedule } from '#harness/pacing/schedule.ts';
import type { RateCurve } from '#harness/scenario.ts';
import { type Executor, executorOf, tailSeconds } from './executors.ts';

const nanos = (text: string): number => Number.parseFloat(text) * (text.endsWith('us') ? 1e3 : 1e9);
const placing = { startMs: 2000, vus: 10, gracefulStopMs: 1000 };

/** k6's own arithmetic (`cal` of lib/executor/ramping_arrival_rate.go), seconds since the phase's start: an iteration begins at each whole number of the rate's integral. */
function instantsOf({ startTime, startRate, stages, timeUnit }: Executor): readonly number[] {
  const instants: number[] = [];
  const perNano = (rate: number): number => rate / nanos(timeUnit);
  let [from, done, end, start] = [perNano(startRate), 0, 0, nanos(startTime)];
  for (const stage of stages) {
    const [to, length] = [perNano(stage.target), nanos(stage.duration)];
    end += from === to ? length * to : length * ((to - from) / 2 + from);
    while (instants.length + 1 <= end) {
      const wanted = instants.length + 1 - done;
      const since =
        from === to ? wanted / to : (from * length - Math.sqrt(Math.max(0, length * (from * from * length + 2 * wanted * (to - from))))) / (from - to);
      instants.push((start + Math.trunc(since)) / 1e9 - placing.startMs / 1000);
    }
    [from, done, start] = [to, end, start + length];
  }
  return instants;
}

const offsetsOf = (phase: { readonly rate: RateCurve; readonly durationSeconds: number }): readonly number[] => {
  const { count, next } = createSchedule({ ...phase, spacing: 'uniform' }, 0, 0);
  return Array.from({ length: count }, () => next() / 1000);
};

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

test('every curve gives k6 exactly the planned arrivals, all of them within the phase: none is left in whose place a dropped one could hide', () => {
  fc.assert(
    fc.property(curves, fc.integer({ min: 30, max: 80 }), (rate, tenths) => {
      const phase = { name: 'load', rate, durationSeconds: tenths / 10 };
      const instants = instantsOf(executorOf(phase, placing));
      expect(instants).toHaveLength(arrivalCount(phase));
      expect(instants[0] ?? 0).toBeGreaterThanOrEqual(0);
      expect(instants.at(-1) ?? 0).toBeLessThanOrEqual(phase.durationSeconds + 2e-6);
    }),
    { numRuns: 60 },
  );
});

test('a rate that is no round number does not lose an arrival in an hour', () => {
  for (const ratePerSecond of [1 / 3, 100 / 7, 3000.0001]) {
    const phase = { name: 'load', rate: { kind: 'constant' as const, ratePerSecond }, durationSeconds: 3600 };
    expect(instantsOf(executorOf(phase, placing)).length).toBe(arrivalCount(phase));
  }
});

test('a curve with a whole number of arrivals has them when the plan does', () => {
  const rates: readonly RateCurve[] = [
    { kind: 'constant', ratePerSecond: 100 },
    { kind: 'ramp', fromPerSecond: 0, toPerSecond: 500 },
    { kind: 'spike', basePerSecond: 10, peakPerSecond: 100, fromSeconds: 1, untilSeconds: 2 },
  ];
  for (const rate of rates) {
    const planned = offsetsOf({ rate, durationSeconds: 4 });
    const instants = instantsOf(executorOf({ name: 'load', rate, durationSeconds: 4 }, placing));
    expect(instants).toHaveLength(planned.length);
    for (const [i, instant] of instants.entries()) expect(Math.abs(instant - (planned[i] as number))).toBeLessThan(2e-6);
  }
});

test('its VUs are there before anything runs, and what is late may begin until a second after the phase', () => {
  const executor = executorOf({ name: 'load', rate: { kind: 'constant', ratePerSecond: 100 }, durationSeconds: 5 }, placing);
  expect(executor).toMatchObject({
    executor: 'ramping-arrival-rate',
    startTime: '0us',
    preAllocatedVUs: 10,
    maxVUs: 10,
    startRate: 0,
    gracefulStop: '2000000us',
    tags: { phase: 'load' },
  });
  expect(executor.stages.reduce((sum, stage) => sum + nanos(stage.duration), 0)).toBe(1000 + (placing.startMs / 1000 + 5 + tailSeconds) * 1e9);
});

test('a jump takes no time', () => {
  const executor = executorOf(
    { name: 'load', rate: { kind: 'spike', basePerSecond: 10, peakPerSecond: 100, fromSeconds: 1, untilSeconds: 2 }, durationSeconds: 3 },
    placing,
  );
  // Into the three pieces, and into and out of what lies before and behind them.
  expect(executor.stages.filter(({ duration }) => duration === '0us')).toHaveLength(6);
});
