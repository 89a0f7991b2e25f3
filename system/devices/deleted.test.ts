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

test('who asks while something is read gets what is there now, and one reading serves all who wait', async () => {
  const known = start();
  const first = known.refresh();
  rows = [bornMs(1)];
  const waiting = [known.refresh(), known.refresh(), known.refresh()];
  await first;
  expect(known.has(bornMs(1))).toBe(false);
  await Promise.all(waiting);
  expect(known.has(bornMs(1))).toBe(true);
  expect(asked).toHaveLength(2);
});

test('a deletion is forgotten when its tokens have ended', async () => {
  const known = start();
  rows = [bornMs(0), bornMs(deletedKeptMs)];
  await known.refresh();
  nowMs = startMs + deletedKeptMs + 1;
  await known.refresh();
  expect([known.has(bornMs(0)), known.has(bornMs(deletedKeptMs))]).toEqual([false, true]);
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
