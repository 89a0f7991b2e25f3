import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { withProgress } from './progress.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test('what takes long is heard of every 15 s, and no more once it is over', async () => {
  const said: string[] = [];
  const { promise, resolve } = Promise.withResolvers<number>();
  const work = withProgress(promise, { name: 'lamp', minutes: 1.5, say: (line) => said.push(line) });
  vi.advanceTimersByTime(14_000);
  expect(said).toEqual([]);
  vi.advanceTimersByTime(17_000);
  expect(said).toEqual(['lamp: still at it after 15 s, of about 90', 'lamp: still at it after 30 s, of about 90']);
  resolve(7);
  expect(await work).toBe(7);
  vi.advanceTimersByTime(60_000);
  expect(said).toHaveLength(2);
});
