import { afterEach, expect, test, vi } from 'vitest';
import { type DeletedDevice, type DeviceRef, deletedKeptMs } from '#system/store/store.ts';
import { createDeletedDevices, type DeletedDevices } from './deleted.ts';

const startMs = 1e12;
const bornMs = (nth: number): DeletedDevice => ({ account: 'a', device: `d${nth}`, atMs: startMs + nth });
let nowMs = startMs;
let rows: DeletedDevice[] = [];
let asked: number[] = [];
let told: DeviceRef[] = [];
let troubles = 0;
let isBroken = false;
let deleted: DeletedDevices | undefined;

function start(): DeletedDevices {
  [nowMs, rows, asked, told, troubles, isBroken] = [startMs, [], [], [], 0, false];
  deleted = createDeletedDevices({
    store: {
      readDeleted: async ({ fromMs, limit }) => {
        asked.push(fromMs);
        const found = rows.filter(({ atMs }) => atMs >= fromMs).slice(0, limit);
        await Promise.resolve();
        if (isBroken) throw new Error('broken');
        return found;
      },
    },
    clock: { wallMs: () => nowMs, monotonicMs: () => nowMs },
    refreshMs: 1000,
    onDeleted: (refs) => void told.push(...refs),
    onTrouble: () => void troubles++,
  });
  return deleted;
}
afterEach(() => {
  deleted?.close();
  vi.useRealTimers();
});

test('what is deleted is known after a refresh, more than a page of it too, and told', async () => {
  const known = start();
  rows = Array.from({ length: 2500 }, (_, i) => bornMs(i));
  expect(known.has(bornMs(0))).toBe(false);
  await known.refresh();
  expect(rows.filter((row) => !known.has(row))).toEqual([]);
  expect(new Set(told.map(({ device }) => device)).size).toBe(2500);
  expect([known.has({ account: 'b', device: 'd0' }), known.has({ account: 'a', device: 'd2500' })]).toEqual([false, false]);
});

test('one that was stamped before another and stored after it is found', async () => {
  const known = start();
  rows = [bornMs(2000)];
  await known.refresh();
  rows = [bornMs(1000), bornMs(2000)];
  await known.refresh();
  expect(known.has(bornMs(1000))).toBe(true);
});

test('one that is added is known at once, without the store', () => {
  const known = start();
  known.add([bornMs(1)]);
  expect([known.has(bornMs(1)), told, asked]).toEqual([true, [bornMs(1)], []]);
});

test('a row of a clock that was ahead hides nothing that comes after it', async () => {
  const known = start();
  rows = [bornMs(3_600_000)];
  await known.refresh();
  nowMs += 60_000;
  rows = [bornMs(59_000), bornMs(3_600_000)];
  await known.refresh();
  expect(known.has(bornMs(59_000))).toBe(true);
});

test('what is old is not told again with each look', async () => {
  const known = start();
  rows = [bornMs(0)];
  await known.refresh();
  nowMs += 31_000;
  await known.refresh();
  told = [];
  await known.refresh();
  expect([told, known.has(bornMs(0))]).toEqual([[], true]);
});

test('a deletion is forgotten when its tokens have ended', async () => {
  const known = start();
  known.add([bornMs(0)]);
  nowMs = startMs + deletedKeptMs;
  known.add([bornMs(1)]);
  nowMs++;
  await known.refresh();
  expect([known.has(bornMs(0)), known.has(bornMs(1))]).toEqual([false, true]);
});

test('a store in trouble is said, and asked again by itself', async () => {
  vi.useFakeTimers();
  const known = start();
  isBroken = true;
  rows = [bornMs(1)];
  await known.refresh();
  expect([troubles, known.has(bornMs(1))]).toEqual([1, false]);
  isBroken = false;
  await vi.advanceTimersByTimeAsync(1000);
  expect(known.has(bornMs(1))).toBe(true);
});
