import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { watchClock } from './clock-watch.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test('each step of the wall clock is said once, and what it is off by can be asked', () => {
  const clocks = { wallMs: 1e12, storeMs: 1e12 };
  const said: string[] = [];
  const watch = watchClock({
    clock: { wallMs: () => clocks.wallMs, monotonicMs: () => 0, storeMs: () => clocks.storeMs },
    onStep: (text) => said.push(text),
  });
  const seconds = (count: number): void => {
    for (let i = 0; i < count; i++) {
      clocks.wallMs += 1000;
      clocks.storeMs += 1000;
      vi.advanceTimersByTime(1000);
    }
  };
  seconds(5);
  clocks.wallMs += 259_200_000;
  seconds(3);
  expect(watch.offsetSeconds()).toBe(259_200);
  clocks.wallMs -= 259_200_000;
  seconds(3);
  expect([watch.offsetSeconds(), said.map((text) => text.slice(0, text.indexOf(';')))]).toEqual([
    0,
    ['the wall clock was put forward by 259200.0 s', 'the wall clock was put back by 259200.0 s'],
  ]);
});
