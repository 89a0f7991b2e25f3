import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { partitionOf } from '#system/store/store.ts';
import { openDirectStore } from './direct-store.ts';
import { storeReads } from './reads.ts';
import { openTables } from './tables.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'reads-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

it('reads a record once for all of its events that a page of history shows', async () => {
  const tables = openTables(folder, true);
  const store = openDirectStore(tables, { folder, dedupeHours: 24, durability: 'memory' });
  const partition = partitionOf('a', 'd');
  const lease = await store.lease({ partition, owner: 'o', nowMs: 0, ttlMs: 1000 });
  if (lease.kind !== 'held') throw new Error(lease.kind);
  for (const batch of ['x', 'y']) {
    const events = Array.from({ length: 100 }, (_, i) => ({ id: `${batch}${i}`, bytes: Buffer.from('{}') }));
    await store.append({ account: 'a', device: 'd', receivedAtMs: 1, rejectedCount: 0, events });
  }
  const kept = (await store.readLog({ partitions: [partition], after: {}, limitEvents: 1000 })).events.map(({ position }) => position);
  const to = kept.at(-1) ?? '';
  await store.step({ partition, fence: lease.fence, from: lease.checkpoint, to, devices: [{ account: 'a', device: 'd', kept, filtered: [] }] });
  let reads = 0;
  const getBinary = (key: Buffer): Buffer | undefined => {
    reads++;
    return tables.log.getBinary(key);
  };
  const counted = storeReads({ ...tables, log: Object.assign(Object.create(tables.log), { getBinary }) }, () => false);
  const { events } = await counted.readHistory({ account: 'a', device: 'd', after: '', limit: 150, include: 'kept' });
  expect([events.map(({ position }) => position), reads]).toEqual([kept.slice(0, 150), 2]);
  await store.close();
  await tables.root.close();
});
