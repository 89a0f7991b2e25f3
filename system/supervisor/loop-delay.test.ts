import { expect, test } from 'vitest';
import { delaySecondsOf } from './loop-delay.ts';

test.each([
  ['a loop that was on time', 10e6, 0],
  ['one that was held for 40 ms', 50e6, 0.04],
  ['a timer that came early', 9.9e6, 0],
  ['nothing seen yet', 0, 0],
])('%s', (_, longestNs, seconds) => {
  expect(delaySecondsOf(longestNs, 10)).toBeCloseTo(seconds, 9);
});
