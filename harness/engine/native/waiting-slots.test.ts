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

test('so many may be opened at once, then so many a second, and what came to nothing does not count', () => {
  const pace = new OpeningPace({ perSecond: 10, atOnce: 3 });
  const takenAt = (ms: number): number => {
    let taken = 0;
    while (pace.take(ms)) taken++;
    return taken;
  };
  expect([takenAt(5000), takenAt(5050), takenAt(5200), takenAt(9000)]).toEqual([3, 0, 2, 3]);
  pace.giveBack();
  expect(takenAt(9000)).toBe(1);
});
