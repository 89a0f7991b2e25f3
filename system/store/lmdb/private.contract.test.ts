import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { restoreBackup } from './backup.ts';
import { openLmdbStore } from './lmdb-store.ts';

let base: string;
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'private-'));
});
afterEach(() => rmSync(base, { recursive: true, force: true }));

const modesBelow = (folder: string): Readonly<Record<string, string>> =>
  Object.fromEntries(['', ...readdirSync(folder)].map((name) => [name, (statSync(join(folder, name)).mode & 0o777).toString(8)]));

it('keeps data, backup and what is restored from one for the service’s user alone', async () => {
  const [data, copy, restored] = ['data', 'copy', 'restored'].map((name) => join(base, name)) as [string, string, string];
  const store = await openLmdbStore({ folder: data, flushTimeoutMs: 10_000, dedupeHours: 24, durability: 'fsync' });
  await store.backup?.(copy);
  await store.close();
  await restoreBackup({ from: copy, to: restored });
  expect(modesBelow(data)).toEqual({ '': '700', 'data.mdb': '600', 'lock.mdb': '600' });
  expect(modesBelow(copy)).toEqual({ '': '700', 'data.mdb': '600' });
  expect(modesBelow(restored)).toEqual({ '': '700', 'data.mdb': '600' });
});
