/** The hub with readers inside the process, over a memory store that can be held up. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { systemClock } from '#system/clock.ts';
import type { Frame } from '#system/protocol/frames.ts';
import { createMemoryStore } from '#system/store/memory/memory-store.ts';
import { changesStart, type FoundChanges, type Store } from '#system/store/store.ts';
import { createHub, type Hub, type Opening } from './hub.ts';
import { createFrameReader, type FrameReader } from './reader.ts';

const log = { account: 'a', principal: 'user:u' };
let store: Store;
let hub: Hub;
let troubles: unknown[];

beforeEach(() => {
  store = createMemoryStore();
  troubles = [];
  hub = createHub({
    store,
    clock: systemClock,
    settings: { ageMs: 600_000, positionCheckMs: 600_000, presenceTimeoutMs: 600_000 },
    onTrouble: (error) => void troubles.push(error),
    onWatch: async () => undefined,
    onAppeared: () => undefined,
  });
});
afterEach(async () => {
  vi.useRealTimers();
  await hub.close();
});

function open(change: Partial<Opening> = {}): FrameReader {
  const reader = createFrameReader();
  hub.open({
    socket: reader.outlet,
    headers: '',
    form: 'ndjson unchunked',
    account: log.account,
    log: undefined,
    channels: [],
    watching: undefined,
    device: undefined,
    generation: undefined,
    onEnded: undefined,
    first: undefined,
    from: undefined,
    resumed: false,
    connectionId: 'c',
    heartbeatMs: 25_000,
    expiresAtMs: undefined,
    ...change,
  });
  return reader;
}
const put = (key: string) =>
  store.change({ ...log, channel: 'sync:trips', key, atMs: systemClock.wallMs(), bytes: Buffer.from('{}'), condition: { kind: 'any' } });
/** Leaves the stream open. */
const readUntil = async ({ frames }: FrameReader, last: Frame['t']): Promise<readonly Frame[]> => {
  const read: Frame[] = [];
  for (;;) {
    const { done, value } = await frames.next();
    if (done === true) return read;
    read.push(value);
    if (value.t === last) return read;
  }
};

/** What waits there, and goes on when it is let. */
function gate() {
  const open = Promise.withResolvers<void>();
  const reached = Promise.withResolvers<void>();
  const pass = (): Promise<void> => {
    reached.resolve();
    return open.promise;
  };
  return { letGo: open.resolve, isReached: reached.promise, pass };
}

test('who goes while the store is asked where to begin anew is in no topic afterwards', async () => {
  for (const key of ['t1', 't2', 't3']) await put(key);
  const first = (await store.readChanges({ ...log, after: changesStart, limit: 1 })) as FoundChanges;
  await store.renewEpoch({ expected: first.epoch });
  const { readChanges } = store;
  const begin = gate();
  let reads = 0;
  Object.assign(store, {
    readChanges: async (query: Parameters<typeof readChanges>[0]) => {
      reads++;
      if (query.after === 'head') await begin.pass();
      return readChanges(query);
    },
  });
  const reader = open({ log, channels: ['sync:trips'], first, from: 'x' });
  await begin.isReached;
  await reader.frames.return?.();
  await expect.poll(() => hub.held()).toBe(0);
  begin.letGo();
  await new Promise(setImmediate);
  const before = reads;
  await put('t4');
  hub.news({ kind: 'poke', keys: [log] });
  await new Promise(setImmediate);
  expect([reads - before, troubles]).toEqual([0, []]);
});

test('a bye is the last word, though a snapshot was still being read', async () => {
  const snapshot = gate();
  const { readPresence } = store;
  Object.assign(store, { readPresence: (query: Parameters<typeof readPresence>[0]) => snapshot.pass().then(() => readPresence(query)) });
  await store.touch({ account: log.account, device: 'd', nowMs: systemClock.wallMs(), timeoutMs: 600_000 });
  const watching = { devices: new Set(['d']), all: false, pending: new Map() };
  const reader = open({ watching, expiresAtMs: systemClock.wallMs() });
  await expect.poll(() => hub.counts.ended).toEqual({ token: 1 });
  snapshot.letGo();
  await new Promise(setImmediate);
  expect((await readUntil(reader, 'bye')).map(({ t }) => t)).toEqual(['hello', 'bye']);
});

test('a snapshot of much more than may be pending comes as a whole before sync, and nobody who reads is slow', async () => {
  const devices = Array.from({ length: 900 }, (_, i) => `d${String(i).padStart(4, '0')}`);
  const bytes = Buffer.from(JSON.stringify({ recorded_at: 'r', data: { note: 'x'.repeat(4000) } }));
  Object.assign(store, {
    readDevices: async ({ after, limit }: { after: string; limit: number }) => devices.filter((device) => device > after).slice(0, limit),
    readLatest: async () => ({ recordedAtMs: 1, id: 'e', position: 'p', bytes }),
  });
  const read = await readUntil(open({ watching: { devices: new Set(), all: true, pending: new Map() } }), 'sync');
  expect(read.map((frame) => ('k' in frame ? frame.k : frame.t))).toEqual(['hello', ...devices, 'sync']);
});

test('who leaves while a snapshot is read has no more read for it', async () => {
  const devices = Array.from({ length: 900 }, (_, i) => `d${String(i).padStart(4, '0')}`);
  const page = gate();
  let pages = 0;
  Object.assign(store, {
    readDevices: async ({ after, limit }: { after: string; limit: number }) => {
      pages++;
      await page.pass();
      return devices.filter((device) => device > after).slice(0, limit);
    },
  });
  const reader = open({ watching: { devices: new Set(), all: true, pending: new Map() } });
  await page.isReached;
  await reader.frames.return?.();
  await expect.poll(() => hub.held()).toBe(0);
  page.letGo();
  for (let turns = 0; turns < 20; turns++) await new Promise(setImmediate);
  expect([pages, troubles]).toEqual([1, []]);
});

test('news of a device that could not be read are told when the store is back', async () => {
  const reader = open({ watching: { devices: new Set(['d']), all: false, pending: new Map() } });
  await readUntil(reader, 'sync');
  vi.useFakeTimers({ toFake: ['setTimeout'] });
  const { readPresence } = store;
  Object.assign(store, { readPresence: () => Promise.reject(new Error('late')) });
  await store.touch({ account: log.account, device: 'd', nowMs: 1, timeoutMs: 600_000 });
  hub.news({ kind: 'devices', devices: [{ account: log.account, device: 'd' }] });
  await vi.advanceTimersByTimeAsync(200);
  expect(troubles).toHaveLength(1);
  Object.assign(store, { readPresence });
  await vi.advanceTimersByTimeAsync(2000);
  expect(hub.counts.frames).toBe(3);
  expect(vi.getTimerCount()).toBe(0);
});

test('a drain that is over leaves no timer', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  const reader = open();
  const drained = hub.drain({ windowMs: 60_000 });
  await reader.frames.return?.();
  await drained;
  expect(vi.getTimerCount()).toBe(0);
});
