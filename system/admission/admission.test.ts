import { expect, test } from 'vitest';
import { leaseTokens, type QuotaLease, type QuotaRow } from '#system/store/store.ts';
import { retryAfterSeconds } from './admission.ts';
import { laneOf, lanes } from './lanes.ts';
import { createMetering } from './metering.ts';
import { createPlaces } from './places.ts';
import { createPressure, ofRoom, tickMs } from './pressure.ts';
import { Bucket, limitText, policyText, type Spent } from './quotas.ts';
import { budgetShare, createSignals, sampleMs } from './signals.ts';

const calm = { loopDelay: 0, logAge: 0, heap: 0, pendingBytes: 0, ingestWait: 0 };
const registration = laneOf('registration');

/** A store and workers on one clock. */
function leasing() {
  const rows = new Map<string, QuotaRow>();
  const leases: QuotaLease[] = [];
  const time = { nowMs: 0 };
  const source = {
    wallMs: () => 1_000_000 + time.nowMs,
    monotonicMs: () => time.nowMs,
    leaseQuota: async (lease: QuotaLease) => {
      leases.push(lease);
      const { row, grant } = leaseTokens(rows.get(lease.name), lease);
      rows.set(lease.name, row);
      return grant;
    },
  };
  return { source, time, leases };
}

test.each([1, 2, 5])('R51: %i workers that ask as fast as they can get burst + rate · time, within 2 %', async (workers) => {
  const { source, time } = leasing();
  const policy = { name: 'x', ratePerSecond: 50, burst: 50 };
  const buckets = Array.from({ length: workers }, () => new Bucket(source, { policy, key: 'x', creditTokens: 0 }));
  let spent = 0;
  for (; time.nowMs < 20_000; time.nowMs += 5) for (const bucket of buckets) if ((await bucket.spend()).kind === 'spent') spent++;
  expect(spent).toBeLessThanOrEqual(1050 + 1);
  expect(spent).toBeGreaterThanOrEqual(1050 * 0.98);
});

test('a device on credit pays with its first lease, and one that is slow never asks the store', async () => {
  const { source, time, leases } = leasing();
  const policy = { name: 'x', ratePerSecond: 100, burst: 200 };
  const bucket = new Bucket(source, { policy, key: 'x', creditTokens: 10 });
  for (let i = 0; i < 10; i++) expect(bucket.spend()).toMatchObject({ kind: 'spent' });
  expect(leases).toHaveLength(0);
  await bucket.spend();
  expect(leases).toMatchObject([{ spent: 10 }]);
  let more = 0;
  while ((await bucket.spend()).kind === 'spent') more++;
  expect(more).toBe(200 - 11);
  time.nowMs += 1000;
  expect((await bucket.spend()).kind).toBe('spent');
});

test('credit comes again: a slow device asks the store once a credit and not each time', async () => {
  const { source, time, leases } = leasing();
  const bucket = new Bucket(source, { policy: { name: 'x', ratePerSecond: 100, burst: 200 }, key: 'x', creditTokens: 10 });
  for (let i = 0; i < 111; i++, time.nowMs += 2000) expect((await bucket.spend()).kind).toBe('spent');
  expect(leases.map(({ spent }) => spent)).toEqual(Array.from({ length: 10 }, () => 10));
});

test.each([1, 2, 5])('R51: credit that comes again is paid: %i workers give no more than one credit each beyond burst + rate · time', async (workers) => {
  const { source, time } = leasing();
  const policy = { name: 'x', ratePerSecond: 50, burst: 200 };
  const buckets = Array.from({ length: workers }, () => new Bucket(source, { policy, key: 'x', creditTokens: 5 }));
  let spent = 0;
  for (let round = 0; round < 12; round++) {
    const untilMs = time.nowMs + 3000;
    for (; time.nowMs < untilMs; time.nowMs += 5) for (const bucket of buckets) if ((await bucket.spend()).kind === 'spent') spent++;
    expect(spent).toBeLessThanOrEqual(200 + (50 * time.nowMs) / 1000 + 5 * workers);
    // Long enough for every lease to end, too short for the bucket to be full again.
    time.nowMs += 1200;
  }
});

