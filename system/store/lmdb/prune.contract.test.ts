/** What is beyond the hot window goes, and nothing else. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { partitionCount, partitionOf } from '#system/store/store.ts';
import { type DirectStore, openDirectStore } from './direct-store.ts';
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
  store = openDirectStore(tables, { folder, dedupeHours: 25, hotWindowHours: 24, eventsPerRun: 1000, durability: 'memory' }, { machine });
});
afterEach(async () => {
  await store.close();
  await tables.root.close();
  rmSync(folder, { recursive: true, force: true });
});

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
