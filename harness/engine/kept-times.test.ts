import fc from 'fast-check';
import { expect, test } from 'vitest';
import { KeptTimes, keptTimesMemory } from './kept-times.ts';

test('what one thread keeps another reads, each arrival its own, to a tenth of a millisecond', () => {
  const time = fc.record({ arrival: fc.nat(8), sentMs: fc.nat(400_000_000), tookMs: fc.nat(60_000), status: fc.integer({ min: 100, max: 599 }) });
  fc.assert(
    fc.property(fc.uniqueArray(time, { selector: ({ arrival }) => arrival }), (all) => {
      const memory = keptTimesMemory(9);
      const writing = new KeptTimes(memory);
      const kept = all.map(({ arrival, sentMs, tookMs, status }) => ({ arrival, sentMs: sentMs + 0.3, acknowledgedMs: sentMs + tookMs, status }));
      for (const { arrival, ...one } of kept) writing.keep(arrival, one);
      const reading = new KeptTimes(memory);
      for (let arrival = 0; arrival < 9; arrival++) {
        const one = kept.find((each) => each.arrival === arrival);
        const read = reading.of(arrival);
        expect([read?.status, read?.acknowledgedMs]).toEqual([one?.status, one?.acknowledgedMs]);
        if (one !== undefined) expect(read?.sentMs).toBeCloseTo(one.sentMs, 0);
      }
    }),
  );
});

test('of a plan that is too large nothing is kept, and nothing is broken', () => {
  const times = new KeptTimes(keptTimesMemory(5_000_001));
  times.keep(3, { sentMs: 1, acknowledgedMs: 2, status: 202 });
  expect(times.of(3)).toBeUndefined();
});
