import fc from 'fast-check';
import { expect, test } from 'vitest';
import { nextRung, type Rung, rateMin, rungsMax } from './search.ts';

/** Climbs until the search is over; what holds is what `holds` says, try by try. */
function climbed(peakPerSecond: number, holds: (ratePerSecond: number, index: number) => boolean) {
  const rungs: Rung[] = [];
  for (;;) {
    const next = nextRung(rungs, peakPerSecond);
    if (next.kind !== 'try') return { next, rungs };
    rungs.push({ ratePerSecond: next.ratePerSecond, held: holds(next.ratePerSecond, rungs.length), why: '' });
  }
}

test('whatever the machine holds is found to a fifth, in a bounded number of rungs, and never more than the plan', () => {
  fc.assert(
    fc.property(fc.double({ min: 3, max: 1e6, noNaN: true }), fc.double({ min: 0.001, max: 2, noNaN: true }), (peak, share) => {
      const capacity = Math.max(rateMin, peak * share);
      const { next, rungs } = climbed(peak, (rate) => rate <= capacity);
      expect(rungs.length).toBeLessThanOrEqual(rungsMax);
      const { heldPerSecond } = next as Extract<typeof next, { kind: 'found' }>;
      expect(heldPerSecond).toBeLessThanOrEqual(Math.min(capacity, peak));
      expect(heldPerSecond).toBeGreaterThanOrEqual(Math.min(capacity, peak) / 1.2001);
    }),
  );
});

test('a rate that fails once, as a cold one or beside another program, costs a try and no more', () => {
  const { next } = climbed(1000, (_, index) => index % 2 === 1);
  expect(next).toEqual({ kind: 'found', heldPerSecond: 1000 });
});

test('where nothing holds it ends, and says so', () => {
  const { next, rungs } = climbed(1e6, () => false);
  expect(next).toEqual({ kind: 'none' });
  expect(rungs.length).toBeLessThanOrEqual(rungsMax);
});

test('answers that contradict one another do not keep it going for ever', () => {
  fc.assert(
    fc.property(fc.infiniteStream(fc.boolean()), (answers) => {
      const { rungs } = climbed(10_000, () => answers.next().value as boolean);
      expect(rungs.length).toBeLessThanOrEqual(rungsMax + 1);
    }),
  );
});
