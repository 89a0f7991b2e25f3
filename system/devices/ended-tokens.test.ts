import { afterEach, expect, test, vi } from 'vitest';
import { type EndedTokens, endedTokensKeptMs, type TokenEnd } from '#system/store/store.ts';
import { createEndedTokens, type EndedTokensKnown } from './ended-tokens.ts';

const startMs = 1e12;
/** A token from before the end. */
const held = (end: TokenEnd) => ({ ...end, generation: end.generation - 1 });
const bornMs = (nth: number): EndedTokens => ({ account: 'a', device: `d${nth}`, generation: 2, atMs: startMs + nth });
let nowMs = startMs;
let rows: EndedTokens[] = [];
let asked: number[] = [];
let told: TokenEnd[] = [];
let troubles = 0;
let isBroken = false;
let deleted: EndedTokensKnown | undefined;

function start(): EndedTokensKnown {
  [nowMs, rows, asked, told, troubles, isBroken] = [startMs, [], [], [], 0, false];
  deleted = createEndedTokens({
    store: {
      readEndedTokens: async ({ fromMs, limit }) => {
        asked.push(fromMs);
        const found = rows.filter(({ atMs }) => atMs >= fromMs).slice(0, limit);
        await Promise.resolve();
        if (isBroken) throw new Error('broken');
        return found;
      },
    },
    clock: { wallMs: () => nowMs, monotonicMs: () => nowMs },
    refreshMs: 1000,
    onEnded: (ended) => void told.push(...ended),
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
  expect(known.has(held(bornMs(0)))).toBe(false);
  await known.refresh();
  expect(rows.filter((row) => !known.has(held(row)))).toEqual([]);
  expect(new Set(told.map(({ device }) => device)).size).toBe(2500);
  expect([known.has({ account: 'b', device: 'd0', generation: 1 }), known.has({ account: 'a', device: 'd2500', generation: 1 })]).toEqual([false, false]);
});

test('one that was stamped before another and stored after it is found', async () => {
  const known = start();
  rows = [bornMs(2000)];
  await known.refresh();
  rows = [bornMs(1000), bornMs(2000)];
  await known.refresh();
  expect(known.has(held(bornMs(1000)))).toBe(true);
});

test('one that is added is known at once, without the store', () => {
  const known = start();
  known.add([bornMs(1)]);
  expect([known.has(held(bornMs(1))), told, asked]).toEqual([true, [bornMs(1)], []]);
});

test('a row of a clock that was ahead hides nothing that comes after it', async () => {
  const known = start();
  rows = [bornMs(3_600_000)];
  await known.refresh();
  nowMs += 60_000;
  rows = [bornMs(59_000), bornMs(3_600_000)];
  await known.refresh();
  expect(known.has(held(bornMs(59_000)))).toBe(true);
});

test('what is old is not told again with each look', async () => {
  const known = start();
  rows = [bornMs(0)];
  await known.refresh();
  nowMs += 31_000;
  await known.refresh();
  told = [];
  await known.refresh();
  expect([told, known.has(held(bornMs(0)))]).toEqual([[], true]);
});

test('a deletion is forgotten when its tokens have ended', async () => {
  const known = start();
  known.add([bornMs(0)]);
  nowMs = startMs + endedTokensKeptMs;
  known.add([bornMs(1)]);
  nowMs++;
  await known.refresh();
  expect([known.has(held(bornMs(0))), known.has(held(bornMs(1)))]).toEqual([false, true]);
});

test('a store in trouble is said, and asked again by itself', async () => {
  vi.useFakeTimers();
  const known = start();
  isBroken = true;
  rows = [bornMs(1)];
  await known.refresh();
  expect([troubles, known.has(held(bornMs(1)))]).toEqual([1, false]);
  isBroken = false;
  await vi.advanceTimersByTimeAsync(1000);
  expect(known.has(held(bornMs(1)))).toBe(true);
});

test('a token of the generation that began with the end is good, and an older end changes nothing', () => {
  const known = start();
  known.add([{ ...bornMs(1), generation: 3 }]);
  known.add([{ ...bornMs(1), generation: 2 }]);
  expect([1, 2, 3].map((generation) => known.has({ ...bornMs(1), generation }))).toEqual([true, true, false]);
});
