import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Watch } from './watch.ts';

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'] }));
afterEach(() => void vi.useRealTimers());

test('each second is read once, though timers may be early', async () => {
  const startMs = Date.now();
  const watch = new Watch({
    // A timer of whole milliseconds is early for it by 0.4.
    sinceOriginMs: () => Date.now() - startMs + 0.6,
    processes: () => [{ name: 'own', role: 'generator', pid: process.pid }],
    metricsUrls: ['http://127.0.0.1:1/metrics'],
    targetPorts: [1],
    targetAddresses: 1,
    scrapeTimeoutMs: 100,
  });
  vi.advanceTimersByTime(5500);
  const { machine, processes } = await watch.stop();
  const seconds = [0, 1, 2, 3, 4];
  expect(machine.map(({ second }) => second)).toEqual(seconds);
  expect(processes.map((own) => own.seconds.map(({ second }) => second))).toEqual([seconds]);
});
