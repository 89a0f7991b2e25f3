import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { type LmdbStoreOptions, openLmdbStore } from '#system/store/lmdb/lmdb-store.ts';
import { createMemoryStore } from '#system/store/memory/memory-store.ts';
import { describeChanges } from './changes-contract.ts';
import { describeStore } from './store-contract.ts';
import { describeUsage } from './usage-contract.ts';

const base = mkdtempSync(join(tmpdir(), 'store-'));
let made = 0;
afterAll(() => rmSync(base, { recursive: true, force: true }));

/** Times in these contracts are small numbers: the store's own look at what is old would come between, on a machine where they take long. */
const neverMs = 1e9;
const lmdb = (): LmdbStoreOptions => ({
  folder: join(base, `${made++}`),
  flushTimeoutMs: 2000,
  dedupeHours: 24,
  durability: 'memory',
  tidyEveryMs: neverMs,
});

describeStore('memory', async () => createMemoryStore());
for (const durability of ['fsync', 'memory'] as const) {
  describeStore(`lmdb, ${durability}`, () => openLmdbStore({ ...lmdb(), durability }));
}

describeUsage('memory', async () => createMemoryStore());
describeUsage('lmdb', () => openLmdbStore(lmdb()));

describeChanges('memory', async (retention) => createMemoryStore({ retention }));
describeChanges('lmdb', (retention) => openLmdbStore({ ...lmdb(), retention }));
