import { expect, test } from 'vitest';
import { growthOf, median } from '#harness/metrics/growth.ts';
import { atLeast, atMost } from './bench.ts';
import { describe } from './command.ts';

test('a median is the middle, or the mean of the two middles; of nothing it is not a number', () => {
  expect(median([3, 1, 2])).toBe(2);
  expect(median([4, 1, 2, 3])).toBe(2.5);
  expect(median([])).toBeNaN();
});

test('a bar holds on its limit and not beyond, and never on what was not measured', () => {
  expect(atMost('x', 2.2, 2.2).holds).toBe(true);
  expect(atMost('x', 2.21, 2.2).holds).toBe(false);
  expect(atLeast('x', 0.49, 0.5).holds).toBe(false);
  expect(atMost('x', Number.NaN, 1).holds).toBe(false);
  expect(atLeast('x', Number.NaN, 1).holds).toBe(false);
});

test('figures of tools stand in one table, a tool a row; a missed bar is loud', () => {
  const figures = { us_p50_ms: 1.5, them_p50_ms: null, steal_share: 0.01 };
  const text = describe({ name: 'x', figures, bars: [atMost('p50', 1.5, 1)], tools: ['us', 'them'] });
  expect(text).toMatch(/│ +│ p50 ms │/);
  expect(text).toMatch(/│ us +│ 1.5 +│/);
  expect(text).toMatch(/│ them +│ – +│/);
  expect(text).toMatch(/steal_share +│ 0.01/);
  expect(text).toContain('MISSED');
});

test('growth leaves out the first fifth, in which the heap finds its size', () => {
  const resident = [...Array(20).fill(9), ...Array(20).fill(100), ...Array(40).fill(110), ...Array(20).fill(130)];
  expect(growthOf(resident)).toEqual({ early: 100, late: 130, secondsBetween: 60 });
});
