/** Dedupe across runs, restarts, other processes' records and transactions that failed. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createDigestTable } from './digest-table.ts';
import { type DirectStore, openDirectStore } from './direct-store.ts';
import { openTables, readRow, type Tables } from './tables.ts';

const hourMs = 3_600_000;
/** Far fewer than the real one has, so that a test fills several. */
const eventsPerRun = 1000;
let folder: string;
const opened: { store: DirectStore; tables: Tables }[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'seen-'));
});
afterEach(async () => {
  for (const { store, tables } of opened.splice(0)) {
    await store.close();
    await tables.root.close();
  }
  rmSync(folder, { recursive: true, force: true });
});

/** Real time, which the tests advance; the wall clock says nothing here. */
let uptimeMs = 0;
const machine = { boot: 'one', uptimeMs: () => uptimeMs, wallMs: () => uptimeMs };

function open(): DirectStore {
  const tables = openTables(folder, true);
  const store = openDirectStore(tables, { folder, dedupeHours: 24, eventsPerRun, durability: 'memory' }, { machine });
  opened.push({ store, tables });
  return store;
}

const send = async (store: DirectStore, from: number, count: number, receivedAtMs = 0): Promise<number> => {
  const events = Array.from({ length: count }, (_, i) => ({ id: `e${from + i}`, bytes: Buffer.from('{}') }));
  const result = await store.append({ account: 'a', device: 'd', receivedAtMs, rejectedCount: 0, events });
  if (result.kind !== 'appended') throw new Error(result.kind);
  return result.accepted;
};

async function sendMany(store: DirectStore, from: number, count: number, receivedAtMs = 0): Promise<number> {
  let accepted = 0;
  for (let at = from; at < from + count; at += 100) {
    const sent = await send(store, at, 100, receivedAtMs);
    accepted += sent;
  }
  return accepted;
}

const seenRow = (): { runs: { run: number }[]; sealedThrough: number } | undefined => readRow(opened.at(-1)?.tables.rows as Tables['rows'], 'seen');

it('knows every event again, in the open table and in runs on disk, before and after opening again', async () => {
  const store = open();
  expect(await sendMany(store, 0, 20_000)).toBe(20_000);
  expect(seenRow()?.runs.length).toBeGreaterThan(1);
  expect(await sendMany(store, 0, 20_000)).toBe(0);
  const again = open();
  expect(await sendMany(again, 0, 20_000)).toBe(0);
  expect(await sendMany(again, 20_000, 500)).toBe(500);
});

it('two that write by turns know what the other wrote, and cut the same runs', async () => {
  const [one, two] = [open(), open()];
  for (let at = 0; at < 12_000; at += 200) {
    expect(await send(one, at, 100)).toBe(100);
    expect(await send(two, at, 200)).toBe(100);
  }
  expect(await sendMany(one, 0, 12_000)).toBe(0);
  expect(await sendMany(two, 0, 12_000)).toBe(0);
  const runs = seenRow()?.runs.map(({ run }) => run) ?? [];
  expect(runs.length).toBeGreaterThan(1);
  expect(runs).toEqual(runs.map((_, i) => i + 1));
});

it('goes on where the one that sealed a run is gone', async () => {
  const first = open();
  // Full, and nothing of it on disk yet.
  await sendMany(first, 0, 1000);
  const second = open();
  expect(await sendMany(second, 1000, 20_000)).toBe(20_000);
  expect(seenRow()?.runs.length).toBeGreaterThan(1);
  expect(await sendMany(open(), 0, 21_000)).toBe(0);
});

it('a transaction that failed leaves nothing seen', async () => {
  const store = open();
  await send(store, 0, 100);
  const sent = send(store, 100, 100);
  // No such partition: what a group shares, it loses together.
  const broken = store.release({ partition: 99, owner: 'x', fence: 0 });
  await expect(broken).rejects.toThrow(RangeError);
  await expect(sent).rejects.toThrow(RangeError);
  expect(await send(store, 0, 200)).toBe(100);
});

it('forgets a run once it is older than the window, and no sooner', async () => {
  uptimeMs = 0;
  const store = open();
  await sendMany(store, 0, 6000, 0);
  uptimeMs = 23 * hourMs;
  await sendMany(store, 10_000, 6000, 23 * hourMs);
  expect(await sendMany(store, 0, 1000, 23 * hourMs)).toBe(0);
  uptimeMs = 25 * hourMs;
  await sendMany(store, 20_000, 20_000, 25 * hourMs);
  expect(await sendMany(store, 0, 1000, 25 * hourMs)).toBe(1000);
  expect(await sendMany(store, 10_000, 6000, 25 * hourMs)).toBe(0);
});

it('a table of digests says what a set says, and taking out the youngest leaves the rest', () => {
  const word = fc.integer({ min: 0, max: 7 });
  fc.assert(
    fc.property(fc.uniqueArray(fc.tuple(word, word, fc.constant(1), word), { maxLength: 60, selector: String }), fc.nat(60), (digests, taken) => {
      const table = createDigestTable(128);
      for (const digest of digests) table.add(...digest);
      const kept = digests.slice(0, Math.max(0, digests.length - taken));
      for (const digest of digests.slice(kept.length).reverse()) table.removeLast(...digest);
      expect(table.size()).toBe(kept.length);
      for (const digest of digests) expect(table.has(...digest)).toBe(kept.includes(digest));
    }),
  );
});
