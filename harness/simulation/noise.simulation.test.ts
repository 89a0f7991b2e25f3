import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { noNoise, whenAwake, workingClock } from './noise.ts';
import { type KindName, kinds, tally } from './noise-proof.ts';
import { triesOf } from './noisy-run.ts';
import { groupCommit, inOrder, processorSharing } from './services.ts';

/** Without economies of scale: each request costs what it costs, whenever it comes. */
const exact: ReadonlySet<string> = new Set<KindName>(['first come, first served', 'several servers', 'processor sharing']);

test.each(Object.keys(kinds) as KindName[])('%s: what passes in noise would have passed without it', { timeout: 600_000 }, (name) => {
  const { falsePasses, below } = tally(name, 60, { margin: true });
  expect(falsePasses).toBe(0);
  if (exact.has(name)) expect(below).toBe(0);
});

describe('a processor that is shared and nearly full, and stops of the generator alone', { timeout: 600_000 }, () => {
  const nearlyFull = { loadLeast: 0.93, seedStep: 3 } as const;

  test('without the margin some bounds lie below what was without noise: in a stop those that are there have it to themselves', () => {
    expect(tally('processor sharing', 120, { margin: false, ...nearlyFull }).below).toBeGreaterThan(0);
  });

  test('with it none does', () => {
    expect(tally('processor sharing', 120, { margin: true, ...nearlyFull })).toMatchObject({ below: 0, belowShareMax: 0 });
  });
});

describe('the models, by hand', () => {
  const visits = (atMs: readonly number[], workMs: readonly number[]) => ({
    atMs: Float64Array.from(atMs),
    workMs: Float64Array.from(workMs),
    keys: new Int32Array(atMs.length),
  });

  test('first come, first served', () => {
    expect([...inOrder(1)(visits([0, 1, 50], [10, 10, 10]))]).toEqual([10, 20, 60]);
    expect([...inOrder(2)(visits([0, 1, 2], [10, 10, 10]))]).toEqual([10, 11, 20]);
  });

  test('processor sharing: two that share take twice as long, and who is alone again does not', () => {
    expect([...processorSharing(visits([0, 0], [10, 5]))]).toEqual([15, 10]);
    expect([...processorSharing(visits([0, 4, 100], [10, 3, 1]))]).toEqual([13, 10, 101]);
  });

  test('group commit: who waits goes with the next, for one commit', () => {
    expect([...groupCommit(10)(visits([0, 1, 2], [1, 1, 1]))]).toEqual([11, 23, 23]);
  });

  test('one that sheds takes the first, and the other when it comes back', () => {
    const plan = { dueMs: Float64Array.from([0, 1]), workMs: Float64Array.from([5, 5]), keys: new Int32Array(2) };
    const tries = triesOf(plan, { kind: 'sheds', thereMax: 1, retryAfterMs: 100, triesMax: 2 }, { noise: noNoise, stamped: true });
    expect(tries.map(({ arrival, tries: tried, overMs, isShed }) => [arrival, tried, overMs, isShed])).toEqual([
      [0, 1, 5, false],
      [1, 1, 1, true],
      [1, 2, 106, false],
    ]);
  });
});

test('a clock that stands still in some spans: there and back is the same instant, or the end of the span', () => {
  const gaps = fc.array(fc.tuple(fc.integer({ min: 1, max: 50 }), fc.integer({ min: 1, max: 50 })), { maxLength: 6 });
  fc.assert(
    fc.property(gaps, fc.integer({ min: 0, max: 600 }), (list, atMs) => {
      let end = 0;
      const spans = list.map(([gap, length]) => {
        const fromMs = end + gap;
        end = fromMs + length;
        return { fromMs, untilMs: end };
      });
      const { worked, real } = workingClock(spans);
      expect(real(worked(atMs))).toBe(whenAwake(spans, atMs));
    }),
  );
});
