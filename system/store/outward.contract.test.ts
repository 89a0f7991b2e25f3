/** What the outward half of every store must do. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openLmdbStore } from '#system/store/lmdb/lmdb-store.ts';
import { createMemoryStore } from '#system/store/memory/memory-store.ts';
import { type ClaimedAttempt, type DeviceRow, type Endpoint, type OutwardBounds, partitionOf, type Store } from '#system/store/store.ts';

const bounds: OutwardBounds = { queueMax: 100, eventsMax: 1000, retentionMs: 1_000_000 };
const breaker = { failuresMax: 3, openMs: 1000 };
const partition = partitionOf('a', 'account');
const endpointOf = (id: string, more: Partial<Endpoint> = {}): Endpoint => ({
  version: 1,
  account: 'a',
  id,
  url: `https://hooks.test/${id}`,
  types: ['x.happened'],
  state: { kind: 'active', sinceMs: 0 },
  secrets: [{ secret: 'whsec_AAAA' }],
  createdAtMs: 0,
  handshake: { challenge: 'c', tokenDigest: 'd', expiresAtMs: 1000, used: true },
  ...more,
});
const eventOf = (id: string, atMs = 1000, type = 'x.happened') => ({ id, type, atMs, body: JSON.stringify({ type, id }) });

function describeOutward(name: string, open: () => Promise<Store>): void {
  describe(`outward half of the ${name} store`, () => {
    let store: Store;
    beforeEach(async () => {
      store = await open();
    });
    afterEach(() => store.close());

    const put = (row: Endpoint, expected?: number) => store.putEndpoint({ expected, row, nowMs: 0 });
    const enqueue = (id: string, more: Partial<OutwardBounds> = {}, atMs = 1000) =>
      store.enqueueOutward({ account: 'a', event: eventOf(id, atMs), bounds: { ...bounds, ...more } });
    const claim = (nowMs: number, more: Partial<Parameters<Store['claimAttempts']>[0]> = {}) =>
      store.claimAttempts({ partition, nowMs, leaseMs: 500, limit: 100, suspectsMax: 50, perEndpointMax: 4, ...more });
    const settle = (claimed: ClaimedAttempt, nowMs: number, outcome: Parameters<Store['settleAttempt']>[0]['outcome']) =>
      store.settleAttempt({ ...claimed, nowMs, attempt: { atMs: nowMs, tookMs: 1, status: outcome.kind === 'delivered' ? 200 : 500 }, outcome, breaker });
    const idsOf = (claimed: readonly ClaimedAttempt[]) => claimed.map(({ endpoint, event }) => `${endpoint} ${event.id}`);
    const only = async (nowMs: number): Promise<ClaimedAttempt> => {
      const [first, ...others] = await claim(nowMs);
      if (first === undefined || others.length > 0) throw new Error(`one attempt was expected at ${nowMs}, got ${others.length + (first ? 1 : 0)}`);
      return first;
    };

    it('keeps endpoints by version, once an address', async () => {
      expect(await put(endpointOf('e1'))).toEqual({ kind: 'stored' });
      expect(await put(endpointOf('e1'))).toEqual({ kind: 'conflict' });
      expect(await put(endpointOf('e2', { url: 'https://hooks.test/e1' }))).toEqual({ kind: 'duplicate-url' });
      expect(await put(endpointOf('e1', { version: 2, url: 'https://other.test/' }), 1)).toEqual({ kind: 'stored' });
      for (let i = 2; i <= 20; i++) expect((await put(endpointOf(`e${i}`))).kind).toBe('stored');
      expect(await put(endpointOf('e21'))).toEqual({ kind: 'full' });
      expect((await store.readEndpoints({ account: 'a' })).length).toBe(20);
      expect(await store.readEndpoints({ account: 'b' })).toEqual([]);
      expect(await store.dropEndpoint({ account: 'a', endpoint: 'e1' })).toEqual({ kind: 'dropped' });
      expect(await store.readEndpoint({ account: 'a', endpoint: 'e1' })).toBeUndefined();
    });

    it('tells an event to whom it concerns, once', async () => {
      await put(endpointOf('e1'));
      await put(endpointOf('e2', { types: ['y.happened'] }));
      await put(endpointOf('e3', { state: { kind: 'pending' } }));
      expect(await enqueue('1')).toEqual({ kind: 'queued', endpoints: 1, dropped: 0 });
      expect(await enqueue('1')).toEqual({ kind: 'repeat' });
      expect(await store.enqueueOutward({ account: 'a', event: eventOf('2', 1000, 'z'), bounds })).toEqual({ kind: 'nobody' });
      expect(await store.enqueueOutward({ account: 'a', event: { ...eventOf('3'), body: 'x'.repeat(20_001) }, bounds })).toEqual({ kind: 'too-large' });
      expect(await store.readOutwardDue({ nowMs: 999 })).toEqual([]);
      expect(await store.readOutwardDue({ nowMs: 1000 })).toEqual([partition]);
      expect(idsOf(await claim(1000))).toEqual(['e1 1']);
      expect(await claim(1000)).toEqual([]);
    });

    it('gives what a silent worker has to another when its lease is over, and believes only the last', async () => {
      await put(endpointOf('e1'));
      await enqueue('1');
      const dead = await only(1000);
      expect(await claim(1499)).toEqual([]);
      expect(await store.readOutwardDue({ nowMs: 1499 })).toEqual([]);
      const second = await only(1500);
      expect([second.event.id, second.event.body, second.attempt]).toEqual(['1', dead.event.body, 0]);
      expect(await settle(dead, 1501, { kind: 'delivered' })).toEqual({ kind: 'stale' });
      expect(await settle(second, 1502, { kind: 'delivered' })).toEqual({ kind: 'settled', breakerOpened: false });
      expect(await settle(second, 1503, { kind: 'delivered' })).toEqual({ kind: 'stale' });
      expect(await claim(9999)).toEqual([]);
    });

    it('holds an endpoint to its places, and one that failed to one', async () => {
      await put(endpointOf('e1'));
      for (let i = 0; i < 10; i++) await enqueue(`${i}`);
      const four = await claim(1000);
      expect(idsOf(four)).toEqual(['e1 0', 'e1 1', 'e1 2', 'e1 3']);
      expect(await claim(1001)).toEqual([]);
      await settle(four[0] as ClaimedAttempt, 1002, { kind: 'delivered' });
      expect(idsOf(await claim(1003))).toEqual(['e1 4']);
      await settle(four[1] as ClaimedAttempt, 1004, { kind: 'retry', atMs: 5000 });
      await settle(four[2] as ClaimedAttempt, 1005, { kind: 'retry', atMs: 5000 });
      expect(await claim(1006)).toEqual([]);
      // The leases of the other two are over.
      expect((await claim(1600)).length).toBe(1);
    });

    it('passes by suspects that have no place', async () => {
      await put(endpointOf('bad'));
      await enqueue('1');
      await settle(await only(1000), 1001, { kind: 'retry', atMs: 1001 });
      await put(endpointOf('good'));
      await enqueue('2');
      expect(idsOf(await claim(1002, { suspectsMax: 0 }))).toEqual(['good 2']);
      expect((await claim(1003, { suspectsMax: 1 })).map(({ endpoint, isSuspect }) => [endpoint, isSuspect])).toEqual([['bad', true]]);
    });

    it('opens a breaker after so many failures, tries once behind it, and closes it after a success', async () => {
      await put(endpointOf('e1'));
      for (const id of ['1', '2', '3', '4']) await enqueue(id);
      const all = await claim(1000);
      const opened = [];
      for (const one of all) opened.push((await settle(one, 1001, { kind: 'retry', atMs: 1001 })) as { breakerOpened: boolean });
      expect(opened.map(({ breakerOpened }) => breakerOpened)).toEqual([false, false, true, false]);
      expect(await claim(2000)).toEqual([]);
      expect((await store.readEndpointHealth({ account: 'a', endpoint: 'e1' })).breakerUntilMs).toBe(2001);
      const trial = await only(2001);
      await settle(trial, 2002, { kind: 'retry', atMs: 2002 });
      expect(await claim(4001)).toEqual([]);
      await settle(await only(4002), 4003, { kind: 'delivered' });
      expect((await claim(4004)).length).toBe(3);
    });

    it('pauses an endpoint that asked for it, and disables one that is gone', async () => {
      await put(endpointOf('e1'));
      await enqueue('1');
      await settle(await only(1000), 1001, { kind: 'retry', atMs: 1001, pauseUntilMs: 3000 });
      await enqueue('2');
      expect(await claim(2999)).toEqual([]);
      const [first] = await claim(3000);
      await settle(first as ClaimedAttempt, 3001, { kind: 'gone' });
      expect((await store.readEndpoint({ account: 'a', endpoint: 'e1' }))?.state).toEqual({ kind: 'disabled', reason: 'gone' });
      expect(await claim(9999)).toEqual([]);
      expect(await enqueue('3')).toEqual({ kind: 'nobody' });
    });

    it('takes what an address said that its endpoint has left for nobody’s word', async () => {
      const row = endpointOf('e1');
      await put(row);
      await enqueue('1');
      const before = await only(1000);
      await put({ ...row, version: 2, url: 'https://moved.test/', state: { kind: 'active', sinceMs: 1001 } }, 1);
      expect(await settle(before, 1002, { kind: 'gone' })).toEqual({ kind: 'settled', breakerOpened: false });
      expect((await store.readEndpoint({ account: 'a', endpoint: 'e1' }))?.state.kind).toBe('active');
      expect((await store.readEndpointHealth({ account: 'a', endpoint: 'e1' })).failuresInARow).toBe(0);
      const after = await only(1003);
      expect([after.row.url, after.attempt, after.isSuspect]).toEqual(['https://moved.test/', 1, false]);
      expect(Object.keys((await store.readDeliveries({ account: 'a', endpoint: 'e1', before: undefined, limit: 1 }))[0] ?? {})).not.toContain('url');
      await settle(after, 1004, { kind: 'gone' });
      expect((await store.readEndpoint({ account: 'a', endpoint: 'e1' }))?.state).toEqual({ kind: 'disabled', reason: 'gone' });
    });

    it('sends a pending endpoint its handshake only, and later the rest', async () => {
      const row = endpointOf('e1', { state: { kind: 'pending' } });
      await put(row);
      await store.enqueueOutward({ account: 'a', event: eventOf('h', 1000, 'webhook.confirmation'), only: { endpoint: 'e1', lane: 'handshake' }, bounds });
      await store.enqueueOutward({ account: 'a', event: eventOf('t'), only: { endpoint: 'e1', lane: 'events' }, bounds });
      const handshake = await only(1000);
      expect([handshake.lane, handshake.event.id]).toEqual(['handshake', 'h']);
      await settle(handshake, 1001, { kind: 'delivered' });
      expect(await claim(1002)).toEqual([]);
      await store.putEndpoint({ expected: 1, row: { ...row, version: 2, state: { kind: 'active', sinceMs: 1002 } }, nowMs: 1002 });
      expect(idsOf(await claim(1003))).toEqual(['e1 t']);
    });

    it('leaves out what a full queue cannot take, counts it, and replays it', async () => {
      await put(endpointOf('e1'));
      expect(await enqueue('1', { queueMax: 1 })).toEqual({ kind: 'queued', endpoints: 1, dropped: 0 });
      expect(await enqueue('2', { queueMax: 1 })).toEqual({ kind: 'queued', endpoints: 0, dropped: 1 });
      const health = await store.readEndpointHealth({ account: 'a', endpoint: 'e1' });
      expect([health.waiting, health.dropped]).toEqual([1, 1]);
      await settle(await only(1000), 1001, { kind: 'dead' });
      const range = { fromMs: 0, toMs: 2000, after: 0, limit: 1 };
      const replay = (which: Parameters<Store['replayDeliveries']>[0]['which']) =>
        store.replayDeliveries({ account: 'a', endpoint: 'e1', which, nowMs: 1002, bounds });
      expect(await replay(range)).toEqual({ replayed: 1, dropped: 0, next: 1 });
      expect(await replay({ ...range, after: 1 })).toEqual({ replayed: 1, dropped: 0, next: undefined });
      expect(idsOf(await claim(1002)).sort()).toEqual(['e1 1']);
      expect(await replay({ eventId: 'nobody knows' })).toEqual({ replayed: 0, dropped: 0, next: undefined });
    });

    it('lists deliveries, the youngest first, with their attempts', async () => {
      await put(endpointOf('e1'));
      await enqueue('1');
      await settle(await only(1000), 1001, { kind: 'retry', atMs: 1002 });
      await settle(await only(1002), 1003, { kind: 'delivered' });
      await enqueue('2');
      const read = (before: number | undefined) => store.readDeliveries({ account: 'a', endpoint: 'e1', before, limit: 1 });
      const [youngest] = await read(undefined);
      expect([youngest?.eventId, youngest?.state]).toEqual(['2', 'waiting']);
      const [older] = await read(youngest?.number);
      expect([older?.eventId, older?.state, older?.attemptsMade, older?.attempts.map(({ status }) => status)]).toEqual(['1', 'delivered', 2, [500, 200]]);
      expect(await read(older?.number)).toEqual([]);
    });

    it('forgets events, and their deliveries, that are too many or too old', async () => {
      await put(endpointOf('e1'));
      for (let i = 0; i < 8; i++) await enqueue(`${i}`, { eventsMax: 3 });
      expect((await store.readDeliveries({ account: 'a', endpoint: 'e1', before: undefined, limit: 100 })).map(({ eventId }) => eventId)).toEqual([
        '7',
        '6',
        '5',
      ]);
      expect((await store.readEndpointHealth({ account: 'a', endpoint: 'e1' })).waiting).toBe(3);
      await enqueue('late', {}, 5_000_000);
      expect((await store.readDeliveries({ account: 'a', endpoint: 'e1', before: undefined, limit: 100 })).map(({ eventId }) => eventId)).toEqual(['late']);
      expect(idsOf(await claim(5_000_000))).toEqual(['e1 late']);
    });

    it('writes down what happens to a device only where somebody wants it', async () => {
      const row: DeviceRow = {
        version: 1,
        secretDigest: '',
        generation: 1,
        deleted: false,
        registeredAtMs: 5,
        changedAtMs: 5,
        attributes: { platform: 'p', push_token: 'secret' },
      };
      await store.putDevice({ account: 'a', device: 'unheard', expected: undefined, row });
      expect(await store.readHappenings({ perPartitionMax: 10 })).toEqual([]);
      await put(endpointOf('e1', { types: ['device.registered', 'device.updated', 'device.online', 'device.offline', 'location.latest'] }));
      await store.putDevice({ account: 'a', device: 'd', expected: undefined, row });
      await store.putDevice({ account: 'a', device: 'd', expected: undefined, row });
      await store.putDevice({ account: 'a', device: 'd', expected: 1, row: { ...row, version: 2 } });
      await store.touch({ account: 'a', device: 'd', nowMs: 10, timeoutMs: 5 });
      await store.touch({ account: 'a', device: 'd', nowMs: 11, timeoutMs: 5 });
      const own = partitionOf('a', 'd');
      const lease = await store.lease({ partition: own, owner: 'w', nowMs: 0, ttlMs: 1000 });
      if (lease.kind !== 'held') throw new Error(lease.kind);
      await store.append({ account: 'a', device: 'd', receivedAtMs: 12, rejectedCount: 0, events: [{ id: 'l', bytes: Buffer.from('{}') }] });
      const { events } = await store.readLog({ partitions: [own], after: {}, limitEvents: 10 });
      const at = events[0]?.position ?? '';
      const bytes = Buffer.from('{"id":"l","recorded_at":"r","data":{"lat":1.0, "2":9007199254740993,"1":-0,"1":1e400 }}');
      const latest = { recordedAtMs: 12, id: 'l', position: at, bytes };
      const devices = [{ account: 'a', device: 'd', kept: [at], filtered: [], latest, seenAtMs: 12 }];
      await store.step({ partition: own, fence: lease.fence, from: lease.checkpoint, to: at, devices, presenceTimeoutMs: 5 });
      // A store that knows real time has its event from now on.
      await store.expire({ partition: own, fence: lease.fence, nowMs: 4e12, timeoutMs: 5, limit: 10 });
      const happened = await store.readHappenings({ perPartitionMax: 10 });
      expect(happened.map(({ type }) => type)).toEqual(['device.registered', 'device.updated', 'device.online', 'location.latest', 'device.offline']);
      expect(JSON.stringify(happened)).not.toContain('secret');
      expect(JSON.parse(happened[3]?.body ?? '')).toMatchObject({ type: 'location.latest', data: { device_id: 'd', event_id: 'l', location: { lat: 1 } } });
      // As the device sent it, to the byte.
      expect(happened[3]?.body).toContain('"location":{"lat":1.0, "2":9007199254740993,"1":-0,"1":1e400 }}}');
      expect(new Set(happened.map(({ id }) => id)).size).toBe(5);
      await store.dropHappenings({ partition: own, sources: happened.slice(1).map(({ source }) => source) });
      expect((await store.readHappenings({ perPartitionMax: 10 })).map(({ type }) => type)).toEqual(['device.registered']);
    });

    it('lets no partition’s happenings hide those of another', async () => {
      await put(endpointOf('e1', { types: ['device.online'] }));
      const [first = '', ...rest] = Array.from({ length: 40 }, (_, i) => `d${i}`).sort((a, b) => partitionOf('a', a) - partitionOf('a', b));
      for (let nowMs = 1; nowMs <= 3; nowMs++) await store.touch({ account: 'a', device: `${first}`, nowMs, timeoutMs: 0 });
      for (const device of rest) await store.touch({ account: 'a', device, nowMs: 5, timeoutMs: 5 });
      const found = await store.readHappenings({ perPartitionMax: 1 });
      expect(found.length).toBe(new Set([first, ...rest].map((device) => partitionOf('a', device))).size);
    });

    it('begins anew with an endpoint that confirmed again', async () => {
      const row = endpointOf('e1');
      await put(row);
      for (const id of ['1', '2', '3']) await enqueue(id);
      for (const one of await claim(1000)) await settle(one, 1001, { kind: 'retry', atMs: 1001 });
      expect(await claim(1500)).toEqual([]);
      await store.putEndpoint({ expected: 1, row: { ...row, version: 2, url: 'https://moved.test/', state: { kind: 'active', sinceMs: 1500 } }, nowMs: 1500 });
      expect((await claim(1501)).length).toBe(3);
    });
  });
}

const base = mkdtempSync(join(tmpdir(), 'outward-'));
let made = 0;
afterAll(() => rmSync(base, { recursive: true, force: true }));

describeOutward('memory', async () => createMemoryStore());
describeOutward('lmdb', () =>
  openLmdbStore({ folder: join(base, `${made++}`), flushTimeoutMs: 2000, dedupeHours: 24, durability: 'memory', tidyEveryMs: 1e9 }),
);
