/** What is beyond the hot window goes, and nothing else. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { positionText } from '#system/store/ordered-changes.ts';
import { type Endpoint, partitionCount, partitionOf } from '#system/store/store.ts';
import { type DirectOptions, type DirectStore, openDirectStore } from './direct-store.ts';
import { openTables, readHead, type Tables } from './tables.ts';

const hourMs = 3_600_000;
let folder: string;
/** This machine, whose real time the tests advance, and its wall clock, which they put where they want. */
const clocks = { uptimeMs: 0, wallMs: 0 };
const machine = { boot: 'one', uptimeMs: () => clocks.uptimeMs, wallMs: () => clocks.wallMs };
function pass(ms: number): void {
  clocks.uptimeMs += ms;
  clocks.wallMs += ms;
}
let tables: Tables;
let store: DirectStore;
beforeEach(() => {
  Object.assign(clocks, { uptimeMs: 0, wallMs: 0 });
  folder = mkdtempSync(join(tmpdir(), 'prune-'));
  tables = openTables(folder, true);
  store = openOnce();
});
afterEach(async () => {
  await store.close();
  await tables.root.close();
  rmSync(folder, { recursive: true, force: true });
});

const openOnce = (more: Partial<DirectOptions> = {}): DirectStore =>
  openDirectStore(tables, { folder, dedupeHours: 25, hotWindowHours: 24, eventsPerRun: 1000, durability: 'memory', ...more }, { machine });

/** What the timer does: everything that may go, by and by. */
async function tidyUp(): Promise<void> {
  for (let rounds = 0; await store.tidy(); rounds++) if (rounds > 10_000) throw new Error('there is always something to tidy up');
}

async function send(from: number, records: number): Promise<void> {
  for (let i = from; i < from + records; i++) {
    const events = Array.from({ length: 10 }, (_, event) => ({ id: `e${i}-${event}`, bytes: Buffer.from('{}') }));
    await store.append({ account: 'a', device: 'd', receivedAtMs: machine.wallMs(), rejectedCount: 0, events });
  }
}

async function stepOver(): Promise<void> {
  const partition = partitionOf('a', 'd');
  const held = await store.lease({ partition, owner: 'w', nowMs: 0, ttlMs: 1000 });
  if (held.kind !== 'held') throw new Error(held.kind);
  const { events } = await store.readLog({ partitions: [partition], after: { [partition]: held.checkpoint }, limitEvents: 100_000 });
  const positions = events.map(({ position }) => position);
  const to = positions.at(-1) ?? '';
  const filtered = positions.filter((_, i) => i % 5 === 0).map((position) => ({ position, reason: 'zero' }));
  const kept = positions.filter((_, i) => i % 5 !== 0);
  expect(await store.step({ partition, fence: held.fence, from: held.checkpoint, to, devices: [{ account: 'a', device: 'd', kept, filtered }] })).toEqual({
    kind: 'stepped',
  });
}

const history = async (): Promise<readonly string[]> =>
  (await store.readHistory({ account: 'a', device: 'd', after: '', limit: 1_000_000, include: 'all' })).events.map(({ id }) => id);
const exported = async (): Promise<readonly string[]> => {
  const { events } = await store.readLog({ partitions: Array.from({ length: partitionCount }, (_, i) => i), after: {}, limitEvents: 1_000_000 });
  return events.map(({ id }) => id);
};

it('prunes what is old, stepped over and known to dedupe elsewhere; the rest is read as before', async () => {
  await send(0, 600);
  await stepOver();
  pass(25 * hourMs);
  await send(600, 600);
  await stepOver();
  await send(1200, 600);
  const { floor } = readHead(tables);
  expect(floor).toBeGreaterThan(1);
  expect(floor).toBeLessThanOrEqual(601);
  const left = await exported();
  expect(left).toEqual(await history());
  expect(left.at(0)).toBe(`e${floor - 1}-0`);
  expect(left).toHaveLength((1800 - floor + 1) * 10);
  expect([...tables.log.getKeys()]).toHaveLength(1800 - floor + 1);
  const counters = await store.readCounters();
  expect([counters.accepted, (await store.readBacklog()).pending]).toEqual([18_000, 6000]);
});

it('keeps what the pipeline has not stepped over, however old', async () => {
  await send(0, 300);
  pass(25 * hourMs);
  await send(300, 900);
  expect(readHead(tables).floor).toBe(1);
  expect(await exported()).toHaveLength(12_000);
});

it('keeps what is inside the window', async () => {
  await send(0, 600);
  await stepOver();
  pass(23 * hourMs);
  await send(600, 600);
  expect(readHead(tables).floor).toBe(1);
});

