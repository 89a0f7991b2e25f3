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
  const room = createAppendRoom({ monotonicMs: () => nowMs, idleMs: () => 0 });
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
  const room = createAppendRoom({ monotonicMs: () => nowMs, idleMs: () => 0 });
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

type Machine = { readonly beginMs: number; readonly flushMs: number; readonly isBounded?: boolean; readonly tellsIdle?: boolean };

/**
 * Events a second of a loop that takes so long to begin one, beside a disk that writes whatever has come by then in one group.
 * All that is asked for is there from the start.
 */
function ratePerSecond({ beginMs, flushMs, isBounded = true, tellsIdle = true }: Machine): number {
  let [nowMs, idleMs, done] = [0, 0, 0];
  const room = createAppendRoom({ monotonicMs: () => nowMs, idleMs: () => (tellsIdle ? idleMs : 0) });
  let waiting: (() => void)[] = [];
  let writing: (() => void)[] = [];
  let writtenMs = 0;
  const [warmMs, untilMs] = [20_000, 40_000];
  while (nowMs < untilMs) {
    if (writing.length > 0 && nowMs >= writtenMs) {
      for (const end of writing) end();
      if (nowMs >= warmMs) done += writing.length;
      writing = [];
    }
    if (writing.length === 0 && waiting.length > 0) {
      [writing, waiting] = [waiting, []];
      writtenMs = nowMs + flushMs;
    }
    const isFree = !isBounded || room.isFree();
    if (isFree) waiting.push(room.began(1));
    else idleMs += beginMs;
    nowMs += beginMs;
  }
  return (done * 1000) / (untilMs - warmMs);
}

test('a loop is not kept waiting by a room that is full: the next group comes together while one is written', () => {
  for (const flushMs of [20, 60, 90, 120]) {
    const machine = { beginMs: 0.1, flushMs };
    expect(ratePerSecond(machine) / ratePerSecond({ ...machine, isBounded: false })).toBeGreaterThan(0.9);
  }
  const slow = { beginMs: 0.1, flushMs: 120 };
  expect(ratePerSecond({ ...slow, tellsIdle: false }) / ratePerSecond(slow)).toBeLessThan(0.9);
});
