import { expect, test } from 'vitest';
import { atLeast, atMost, median } from './bench.ts';

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
