import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Deadlines, Slot } from './slots.ts';
import { Stops } from './stops.ts';

const base = { run: 'r', eventsPerBatch: 1, items: { cursors: [] } as never };
const looks = fc.array(fc.record({ afterMs: fc.integer({ min: 1, max: 120 }), begins: fc.integer({ min: 0, max: 3 }), ends: fc.nat() }), {
  minLength: 1,
  maxLength: 60,
});

test('a stop reached those that were out in it, and no others: as if each had been told', () => {
  fc.assert(
    fc.property(looks, (turns) => {
      const stops = new Stops({ spoiledAboveMs: 50, sleepMaxMs: 1, nowMs: 0 });
      let nowMs = 0;
      let out: { readonly dueMs: number; told: boolean }[] = [];
      for (const { afterMs, begins, ends } of turns) {
        const fromMs = nowMs;
        nowMs += afterMs;
        const hasStopped = stops.observe(nowMs);
        expect(hasStopped).toBe(afterMs > 50);
        if (hasStopped) for (const one of out) one.told = true;
        // Due in the middle of the time that was slept, or stood still.
        for (let i = 0; i < begins; i++) out.push({ dueMs: fromMs + afterMs / 2, told: hasStopped });
        for (const one of out) expect(stops.reached(one.dueMs)).toBe(one.told);
        out = out.filter((_one, index) => index % 4 !== ends % 4);
      }
    }),
  );
});

test('the list of deadlines knows how many are out', () => {
  const deadlines = new Deadlines();
  const slots = [1, 2, 3].map(() => new Slot(base));
  for (const slot of slots) deadlines.set(slot, 10);
  deadlines.set(slots[0]!, 20);
  expect([deadlines.size, deadlines.first]).toEqual([3, slots[1]]);
  deadlines.clear(slots[1]!);
  expect([deadlines.size, deadlines.has(slots[1]!), deadlines.has(slots[0]!)]).toEqual([2, false, true]);
  for (const slot of [slots[0]!, slots[2]!]) deadlines.clear(slot);
  expect([deadlines.size, deadlines.first]).toEqual([0, undefined]);
});