it('a pruned event is a duplicate still', async () => {
  await send(0, 600);
  await stepOver();
  pass(23.9 * hourMs);
  await send(600, 600);
  await stepOver();
  pass(0.15 * hourMs);
  await send(1200, 100);
  expect(readHead(tables).floor).toBeGreaterThan(1);
  const again = await store.append({
    account: 'a',
    device: 'd',
    receivedAtMs: machine.wallMs(),
    rejectedCount: 0,
    events: [{ id: 'e0-0', bytes: Buffer.from('{}') }],
  });
  expect(again).toMatchObject({ accepted: 0, duplicate: 1 });
});

it.each([-72, -1, 1, 72])('a wall clock that is put by %d hours takes nothing with it, and keeps nothing for longer', async (hours) => {
  clocks.wallMs = 1e12;
  await send(0, 600);
  await stepOver();
  clocks.wallMs += hours * hourMs;
  await send(600, 300);
  await stepOver();
  clocks.wallMs -= hours * hourMs;
  await send(900, 300);
  await stepOver();
  expect(await exported()).toHaveLength(12_000);
  const again = { id: 'e0-0', bytes: Buffer.from('{}') };
  const repeat = await store.append({ account: 'a', device: 'd', receivedAtMs: machine.wallMs(), rejectedCount: 0, events: [again] });
  expect(repeat).toMatchObject({ accepted: 0, duplicate: 1 });
  pass(25 * hourMs);
  await send(1200, 640);
  expect(readHead(tables).floor).toBeGreaterThan(900);
});

it('an answer under its key is known for its day, wherever the wall clock is put', async () => {
  clocks.wallMs = 1e12;
  const idempotency = { key: 'k', digest: 'd', note: 'n' };
  const ask = () => store.append({ account: 'a', device: 'd', receivedAtMs: machine.wallMs(), rejectedCount: 0, events: [], idempotency });
  expect(await ask()).toMatchObject({ kind: 'appended' });
  for (const hours of [72, -72, -72, 72]) {
    clocks.wallMs += hours * hourMs;
    expect(await ask()).toMatchObject({ kind: 'replayed' });
  }
});

it('what is old goes by itself, where nothing more is sent: records, what dedupe knew of them, and answers', async () => {
  const idempotency = { key: 'k', digest: 'd', note: 'n' };
  await store.append({ account: 'a', device: 'd', receivedAtMs: 0, rejectedCount: 0, events: [], idempotency });
  await send(0, 600);
  await stepOver();
  pass(23 * hourMs);
  await tidyUp();
  expect([readHead(tables).floor, [...tables.seen.getKeys()].length > 0]).toEqual([1, true]);
  pass(50 * hourMs);
  await tidyUp();
  // The last record stays, and costs nothing that matters.
  expect(readHead(tables)).toMatchObject({ sequence: 600, floor: 600 });
  expect([...tables.log.getKeys()]).toHaveLength(1);
  expect([...tables.seen.getKeys()]).toEqual([]);
  expect(await exported()).toEqual(await history());
  pass(25 * hourMs);
  await tidyUp();
  expect(tables.answers.flatMap((table) => [...table.getKeys()])).toEqual([]);
  expect(await store.tidy()).toBe(false);
});

it('what the pipeline has not stepped over stays, however old, and the pipeline may step over it', async () => {
  await send(0, 600);
  pass(50 * hourMs);
  await tidyUp();
  expect(await exported()).toHaveLength(6000);
  await stepOver();
  await tidyUp();
  expect(readHead(tables).floor).toBe(600);
});

it('of what was forgotten all processes begin the same dedupe anew', async () => {
  const other = openOnce();
  const ids = (from: number, count: number) => Array.from({ length: count }, (_, i) => ({ id: `n${from + i}`, bytes: Buffer.from('{}') }));
  const sendBy = (sender: DirectStore, from: number, count: number) =>
    sender.append({ account: 'a', device: 'd', receivedAtMs: machine.wallMs(), rejectedCount: 0, events: ids(from, count) });
  // Half of a run in memory, known to both.
  await sendBy(store, 0, 1500);
  await sendBy(other, 1500, 400);
  await stepOver();
  pass(50 * hourMs);
  await tidyUp();
  expect(await sendBy(store, 0, 1500)).toMatchObject({ accepted: 1500, duplicate: 0 });
  expect(await sendBy(other, 1000, 900)).toMatchObject({ accepted: 400, duplicate: 500 });
  for (let from = 2000; from < 6000; from += 200) await sendBy(from % 400 === 0 ? store : other, from, 200);
  const third = openOnce();
  for (const sender of [store, other, third])
    for (let from = 2000; from < 6000; from += 500) expect(await sendBy(sender, from, 500)).toMatchObject({ accepted: 0, duplicate: 500 });
  for (const sender of [other, third]) await sender.close();
});

