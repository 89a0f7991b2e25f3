import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createWheel } from './wheel.ts';

test('whoever is due comes out once, never early, and at most a tick late', () => {
  const events = fc.array(fc.record({ wait: fc.integer({ min: 0, max: 3000 }), step: fc.integer({ min: 0, max: 400 }) }), { maxLength: 80 });
  fc.assert(
    fc.property(events, (all) => {
      const wheel = createWheel<{ bucket: number; dueMs: number }>({ tickMs: 50, buckets: 64, startMs: 1000 });
      let nowMs = 1000;
      const waiting = new Set<{ bucket: number; dueMs: number }>();
      const turnMs = 63 * 50;
      for (const { wait, step } of [...all, ...Array.from({ length: 40 }, () => ({ wait: 0, step: 100 }))]) {
        const item = { bucket: -1, dueMs: nowMs + wait };
        wheel.place(item, item.dueMs);
        waiting.add(item);
        nowMs += step;
        for (const due of wheel.advance(nowMs)) {
          expect(waiting.delete(due)).toBe(true);
          expect(due.dueMs).toBeLessThanOrEqual(nowMs);
        }
        for (const { dueMs } of waiting) expect(dueMs + 2 * 50 > nowMs || dueMs > nowMs - turnMs).toBe(true);
        expect(wheel.size()).toBe(waiting.size);
      }
      nowMs += 2 * turnMs;
      expect(wheel.advance(nowMs)).toHaveLength(waiting.size);
    }),
  );
});

test('what is moved is due at its new time only, and what is removed never', () => {
  const wheel = createWheel<{ bucket: number }>({ tickMs: 10, buckets: 16, startMs: 0 });
  const [moved, removed] = [{ bucket: -1 }, { bucket: -1 }];
  wheel.place(moved, 20);
  wheel.place(removed, 20);
  wheel.place(moved, 60);
  wheel.remove(removed);
  expect(wheel.advance(50)).toEqual([]);
  expect(wheel.advance(60)).toEqual([moved]);
  expect(wheel.size()).toBe(0);
});
