import { expect, test, vi } from 'vitest';
import { createMemoryStore } from '#system/store/memory/memory-store.ts';
import { createClocks } from './clocks.ts';

const device = { account: 'a', device: 'd' };
const toleranceMs = 600_000;
const nowMs = 1_790_000_000_000;
const clock = { wallMs: () => nowMs, monotonicMs: () => 0 };
const never = (error: unknown): never => {
  throw error;
};

test('a change is noticed once, also by two workers, and back again; within the tolerance it is none', async () => {
  const store = createMemoryStore();
  const noteClock = vi.fn(store.noteClock);
  const workers = [0, 1].map(() => createClocks({ store: { ...store, noteClock }, clock, toleranceMs, onTrouble: never }));
  const tell = (offsetMs: number) => Promise.all(workers.map(({ compare }) => compare(device, nowMs - offsetMs)));
  const noticed = async () => (await Promise.all(noteClock.mock.results.map(({ value }) => value))).filter((changed) => changed === true).length;
  await tell(toleranceMs);
  expect(await store.readClock(device)).toBeUndefined();
  expect(noteClock).not.toHaveBeenCalled();
  for (let i = 0; i < 5; i++) await tell(toleranceMs + 1);
  expect(await store.readClock(device)).toEqual({ offsetMs: toleranceMs + 1, sinceMs: nowMs });
  expect(await noticed()).toBe(1);
  await tell(-500);
  await tell(-500);
  expect(await store.readClock(device)).toMatchObject({ offsetMs: -500 });
  expect(await noticed()).toBe(2);
});

test('a store in trouble is told and ends nothing', async () => {
  const troubles: unknown[] = [];
  const store = { ...createMemoryStore(), noteClock: () => Promise.reject(new Error('full')) };
  await createClocks({ store, clock, toleranceMs, onTrouble: (error) => troubles.push(error) }).compare(device, 0);
  expect(troubles).toHaveLength(1);
});
