import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { RateCurve } from '#harness/scenario.ts';
import { chainOfArrival, createArrivals, firstArrivals } from './arrivals.ts';
import type { ArrivalPhase } from './plan.ts';
import { planHash } from './plan-hash.ts';
import { arrivalCount, ratePieces } from './rate.ts';
import { createSchedule } from './schedule.ts';

const rate = fc.integer({ min: 0, max: 2000 });
const curve: fc.Arbitrary<RateCurve> = fc.oneof(
  fc.record({ kind: fc.constant('constant' as const), ratePerSecond: rate }),
  fc.record({ kind: fc.constant('ramp' as const), fromPerSecond: rate, toPerSecond: rate }),
  fc.record({
    kind: fc.constant('step' as const),
    steps: fc.array(fc.record({ atSeconds: fc.integer({ min: 0, max: 8 }), ratePerSecond: rate }), { minLength: 1, maxLength: 5 }),
  }),
  fc.record({
    kind: fc.constant('spike' as const),
    basePerSecond: rate,
    peakPerSecond: rate,
    fromSeconds: fc.integer({ min: 0, max: 8 }),
    untilSeconds: fc.integer({ min: 0, max: 8 }),
  }),
);
const spacing = fc.constantFrom('poisson' as const, 'uniform' as const);
const phase: fc.Arbitrary<ArrivalPhase> = fc.record({
  name: fc.constant('load'),
  measured: fc.constant(true),
  durationSeconds: fc.integer({ min: 1, max: 5 }),
  rate: curve,
  spacing,
  traffic: fc.constant([{ chain: 'ingest', weight: 1 }]),
});
const seed = fc.integer({ min: 0, max: 0xffff_ffff });
const of = (curveOf: RateCurve, durationSeconds: number, kind: 'poisson' | 'uniform' = 'poisson'): ArrivalPhase => ({
  name: 'load',
  measured: true,
  durationSeconds,
  rate: curveOf,
  spacing: kind,
  traffic: [{ chain: 'ingest', weight: 1 }],
});

function instants(plan: ArrivalPhase, planSeed: number): number[] {
  const schedule = createSchedule(plan, planSeed, 0);
  return Array.from({ length: schedule.count }, () => schedule.next());
}

/** Standardised chi-square: about normal(0, 1) for many cells. */
function chiSquareScore(observed: readonly number[], expected: readonly number[]): number {
  const sum = observed.reduce((total, count, i) => total + (count - expected[i]!) ** 2 / expected[i]!, 0);
  const freedom = observed.length - 1;
  return (sum - freedom) / Math.sqrt(2 * freedom);
}

/** The reference: the trapezoid rule on a grid too fine to matter. */
function integral(plan: ArrivalPhase): number {
  return ratePieces(plan.rate, plan.durationSeconds).reduce((sum, p) => sum + ((p.fromPerSecond + p.toPerSecond) / 2) * (p.untilSeconds - p.fromSeconds), 0);
}

describe('a schedule', () => {
  it('has the exact count, never goes back and stays within its phase', () => {
    fc.assert(
      fc.property(phase, seed, (plan, planSeed) => {
        const schedule = createSchedule(plan, planSeed, 0);
        expect(schedule.count).toBe(arrivalCount(plan));
        expect(Math.abs(schedule.count - integral(plan))).toBeLessThanOrEqual(0.5 + 1e-6);
        let before = 0;
        for (let i = 0; i < schedule.count; i++) {
          const atMs = schedule.next();
          expect(atMs >= before && atMs <= plan.durationSeconds * 1000 + 1e-6).toBe(true);
          before = atMs;
        }
        expect(schedule.next()).toBe(Number.POSITIVE_INFINITY);
      }),
      { numRuns: 60 },
    );
  });

  it.each([
    [{ kind: 'constant', ratePerSecond: 10_000 }, 30, 300_000],
    [{ kind: 'ramp', fromPerSecond: 0, toPerSecond: 1000 }, 10, 5000],
    [
      {
        kind: 'step',
        steps: [
          { atSeconds: 0, ratePerSecond: 100 },
          { atSeconds: 5, ratePerSecond: 200 },
        ],
      },
      10,
      1500,
    ],
    [{ kind: 'step', steps: [{ atSeconds: 5, ratePerSecond: 200 }] }, 10, 1000],
    [{ kind: 'spike', basePerSecond: 100, peakPerSecond: 1000, fromSeconds: 2, untilSeconds: 4 }, 10, 2800],
    [{ kind: 'spike', basePerSecond: 100, peakPerSecond: 1000, fromSeconds: 8, untilSeconds: 40 }, 10, 2800],
    [{ kind: 'constant', ratePerSecond: 0 }, 10, 0],
  ] as const)('%j over %d s has %d arrivals', (plan, durationSeconds, count) => {
    expect(arrivalCount({ rate: plan as RateCurve, durationSeconds })).toBe(count);
  });

  it('is the same for the same seed and another for another, or another phase', () => {
    const plan = of({ kind: 'constant', ratePerSecond: 100 }, 10);
    expect(instants(plan, 7)).toEqual(instants(plan, 7));
    expect(instants(plan, 7)).not.toEqual(instants(plan, 8));
    const other = createSchedule(plan, 7, 1);
    expect(instants(plan, 7)[0]).not.toBe(other.next());
  });

  it('spaces a Poisson plan exponentially (Kolmogorov-Smirnov)', () => {
    const at = instants(of({ kind: 'constant', ratePerSecond: 1000 }, 50), 3);
    const gaps = at
      .slice(1)
      .map((ms, i) => ms - at[i]!)
      .sort((a, b) => a - b);
    const distance = gaps.reduce((worst, gap, i) => {
      const exponential = 1 - Math.exp(-gap);
      return Math.max(worst, Math.abs((i + 1) / gaps.length - exponential), Math.abs(exponential - i / gaps.length));
    }, 0);
    // 1.63 / √n is the 1 % point; an even plan is at 0.6.
    expect(distance).toBeLessThan(1.63 / Math.sqrt(gaps.length));
  });

  it('puts a Poisson plan into bins as a Poisson process would (chi-square of counts)', () => {
    const at = instants(of({ kind: 'constant', ratePerSecond: 1000 }, 50), 4);
    const bins = new Array<number>(5000).fill(0);
    for (const ms of at) bins[Math.floor(ms / 10)]! += 1;
    expect(
      Math.abs(
        chiSquareScore(
          bins,
          bins.map(() => 10),
        ),
      ),
    ).toBeLessThan(3);
  });

  it('follows its curve (chi-square against the curve)', () => {
    const at = instants(of({ kind: 'ramp', fromPerSecond: 100, toPerSecond: 4000 }, 20), 5);
    const observed = new Array<number>(200).fill(0);
    for (const ms of at) observed[Math.min(199, Math.floor(ms / 100))]! += 1;
    const cumulative = (t: number): number => 100 * t + (3900 / 40) * t * t;
    const expected = observed.map((_, i) => cumulative((i + 1) / 10) - cumulative(i / 10));
    expect(Math.abs(chiSquareScore(observed, expected))).toBeLessThan(3);
  });

  it('spaces a uniform plan evenly', () => {
    const at = instants(of({ kind: 'constant', ratePerSecond: 100 }, 10, 'uniform'), 1);
    for (const [i, ms] of at.entries()) expect(ms).toBeCloseTo(i * 10 + 5, 6);
  });
});

