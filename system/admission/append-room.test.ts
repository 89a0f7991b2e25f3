import { expect, test } from 'vitest';
import { createAppendRoom } from './append-room.ts';

/** A disk that takes so many events a second, asked for as much as there is room for; how many were on their way at once, at most, in the end. */
function underwayAtMost({
  eventsPerSecond,
  flushMs = 0,
  seconds = 20,
}: {
  readonly eventsPerSecond: number;
  readonly flushMs?: number;
  readonly seconds?: number;
}): number {
  let nowMs = 0;
  const room = createAppendRoom(() => nowMs);
  let waiting: (() => void)[] = [];
  let most = 0;
  const batch = 100;
  while (nowMs < seconds * 1000) {
    while (room.isFree()) waiting.push(room.began(batch));
    if (nowMs > seconds * 500) most = Math.max(most, waiting.length * batch);
    const group = waiting;
    waiting = [];
    // The next ones come while these are written.
    nowMs += (group.length * batch * 1000) / eventsPerSecond + flushMs;
    for (const end of group) end();
  }
  return most;
}

test('a disk has about as many events on their way as it takes in 100 ms and a quarter more', () => {
  for (const eventsPerSecond of [30_000, 75_000, 400_000]) {
    const seconds = underwayAtMost({ eventsPerSecond }) / eventsPerSecond;
    expect(seconds).toBeGreaterThan(0.1);
    expect(seconds).toBeLessThan(0.16);
  }
});

test('one that is slow, or that flushes slowly, still has a thousand', () => {
  expect(underwayAtMost({ eventsPerSecond: 1000 })).toBe(1000);
  expect(underwayAtMost({ eventsPerSecond: 1_000_000, flushMs: 400 })).toBe(1000);
});

test('one whose flush takes a fraction of that is given all that it can take', () => {
  expect(underwayAtMost({ eventsPerSecond: 100_000, flushMs: 30 }) / 100_000).toBeGreaterThan(0.06);
});

test('what comes slowly changes nothing, and room comes back as appends end', () => {
  let nowMs = 0;
  const room = createAppendRoom(() => nowMs);
  for (let i = 0; i < 100; i++) {
    const end = room.began(1);
    nowMs += 100;
    end();
  }
  expect(room.isFree()).toBe(true);
  const end = room.began(4000);
  expect(room.isFree()).toBe(false);
  end();
  expect(room.isFree()).toBe(true);
});