test('what is exceeded says how long to wait, at once and without asking again', async () => {
  const { source, leases } = leasing();
  const policy = { name: 'account-read', ratePerSecond: 0.5, burst: 1 };
  const bucket = new Bucket(source, { policy, key: 'x', creditTokens: 0 });
  await bucket.spend();
  const exceeded = (await bucket.spend()) as Spent;
  expect(exceeded).toMatchObject({ kind: 'exceeded', waitMs: 2000 });
  for (let i = 0; i < 100; i++) expect(bucket.spend()).toMatchObject({ kind: 'exceeded' });
  expect(leases).toHaveLength(2);
  expect([policyText(policy), limitText(exceeded)]).toEqual(['"account-read";q=1;w=2', '"account-read";r=0;t=2']);
});

test('a store that cannot lease refuses nobody by quota', async () => {
  const { source } = leasing();
  const failing = { ...source, leaseQuota: () => Promise.reject(new Error('full')) };
  const bucket = new Bucket(failing, { policy: { name: 'x', ratePerSecond: 1, burst: 1 }, key: 'x', creditTokens: 0 });
  for (let i = 0; i < 10; i++) expect((await bucket.spend()).kind).toBe('spent');
});

test('an account’s own quota counts, and the tighter of two buckets is told', async () => {
  const { source } = leasing();
  const settings = { accountPerSecond: { ingest: 1000, read: 5 }, deviceIngestPerSecond: 1 };
  const metering = createMetering({ source, settings, quota: async (_, name) => (name === 'read_per_second' ? 1 : undefined) });
  const spend = (lane: 'ingest' | 'read' | 'export', device?: string) => metering.spend({ lane, account: 'a', device });
  expect(spend('export')).toBeUndefined();
  expect(await spend('read')).toMatchObject({ policies: '"account-read";q=2;w=2', tightest: { kind: 'spent' } });
  await spend('ingest', 'd');
  await spend('ingest', 'd');
  expect(await spend('ingest', 'd')).toMatchObject({ tightest: { kind: 'exceeded', policy: { name: 'device-ingest' } } });
  expect(await spend('ingest', 'e')).toMatchObject({ tightest: { kind: 'spent' } });
});

test('where both buckets are empty, the longer wait is told', async () => {
  const { source } = leasing();
  const tellsOf = async (settings: Parameters<typeof createMetering>[0]['settings']) => {
    const metering = createMetering({ source, settings, quota: async (_, name) => (name.endsWith('_burst') ? 1 : undefined) });
    const account = JSON.stringify(settings);
    await metering.spend({ lane: 'ingest', account, device: 'd' });
    return await metering.spend({ lane: 'ingest', account, device: 'd' });
  };
  const waits = [
    await tellsOf({ accountPerSecond: { ingest: 0.1 }, deviceIngestPerSecond: 0.5 }),
    await tellsOf({ accountPerSecond: { ingest: 0.5 }, deviceIngestPerSecond: 0.1 }),
  ];
  expect(waits).toMatchObject([
    { tightest: { kind: 'exceeded', policy: { name: 'account-ingest' }, waitMs: 10_000 } },
    { tightest: { kind: 'exceeded', policy: { name: 'device-ingest' }, waitMs: 10_000 } },
  ]);
});

test('places: a share is kept, more is borrowed up to the ceiling, and what is left can be taken again', () => {
  const places = createPlaces(100);
  let borrowed = 0;
  while (places.take(registration)) borrowed++;
  expect(borrowed).toBe(registration.ceilingPercent);
  for (let i = 0; i < 40; i++) expect(places.take(laneOf('ingest'))).toBe(true);
  for (let i = 0; i < 10; i++) expect(places.take(laneOf('read')), 'its share').toBe(true);
  expect(places.take(laneOf('read'))).toBe(false);
  expect(places.take(laneOf('health'))).toBe(true);
  for (let i = 0; i < 60; i++) places.leave(registration);
  expect(places.take(laneOf('read'))).toBe(true);
});

