import { expect, test } from 'vitest';
import { noItems } from '#harness/target/operation.ts';
import { OpeningPace } from './opening-pace.ts';
import { Slot } from './slots.ts';
import { WaitingSlots } from './waiting-slots.ts';

function slotOf(phase: number, arrival: number): Slot {
  const slot = new Slot({ run: 'r', eventsPerBatch: 1, items: noItems });
  slot.phase = phase;
  slot.context.arrival = arrival;
  return slot;
}

test('the latest phase goes first, and within a phase who came first', () => {
  const waiting = new WaitingSlots(() => undefined);
  for (const [phase, arrival] of [
    [0, 1],
    [0, 2],
    [2, 3],
    [1, 4],
    [2, 5],
  ] as const)
    waiting.push(slotOf(phase, arrival));
  const order = Array.from({ length: 6 }, () => waiting.shift()?.context.arrival);
  expect(order).toEqual([3, 5, 4, 1, 2, undefined]);
});

test('what is given up is handed back at once where nobody waits before it, and not counted', () => {
  const back: number[] = [];
  const waiting = new WaitingSlots(({ context }) => back.push(context.arrival));
  const [first, second, third] = [slotOf(0, 1), slotOf(0, 2), slotOf(0, 3)] as const;
  for (const slot of [first, second, third]) waiting.push(slot);
  waiting.abandon(second);
  expect([waiting.length, back]).toEqual([2, []]);
  waiting.abandon(first);
  expect([waiting.length, back]).toEqual([1, [1, 2]]);
  expect([waiting.shift(), waiting.shift(), waiting.length]).toEqual([third, undefined, 0]);
});

const takenAt = (pace: OpeningPace, ms: number): number => {
  let taken = 0;
  while (pace.take(ms)) taken++;
  return taken;
};

test('so many may be opened over a quarter of a second, then so many a second, and what came to nothing does not count', () => {
  const pace = new OpeningPace({ perSecond: 1, atOnce: 3 });
  const opened = [5000, 5084, 5168, 5252, 5336, 9000].map((ms) => takenAt(pace, ms));
  expect(opened).toEqual([1, 1, 1, 0, 0, 1]);
  pace.giveBack();
  expect(takenAt(pace, 9000)).toBe(1);
});

test('a turn opens a twenty-fifth of what may be opened at once, and all of it is open after a quarter of a second', () => {
  const pace = new OpeningPace({ perSecond: 100, atOnce: 1500 });
  const turns = Array.from({ length: 300 }, (_, turn) => takenAt(pace, 1000 + turn));
  expect(Math.max(...turns)).toBe(60);
  expect(turns.slice(0, 250).reduce((sum, taken) => sum + taken, 0)).toBeGreaterThanOrEqual(1500);
  expect(turns.reduce((sum, taken) => sum + taken, 0)).toBeLessThanOrEqual(1530);
});