it('a store that is full is not full any more once what was in it is old, as often as it is filled', async () => {
  await store.close();
  store = openOnce({ mapSizeBytes: 8 * 2 ** 20 });
  const note = Buffer.from(JSON.stringify({ note: 'x'.repeat(12_000) }));
  let sent = 0;
  const fill = async (): Promise<number> => {
    const before = sent;
    for (let refused = false; !refused && sent < before + 5000; ) {
      const events = [{ id: `f${sent}`, bytes: note }];
      const sending = store.append({ account: 'a', device: 'd', receivedAtMs: machine.wallMs(), rejectedCount: 0, events });
      refused = await sending.then(
        () => false,
        (error: { trouble: string }) => error.trouble === 'full',
      );
      if (!refused) sent++;
    }
    return sent - before;
  };
  const first = await fill();
  expect(first).toBeGreaterThan(300);
  for (let round = 0; round < 6; round++) {
    expect(await store.readTrouble?.()).toBe('full');
    await stepOver();
    pass(50 * hourMs);
    await tidyUp();
    expect(await store.readTrouble?.()).toBeUndefined();
    // Nearly all of it: half of the free pages are believed to be of use.
    expect(await fill()).toBeGreaterThan(first / 3);
    expect((await history()).at(-1)).toBe(`f${sent - 1}`);
  }
});

it('a log of changes that nobody writes any more is compacted, and its deletions are forgotten, by the store’s time', async () => {
  await store.close();
  store = openOnce({ retention: { wholeChanges: 1000, deletionsMs: 24 * hourMs } });
  const change = (principal: string, key: string, bytes: Uint8Array | undefined) =>
    store.change({ account: 'a', principal, channel: 'sync:c', key, atMs: machine.wallMs(), bytes, condition: { kind: 'any' } });
  const principals = Array.from({ length: 600 }, (_, i) => `user:${i}`);
  for (const principal of principals) {
    for (const text of ['1', '2']) await change(principal, 'kept', Buffer.from(text));
    await change(principal, 'gone', Buffer.from('3'));
    await change(principal, 'gone', undefined);
  }
  for (let i = 0; i < 900; i++) await change('user:busy', 'kept', Buffer.from(String(i)));
  const rows = (): number => [...tables.sync.getKeys()].length;
  const before = rows();
  pass(23 * hourMs);
  clocks.wallMs += 100 * hourMs;
  await tidyUp();
  expect(rows()).toBe(before);
  clocks.wallMs -= 100 * hourMs;
  pass(2 * hourMs);
  await tidyUp();
  for (let rounds = 0; rounds < 12; rounds++) await store.tidy();
  // Of each a log, an item, and its last change.
  expect(rows()).toBe((principals.length + 1) * 3);
  const key = { account: 'a', principal: 'user:7' };
  expect(await store.readSnapshot({ ...key, channel: 'sync:c', afterKey: '', limit: 10 })).toMatchObject({ items: [{ key: 'kept', version: 2 }] });
  expect(await store.readChanges({ ...key, after: positionText(1), limit: 10 })).toMatchObject({ kind: 'expired' });
  expect(await change('user:7', 'kept', Buffer.from('4'))).toMatchObject({ kind: 'changed', version: 3 });
});

it('a first record that came by a clock that was wrong is no older for it once the clock is put right', async () => {
  clocks.wallMs = 1e12;
  await send(0, 1);
  clocks.wallMs += 72 * hourMs;
  await tidyUp();
  const repeat = await store.append({
    account: 'a',
    device: 'd',
    receivedAtMs: machine.wallMs(),
    rejectedCount: 0,
    events: [{ id: 'e0-0', bytes: Buffer.from('{}') }],
  });
  expect(repeat).toMatchObject({ accepted: 0, duplicate: 1 });
});

it('events that webhooks were told of go after their week, where the account tells nothing more', async () => {
  const account = 'acc1';
  await store.putAccount({ account, name: 'x', secretDigest: '', publishableKeyDigest: '', quotas: {}, createdAtMs: 0 });
  const row: Endpoint = {
    version: 1,
    account,
    id: 'e1',
    url: 'https://hooks.test/e1',
    types: ['x.happened'],
    state: { kind: 'active', sinceMs: 0 },
    secrets: [{ secret: 'whsec_AAAA' }],
    createdAtMs: 0,
    handshake: { challenge: 'c', tokenDigest: 'd', expiresAtMs: 1000, used: true },
  };
  await store.putEndpoint({ expected: undefined, row, nowMs: 0 });
  for (let i = 0; i < 40; i++)
    await store.enqueueOutward({ account, event: { id: `e${i}`, type: 'x.happened', atMs: clocks.wallMs, body: '{}' }, nowMs: store.storeMs?.() ?? 0 });
  const left = async (): Promise<readonly number[]> =>
    (await store.readDeliveries({ account, endpoint: 'e1', before: undefined, limit: 100 })).map(({ number }) => number);
  pass(6 * 24 * hourMs);
  await tidyUp();
  expect(await left()).toHaveLength(40);
  pass(2 * 24 * hourMs);
  await tidyUp();
  expect(await left()).toEqual([40]);
});