test('pressure: lowest lanes first, in parts, with hysteresis, and never ingest for the loop’s delay', () => {
  const pressure = createPressure();
  const part = (name: string): number => pressure.letIn(laneOf(name));
  const ticks = (count: number, loopDelay: number): void => {
    for (let i = 0; i < count; i++) pressure.tick({ ...calm, loopDelay });
  };
  ticks(1, 2);
  expect(part('export'), 'one long stop is no overload').toBe(1);
  ticks(4, 2);
  expect([part('export'), part('registration'), part('read'), part('ingest')]).toEqual([1 / 16, 1 / 16, 1, 1]);
  const before = part('registration');
  ticks(20, 0.8);
  expect(part('registration'), 'between the two nothing changes').toBeLessThanOrEqual(before);
  ticks(100, 1000);
  expect(lanes.map(({ name }) => part(name)).sort()).toEqual([0.02, 0.02, 0.02, 0.02, 0.02, 0.02, 1, 1]);
  for (let i = 0; i < 10; i++) expect(pressure.takeShare(registration), 'its share').toBe(true);
  expect(pressure.takeShare(registration)).toBe(false);
  ticks(200, 0);
  expect(lanes.every(({ name }) => part(name) === 1)).toBe(true);
  for (let i = 0; i < 10; i++) pressure.tick({ ...calm, logAge: 30 });
  expect([part('health'), part('ingest') < 1]).toEqual([1, true]);
});

/** A worker on its own clock: `live` passes so many seconds, in which each append takes so long. */
function worker({ ingestBudgetMs = 250 } = {}) {
  let nowMs = 0;
  const limits = { shedDelayMs: 80, shedLogAgeMs: 500, pendingBytesMax: 2 ** 40, ingestBudgetMs };
  const signals = createSignals(limits, () => nowMs);
  const pressure = createPressure();
  const live = (seconds: number, appendMs: number): void => {
    for (const untilMs = nowMs + seconds * 1000; nowMs < untilMs; ) {
      const ended = signals.appendBegan();
      // The loop turns while the append waits: no timer is late.
      for (let waitedMs = 0; waitedMs < appendMs; waitedMs += sampleMs) {
        nowMs += sampleMs;
        signals.sample();
        if (nowMs % tickMs === 0) pressure.tick(signals.read(0));
      }
      ended();
    }
  };
  return { live, part: (name: string) => pressure.letIn(laneOf(name)) };
}

test('what ingest itself waits sheds those below it, though the loop is on time and the log young: and never ingest', () => {
  const { live, part } = worker();
  live(2, 40);
  expect([part('registration'), part('export')]).toEqual([1, 1]);
  live(2, 200);
  expect(part('registration'), 'before the budget is spent').toBeLessThan(0.1);
  expect([part('read'), part('token'), part('stream'), part('ingest'), part('health')]).toEqual([1, 1, 1, 1, 1]);
  live(2, 700);
  expect([part('read') < 0.1, part('ingest')]).toEqual([true, 1]);
  live(10, 20);
  expect([part('registration'), part('read')]).toEqual([1, 1]);
});

test('the budget decides what is too long: twice the budget, twice the wait', () => {
  const { live, part } = worker({ ingestBudgetMs: 500 });
  live(2, 200);
  expect(part('registration')).toBe(1);
  live(2, 400);
  expect(part('registration')).toBeLessThan(0.1);
});

test('what was slow and is over by the time of the reading is seen', () => {
  let nowMs = 0;
  const limits = { shedDelayMs: 80, shedLogAgeMs: 500, pendingBytesMax: 2 ** 40, ingestBudgetMs: 250 };
  const signals = createSignals(limits, () => nowMs);
  const ended = signals.appendBegan();
  nowMs += 100;
  ended();
  signals.sample();
  nowMs += 1;
  expect(signals.read(0)).toMatchObject({ logAge: 0, ingestWait: (100 - sampleMs + 100) / (250 * budgetShare) });
  expect(signals.read(0)).toMatchObject({ ingestWait: 0 });
});

test('room decides: nine tenths used is the limit, all of it is no room', () => {
  expect([ofRoom(90, 100), ofRoom(98, 100), ofRoom(100, 100)]).toEqual([expect.closeTo(1), expect.closeTo(5), Number.POSITIVE_INFINITY]);
});

test('R50: waits are whole seconds, never too short, and spread', () => {
  const waits = Array.from({ length: 1000 }, (_, i) => retryAfterSeconds(60_000, () => i / 1000));
  expect([Math.min(...waits), Math.max(...waits)]).toEqual([60, 89]);
  expect(new Set(Array.from({ length: 100 }, (_, i) => retryAfterSeconds(0, () => i / 100)))).toEqual(new Set([1, 2, 3, 4, 5]));
});