describe('workers', () => {
  it('share no arrival, miss none, and agree on every instant', () => {
    const many = fc.record({
      phases: fc.array(phase, { minLength: 1, maxLength: 3 }),
      seed,
      devices: fc.integer({ min: 1, max: 50 }),
      workers: fc.integer({ min: 1, max: 5 }),
    });
    fc.assert(
      fc.property(many, ({ phases, seed: planSeed, devices, workers }) => {
        const phaseIndex = phases.length - 1;
        const seen = new Map<number, number>();
        for (let worker = 0; worker < workers; worker++) {
          const cursor = createArrivals({ phases, phase: phaseIndex, seed: planSeed, devices, worker, workers });
          for (; cursor.intendedMs !== Number.POSITIVE_INFINITY; cursor.advance()) {
            expect(seen.has(cursor.arrival)).toBe(false);
            seen.set(cursor.arrival, cursor.intendedMs);
          }
        }
        const first = firstArrivals(phases);
        const schedule = createSchedule(phases[phaseIndex]!, planSeed, phaseIndex);
        expect(seen.size).toBe(schedule.count);
        for (let arrival = first[phaseIndex]!; arrival < first[phaseIndex + 1]!; arrival++) expect(seen.get(arrival)).toBe(schedule.next());
      }),
      { numRuns: 25 },
    );
  });
});

describe('chains', () => {
  it('are chosen by weight, from seed and arrival alone', () => {
    const traffic = [
      { chain: 'a', weight: 1 },
      { chain: 'b', weight: 3 },
      { chain: 'c', weight: 6 },
    ];
    const counts = [0, 0, 0];
    for (let arrival = 0; arrival < 10_000; arrival++) counts[chainOfArrival(traffic, 11, arrival)]! += 1;
    expect(Math.abs(chiSquareScore(counts, [1000, 3000, 6000]))).toBeLessThan(3);
    expect(chainOfArrival(traffic, 11, 77)).toBe(chainOfArrival(traffic, 11, 77));
  });
});

describe("a plan's hash", () => {
  const plan = { seed: 1, devices: 10, phases: [of({ kind: 'constant', ratePerSecond: 100 }, 2)], chains: { ingest: ['ingest'] } };
  it('does not depend on the order in which properties were written', () => {
    const [first] = plan.phases;
    const turned = Object.fromEntries(Object.entries(first!).reverse()) as unknown as ArrivalPhase;
    expect(planHash({ ...plan, phases: [turned] })).toBe(planHash(plan));
    expect(planHash(plan)).toMatch(/^[0-9a-f]{16}$/);
  });
  it('changes with everything that changes the plan', () => {
    const hashes = [
      plan,
      { ...plan, seed: 2 },
      { ...plan, devices: 11 },
      { ...plan, phases: [of({ kind: 'constant', ratePerSecond: 101 }, 2)] },
      { ...plan, chains: { ingest: ['other'] } },
    ].map(planHash);
    expect(new Set(hashes).size).toBe(hashes.length);
  });
});
