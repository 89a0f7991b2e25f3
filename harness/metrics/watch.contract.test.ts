import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Watch } from './watch.ts';

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'] }));
afterEach(() => void vi.useRealTimers());

const watchOf = (sinceOriginMs: () => number): Watch =>
  new Watch({
    sinceOriginMs,
    processes: () => [{ name: 'own', role: 'generator', pid: process.pid }],
    metricsUrls: ['http://127.0.0.1:1/metrics'],
    targetPorts: [1],
    targetAddresses: 1,
    scrapeTimeoutMs: 100,
  });

test('each second is read once, though timers may be early', async () => {
  const startMs = Date.now();
  // A timer of whole milliseconds is early for it by 0.4.
  const watch = watchOf(() => Date.now() - startMs + 0.6);
  vi.advanceTimersByTime(5500);
  const { machine, processes } = await watch.stop();
  const seconds = [0, 1, 2, 3, 4];
  expect(machine.map(({ second }) => second)).toEqual(seconds);
  expect(processes.map((own) => own.seconds.map(({ second }) => second))).toEqual([seconds]);
});

test('a timer that is late reads the second that is over, not the one that has begun', async () => {
  const startMs = Date.now();
  let lateMs = 0;
  const watch = watchOf(() => Date.now() - startMs + lateMs);
  vi.advanceTimersByTime(900);
  lateMs = 600;
  vi.advanceTimersByTime(100);
  // It was armed at 1600 for the end of the second that has begun.
  vi.advanceTimersByTime(400);
  const { machine } = await watch.stop();
  expect(machine.map(({ second }) => second)).toEqual([0, 1]);
});
