/** Reconnecting, population, lag, presence: the small laws. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { LagBook, type LagSample } from './lag-book.ts';
import { restingPopulation, shareOf, wantedAt } from './population.ts';
import { PresenceBook, type PresenceSample } from './presence-book.ts';
import { referenceLaw, retryDelayMs } from './reconnect.ts';

describe('reconnecting', () => {
  test('never beyond the cap, never below what the server asked for', () => {
    fc.assert(
      fc.property(fc.nat(100), fc.double({ min: 0, max: 0.999_999, noNaN: true }), fc.nat(60_000), (attempt, chance, minimumMs) => {
        const delayMs = retryDelayMs(referenceLaw, { attempt, chance, minimumMs });
        expect(delayMs).toBeGreaterThanOrEqual(minimumMs);
        expect(delayMs).toBeLessThanOrEqual(Math.max(minimumMs, Math.min(30_000, 500 * 2 ** attempt)));
      }),
    );
  });
  test('without jitter all wait for as long', () => {
    const delays = [0, 0.3, 0.9].map((chance) => retryDelayMs({ ...referenceLaw, jitter: 'none' }, { attempt: 2, chance, minimumMs: 0 }));
    expect(delays).toEqual([2000, 2000, 2000]);
  });
});

describe('population', () => {
  test('climbs and falls at its rate, and stays where it was sent', () => {
    const up = { startMs: 1000, from: 10, target: 100, perSecond: 20 };
    expect([0, 1000, 2000, 3500, 60_000].map((ms) => wantedAt(up, ms))).toEqual([10, 10, 30, 60, 100]);
    const down = { startMs: 0, from: 100, target: 30, perSecond: 10 };
    expect([1000, 60_000].map((ms) => wantedAt(down, ms))).toEqual([90, 30]);
    expect(wantedAt(restingPopulation, 5000)).toBe(0);
  });
  test('processes share any number without one missing or counted twice', () => {
    fc.assert(
      fc.property(fc.nat(5000), fc.integer({ min: 1, max: 16 }), (count, processes) => {
        const shares = Array.from({ length: processes }, (_, process) => shareOf(count, process, processes));
        expect(shares.reduce((sum, one) => sum + one, 0)).toBe(count);
        expect(Math.max(...shares) - Math.min(...shares)).toBeLessThanOrEqual(1);
      }),
    );
  });
});

describe('delivery lag', () => {
  const book = () => {
    const samples: LagSample[] = [];
    return { samples, lags: new LagBook((sample) => samples.push(sample)) };
  };
  test('from the acknowledgement to each frame, whichever is known first', () => {
    const { samples, lags } = book();
    lags.arrived(7, { frameAtMs: 120, reader: 0 });
    lags.acknowledged(7, 100);
    lags.arrived(7, { frameAtMs: 150, reader: 1 });
    expect(samples.map(({ lagMs, reader }) => [lagMs, reader])).toEqual([
      [20, 0],
      [50, 1],
    ]);
  });
  test('a frame that was quicker than its acknowledgement has no lag; one without an acknowledgement no sample', () => {
    const { samples, lags } = book();
    lags.arrived(7, { frameAtMs: 90, reader: 0 });
    lags.arrived(8, { frameAtMs: 90, reader: 0 });
    lags.acknowledged(7, 100);
    expect(samples.map(({ lagMs }) => lagMs)).toEqual([0]);
  });
});

describe('presence', () => {
  const book = () => {
    const samples: PresenceSample[] = [];
    return { samples, presence: new PresenceBook((sample) => samples.push(sample)) };
  };
  const closed = { atMs: 1000, reader: 2 };
  test('the two ends may be told in any order', () => {
    for (const order of [0, 1]) {
      const { samples, presence } = book();
      if (order === 0) presence.closed(5, closed);
      presence.told(5, false, 3000);
      if (order === 1) presence.closed(5, closed);
      expect(samples).toEqual([{ closedAtMs: 1000, afterMs: 2000, reader: 2 }]);
    }
  });
  test('offline while its stream was open: earlier than any timeout', () => {
    const { samples, presence } = book();
    presence.told(5, false, 400);
    presence.closed(5, closed);
    expect(samples).toEqual([{ closedAtMs: 1000, afterMs: 0, reader: 2 }]);
  });
  test('who came online again was not early', () => {
    const { samples, presence } = book();
    presence.told(5, false, 400);
    presence.told(5, true, 500);
    presence.closed(5, closed);
    expect(samples).toEqual([]);
  });
});
