import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { dataFormat } from './format.ts';
import { openLmdbStore } from './lmdb-store.ts';
import { openTables, readRow, writeRow } from './tables.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'format-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const open = () => openLmdbStore({ folder, flushTimeoutMs: 10_000, dedupeHours: 24, durability: 'fsync' });
async function formatOf(at: string, change?: number | null): Promise<unknown> {
  const tables = openTables(at, false);
  if (change === null) tables.rows.removeSync(Buffer.from('format'));
  else if (change !== undefined) writeRow(tables.rows, 'format', change);
  const format = readRow<number>(tables.rows, 'format');
  await tables.root.close();
  return format;
}

it('data and backups carry their number, and data without one get theirs', async () => {
  const store = await open();
  await store.backup?.(join(folder, 'copy'));
  await store.close();
  expect([await formatOf(folder), await formatOf(join(folder, 'copy'))]).toEqual([dataFormat, dataFormat]);
  await formatOf(folder, null);
  await (await open()).close();
  expect(await formatOf(folder)).toBe(dataFormat);
});

it('data of a version that is not known yet are refused with a sentence, and left as they are', async () => {
  await (await open()).close();
  await formatOf(folder, dataFormat + 1);
  await expect(open()).rejects.toMatchObject({ trouble: 'corrupt', message: expect.stringMatching(/format 3, .* start the version that wrote them/) });
  expect(await formatOf(folder)).toBe(dataFormat + 1);
});
