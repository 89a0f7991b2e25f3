import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { openLmdbStore } from './lmdb-store.ts';

const base = mkdtempSync(join(tmpdir(), 'backup-'));
afterAll(() => rmSync(base, { recursive: true, force: true }));

it('takes longer than a flush may, and nothing is refused for that', async () => {
  const open = (flushTimeoutMs: number) => openLmdbStore({ folder: join(base, 'data'), flushTimeoutMs, dedupeHours: 24, durability: 'memory' });
  const filled = await open(10_000);
  const change = { account: 'a', principal: 'user:u', channel: 'sync:c', atMs: 1, bytes: Buffer.alloc(60_000, 'x'), condition: { kind: 'any' } } as const;
  await Promise.all(Array.from({ length: 200 }, (_, i) => filled.change({ ...change, key: `k${i}` })));
  await filled.close();
  const store = await open(1);
  const taken = store.backup?.(join(base, 'copy'));
  const reads = (async () => {
    const read = [];
    for (let i = 0; i < 20; i++) read.push(await store.readAccount('a').catch(({ trouble }) => trouble));
    return read;
  })();
  expect((await taken)?.bytes).toBeGreaterThan(200 * 60_000);
  expect(new Set(await reads)).toEqual(new Set([undefined]));
  await store.close();
});
