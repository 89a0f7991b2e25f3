import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { filtersOff } from '#system/pipeline/settings.ts';
import type { Store } from '#system/store/store.ts';
import { sequenceKey } from './codec.ts';
import { type LmdbStoreOptions, openLmdbStore } from './lmdb-store.ts';
import { openTables } from './tables.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'trouble-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** A flush that is not held back has come to its end by then, on a busy machine too. */
const flushTimeoutMs = 3000;
const open = (more: Partial<LmdbStoreOptions> = {}): Promise<Store> => openLmdbStore({ folder, flushTimeoutMs, dedupeHours: 24, durability: 'fsync', ...more });
const append = (store: Store, id: string, size = 10): ReturnType<Store['append']> =>
  store.append({ account: 'a', device: 'd', receivedAtMs: 1, rejectedCount: 0, events: [{ id, bytes: Buffer.alloc(size, 1) }] });
const ids = async (store: Store): Promise<string[]> =>
  (await store.readHistory({ account: 'a', device: 'd', after: '', limit: 100_000, include: 'all' })).events.map(({ id }) => id);

it('acknowledges nothing while the flush is held back', async () => {
  let release: () => void = () => {};
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  const store = await open({ faults: { flush: () => held } });
  let answered = false;
  const sent = append(store, '1').then(() => {
    answered = true;
  });
  for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
  expect(answered).toBe(false);
  release();
  await sent;
  await store.close();
});

it.each([
  ['flush-failed', () => Promise.reject(new Error('EIO'))],
  ['flush-timeout', () => new Promise<void>(() => {})],
] as const)('%s: refuses, and acknowledges again only after a flush that succeeded', async (trouble, broken) => {
  let flush: (real: () => Promise<void>) => Promise<void> = broken;
  const seen: string[] = [];
  const store = await open({ faults: { flush: (real) => flush(real) }, onTrouble: (each) => seen.push(each.trouble) });
  await expect(append(store, '1')).rejects.toMatchObject({ trouble });
  await expect(append(store, '2')).rejects.toMatchObject({ trouble });
  flush = (real) => real();
  expect(await append(store, '3')).toMatchObject({ kind: 'appended', accepted: 1 });
  expect(seen).toEqual([trouble, trouble]);
  await store.close();
});

async function fill(store: Store): Promise<string[]> {
  const acknowledged: string[] = [];
  for (let i = 0; i < 2000; i++) {
    try {
      await append(store, `${i}`, 16_000);
      acknowledged.push(`${i}`);
    } catch (error) {
      expect(error).toMatchObject({ trouble: 'full' });
      return acknowledged;
    }
  }
  throw new Error('It never became full.');
}

it('says full at its own limit, and what it acknowledged is there', async () => {
  const store = await open({ mapSizeBytes: 2 * 2 ** 20 });
  const acknowledged = await fill(store);
  expect(await ids(store)).toEqual(acknowledged);
  await store.close();
});

it('says full on a full disk, and what it acknowledged is there after reopening', async () => {
  const mounted = join(folder, 'disk');
  mkdirSync(mounted);
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', mounted]);
  try {
    const store = await open({ folder: mounted });
    const acknowledged = await fill(store);
    await store.close();
    const again = await open({ folder: mounted });
    expect(await ids(again)).toEqual(acknowledged);
    await again.close();
  } finally {
    execFileSync('umount', ['-l', mounted]);
  }
});

it('a full disk has room again by itself once what is there is old, with the pipeline beside it', { timeout: 120_000 }, async () => {
  const mounted = join(folder, 'disk');
  mkdirSync(mounted);
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=6m', 'tmpfs', mounted]);
  const data = { owner: 'w', presenceTimeoutMs: 60_000, filters: filtersOff };
  const companion = { module: import.meta.resolve('#system/pipeline/companion.ts'), data };
  const send = (store: Store, id: string): ReturnType<Store['append']> => {
    const event = { id, type: 'battery', recorded_at: '2026-11-25T10:00:00Z', data: { note: 'x'.repeat(15_000) } };
    return store.append({ account: 'a', device: 'd', receivedAtMs: Date.now(), rejectedCount: 0, events: [{ id, bytes: Buffer.from(JSON.stringify(event)) }] });
  };
  try {
    const full = await open({ folder: mounted, companion });
    let sent = 0;
    for (let refused = false; !refused; ) {
      refused = await send(full, `${sent++}`).then(
        () => false,
        (error: { trouble: string }) => error.trouble === 'full',
      );
      expect(sent).toBeLessThan(1000);
    }
    expect(await full.readTrouble?.()).toBe('full');
    // What was accepted is gone through all the same.
    await expect.poll(async () => (await full.readBacklog()).pending, { timeout: 60_000 }).toBe(0);
    await full.close();
    const healing = await open({ folder: mounted, companion, hotWindowHours: 0, dedupeHours: 0, tidyEveryMs: 100 });
    await expect.poll(() => healing.readTrouble?.(), { timeout: 60_000 }).toBeUndefined();
    for (let i = 0; i < sent / 3; i++) expect(await send(healing, `later ${i}`)).toMatchObject({ accepted: 1 });
    await healing.close();
  } finally {
    execFileSync('umount', ['-l', mounted]);
  }
});

it('says unwritable where the folder cannot be', async () => {
  writeFileSync(join(folder, 'file'), '');
  await expect(open({ folder: join(folder, 'file', 'below') })).rejects.toMatchObject({ trouble: 'unwritable' });
});

it('names the record whose checksum is wrong, and gives none of it', async () => {
  const store = await open();
  await append(store, 'x');
  await store.close();
  const tables = openTables(folder, false);
  const record = Buffer.from(tables.log.getBinary(sequenceKey(1)) ?? []);
  record[record.length - 1] = 0;
  tables.log.putSync(sequenceKey(1), record);
  await tables.root.close();
  await expect(open()).rejects.toMatchObject({ trouble: 'corrupt', message: expect.stringContaining('Log record 1 ') });
});
