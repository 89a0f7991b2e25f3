import { expect, test } from 'vitest';
import { isSettled, type WarmSecond } from './settle.ts';

const second = (change: Partial<WarmSecond> = {}): WarmSecond => ({ p50Ms: 2, p99Ms: 8, cpuMicrosPerRequest: 80, planned: 5000, ...change });

test('three like seconds are warm, two are not', () => {
  expect(isSettled([second({ p99Ms: 300 }), second(), second(), second()])).toBe(true);
  expect(isSettled([second(), second()])).toBe(false);
});

test.each([
  ['p50 still falling', { p50Ms: 4 }],
  ['p99 still wild', { p99Ms: 40 }],
  ['CPU still high', { cpuMicrosPerRequest: 120 }],
  ['rate still rising', { planned: 3000 }],
  ['no sample', { p50Ms: undefined }],
  ['p50 among the failed', { p50Ms: Number.POSITIVE_INFINITY }],
])('%s: not yet', (_, change) => {
  expect(isSettled([second(change), second(), second()])).toBe(false);
});

test('CPU that cannot be measured does not hinder', () => {
  expect(isSettled([second({ cpuMicrosPerRequest: undefined }), second(), second()])).toBe(true);
});
