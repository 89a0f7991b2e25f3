/** What every store must do. Each engine's test calls describeStore with a way to make a fresh store. */
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  type AppendCommand,
  type DeviceStep,
  endedTokensKeptMs,
  type LogCursor,
  type LogPage,
  type Position,
  partitionCount,
  partitionOf,
  type Store,
} from '#system/store/store.ts';

const every = Array.from({ length: partitionCount }, (_, partition) => partition);
const bytesOf = (id: string): Uint8Array => Buffer.from(JSON.stringify({ id }));
const command = (device: string, ids: readonly string[], more: Partial<AppendCommand> = {}): AppendCommand => ({
  account: 'a',
  device,
  receivedAtMs: 1000,
  rejectedCount: 0,
  events: ids.map((id) => ({ id, bytes: bytesOf(id) })),
  ...more,
});

async function readAll(store: Store, limitEvents = 1000, account?: string): Promise<LogPage['events']> {
  const events: LogPage['events'][number][] = [];
  let after: LogCursor = {};
  for (;;) {
    const page = await store.readLog({ partitions: every, after, limitEvents, ...(account !== undefined && { account }) });
    expect(page.events.length).toBeLessThanOrEqual(limitEvents);
    events.push(...page.events);
    after = page.cursor;
    if (page.atEnd) return events;
  }
}

const hold = async (store: Store, partition: number, owner = 'w', nowMs = 0): Promise<{ fence: number; checkpoint: Position }> => {
  const result = await store.lease({ partition, owner, nowMs, ttlMs: 1000 });
  if (result.kind !== 'held') throw new Error(`The lease is ${result.kind}.`);
  return result;
};

/** Steps over all that is pending of one device's partition: every third event is filtered. */
async function stepOver(store: Store, device: string): Promise<void> {
  const partition = partitionOf('a', device);
  const { fence, checkpoint } = await hold(store, partition);
  const { events } = await store.readLog({ partitions: [partition], after: { [partition]: checkpoint }, limitEvents: 1000 });
  const to = events.at(-1)?.position;
  if (to === undefined) return;
  const devices = [...new Set(events.map((event) => event.device))].map((name): DeviceStep => {
    const own = events.filter((event) => event.device === name);
    return {
      account: 'a',
      device: name,
      kept: own.filter((_, i) => i % 3 !== 2).map(({ position }) => position),
      filtered: own.filter((_, i) => i % 3 === 2).map(({ position }) => ({ position, reason: 'zero' })),
    };
  });
  expect(await store.step({ partition, fence, from: checkpoint, to, devices })).toEqual({ kind: 'stepped' });
}

async function expectConserved(store: Store): Promise<void> {
  const [counters, backlog] = await Promise.all([store.readCounters(), store.readBacklog()]);
  const filtered = Object.values(counters.filtered).reduce((sum, count) => sum + count, 0);
  expect(backlog.pending + counters.kept + filtered).toBe(counters.accepted);
  expect(backlog.oldestReceivedAtMs === undefined).toBe(backlog.pending === 0);
}

export function describeStore(name: string, factory: () => Promise<Store>): void {
  describe(name, () => {
    let store: Store;
    beforeEach(async () => {
      store = await factory();
    });
    afterEach(() => store.close());
    appendRules(() => store, factory);
    logRules(() => store);
    stepRules(() => store, factory);
    stateRules(() => store);
    rowRules(() => store);
  });
}

function appendRules(store: () => Store, factory: () => Promise<Store>): void {
  it('accepts an id once, within and across batches', async () => {
    const batches = fc.array(fc.record({ device: fc.constantFrom('d1', 'd2'), ids: fc.array(fc.constantFrom('1', '2', '3', '4'), { maxLength: 6 }) }), {
      maxLength: 8,
    });
    await fc.assert(
      fc.asyncProperty(batches, async (all) => {
        const fresh = await factory();
        try {
          const results = await Promise.all(all.map(({ device, ids }) => fresh.append(command(device, ids, { rejectedCount: 1 }))));
          const known = new Set(all.flatMap(({ device, ids }) => ids.map((id) => `${device}/${id}`)));
          const sent = all.reduce((sum, { ids }) => sum + ids.length, 0);
          expect(results.reduce((sum, result) => sum + (result.kind === 'appended' ? result.accepted : 0), 0)).toBe(known.size);
          expect((await readAll(fresh)).map((event) => `${event.device}/${event.id}`).sort()).toEqual([...known].sort());
          expect(await fresh.readCounters('a')).toEqual({ accepted: known.size, duplicate: sent - known.size, rejected: all.length, kept: 0, filtered: {} });
        } finally {
          await fresh.close();
        }
      }),
      { numRuns: 15 },
    );
  });

  it('accepts one of 32 concurrent sends of an id', async () => {
    const results = await Promise.all(Array.from({ length: 32 }, () => store().append(command('d', ['same']))));
    expect(results.filter((result) => result.kind === 'appended' && result.accepted === 1)).toHaveLength(1);
    expect(await readAll(store())).toHaveLength(1);
  });

  it('does not confuse accounts, devices and ids', async () => {
    await Promise.all([store().append(command('d', ['1'])), store().append(command('d1', [''])), store().append({ ...command('d', ['1']), account: 'b' })]);
    expect(await readAll(store())).toHaveLength(3);
  });

  it('replays an idempotency key of one device and refuses it with another body', async () => {
    const idempotency = { key: 'k', digest: 'x', note: '{"rejected":[]}' };
    const first = await store().append(command('d', ['1', '2', '2'], { idempotency }));
    const again = await store().append(command('d', ['1', '2', '2'], { idempotency }));
    expect(first).toMatchObject({ kind: 'appended', accepted: 2, duplicate: 1 });
    expect(again).toEqual({ ...first, kind: 'replayed', note: idempotency.note });
    expect(await store().append(command('d', ['3'], { idempotency: { ...idempotency, digest: 'y' } }))).toEqual({ kind: 'idempotency-mismatch' });
    expect(await store().append(command('e', ['3'], { idempotency: { ...idempotency, digest: 'y' } }))).toMatchObject({ kind: 'appended', accepted: 1 });
    expect(await store().readCounters()).toMatchObject({ accepted: 3, duplicate: 1 });
  });

  it('orders what was acknowledged before before what was sent after', async () => {
    let before: Position = '';
    for (let i = 0; i < 20; i++) {
      const result = await store().append(command('d', [`${i}`]));
      if (result.kind === 'idempotency-mismatch') throw new Error('no key was sent');
      expect(result.position > before).toBe(true);
      expect(result.position.length).toBeLessThanOrEqual(32);
      before = result.position;
    }
    expect((await readAll(store())).map(({ id }) => id)).toEqual(Array.from({ length: 20 }, (_, i) => `${i}`));
    expect(await store().append(command('d', ['3']))).toEqual({ kind: 'appended', accepted: 0, duplicate: 1, position: before });
  });
}

function logRules(store: () => Store): void {
  it('reads the same log at every page size, for all and for one account, bytes as they came', async () => {
    const commands = Array.from({ length: 30 }, (_, i) => command(`d${i % 7}`, [`${i}`, `${i}-ü`], { account: i % 3 === 0 ? 'b' : 'a', receivedAtMs: i }));
    await Promise.all(commands.slice(0, 20).map((each) => store().append(each)));
    for (const each of commands.slice(20)) await store().append(each);
    const whole = await readAll(store());
    expect(whole).toHaveLength(60);
    for (const event of whole) expect(Buffer.from(event.bytes)).toEqual(bytesOf(event.id));
    for (const limit of [1, 2, 3, 7, 59, 60]) {
      expect((await readAll(store(), limit)).map(({ position }) => position)).toEqual(whole.map(({ position }) => position));
      const own = await readAll(store(), limit, 'b');
      expect(own.map(({ position }) => position)).toEqual(whole.filter(({ account }) => account === 'b').map(({ position }) => position));
    }
  });

  it('shows history with pending ones at once, pages without gaps, and bounds by received time', async () => {
    for (let i = 0; i < 100; i++) await store().append(command('d', [`${i}`], { receivedAtMs: i }));
    await stepOver(store(), 'd');
    await store().append(command('d', ['new'], { receivedAtMs: 500 }));
    const base = { account: 'a', device: 'd' };
    const ids: string[] = [];
    let after = '';
    for (let atEnd = false; !atEnd; ) {
      const page = await store().readHistory({ ...base, after, limit: 9, include: 'all' });
      ids.push(...page.events.map(({ id, disposition }) => `${id}:${disposition}`));
      after = page.events.at(-1)?.position ?? after;
      ({ atEnd } = page);
    }
    expect(ids).toEqual([...Array.from({ length: 100 }, (_, i) => `${i}:${i % 3 === 2 ? 'filtered:zero' : 'kept'}`), 'new:pending']);
    const kept = await store().readHistory({ ...base, after: '', limit: 1000, include: 'kept' });
    expect(kept.events.every(({ disposition }) => disposition === 'kept')).toBe(true);
    expect(kept.events).toHaveLength(67);
    const some = await store().readHistory({ ...base, after: '', limit: 1000, include: 'all', fromMs: 10, toMs: 12 });
    expect(some.events.map(({ id }) => id)).toEqual(['10', '11']);
  });
}

function stepRules(store: () => Store, factory: () => Promise<Store>): void {
  it('conserves: accepted = pending + kept + filtered, at every moment, and the log says the same', async () => {
    for (let round = 0; round < 5; round++) {
      await Promise.all(['d1', 'd2', 'd3'].map((device) => store().append(command(device, [`${round}`, `${round}x`, '0']))));
      await expectConserved(store());
      await stepOver(store(), round % 2 === 0 ? 'd1' : 'd2');
      await expectConserved(store());
    }
    const counters = await store().readCounters();
    const log = await readAll(store());
    expect(log.filter(({ disposition }) => disposition === 'kept')).toHaveLength(counters.kept);
    expect(log.filter(({ disposition }) => disposition === 'filtered:zero')).toHaveLength(counters.filtered.zero ?? 0);
    expect(log.filter(({ disposition }) => disposition === 'pending')).toHaveLength((await store().readBacklog()).pending);
  });

  it('fences: a step under an older fence is refused, and one from a stale checkpoint says where it is', async () => {
    const first = await hold(store(), 5, 'one');
    expect(await store().lease({ partition: 5, owner: 'two', nowMs: 10, ttlMs: 1000 })).toEqual({ kind: 'taken', owner: 'one', untilMs: 1000 });
    const second = await hold(store(), 5, 'two', 1001);
    expect(second.fence).toBeGreaterThan(first.fence);
    const move = { partition: 5, from: '', to: '0001', devices: [] };
    expect(await store().step({ ...move, fence: first.fence })).toEqual({ kind: 'fenced' });
    expect(await store().step({ ...move, fence: second.fence })).toEqual({ kind: 'stepped' });
    expect(await store().step({ ...move, fence: second.fence })).toEqual({ kind: 'moved', checkpoint: '0001' });
    const device = Array.from({ length: 1000 }, (_, i) => `d${i}`).find((name) => partitionOf('a', name) === 5) ?? '';
    await store().touch({ account: 'a', device, nowMs: 1001, timeoutMs: 10 });
    await store().release({ partition: 5, owner: 'two', fence: second.fence });
    expect(await store().step({ ...move, from: '0001', fence: second.fence })).toEqual({ kind: 'fenced' });
    expect(await store().expire({ partition: 5, fence: second.fence, nowMs: 2000, timeoutMs: 10, limit: 1 })).toEqual([]);
    expect((await hold(store(), 5, 'one', 1002)).checkpoint).toBe('0001');
  });

  it('takes a lease and a plan over once the clock was put back, and not for clocks that differ a little', async () => {
    const hourMs = 3_600_000;
    const lease = (owner: string, nowMs: number) => store().lease({ partition: 5, owner, nowMs, ttlMs: 1000 });
    const { fence } = await hold(store(), 5, 'one', hourMs);
    expect(await lease('two', hourMs - 3000)).toMatchObject({ kind: 'taken' });
    expect(await store().step({ partition: 5, from: '', to: '0001', devices: [], fence })).toEqual({ kind: 'stepped' });
    expect(await lease('two', 1000)).toMatchObject({ kind: 'held', checkpoint: '0001' });
    expect(await lease('one', 1000)).toMatchObject({ kind: 'taken', owner: 'two' });
    const plan = (owner: string, nowMs: number) => store().planArchive({ partition: 5, owner, name: owner, to: '0001', nowMs, ttlMs: 1000 });
    expect(await plan('one', hourMs)).toMatchObject({ kind: 'planned', name: 'one' });
    expect(await plan('two', hourMs - 3000)).toEqual({ kind: 'idle' });
    expect(await plan('two', 1000)).toMatchObject({ kind: 'planned', name: 'one' });
    expect(await plan('one', 1000)).toEqual({ kind: 'idle' });
  });

  it('moves latest forward only, whatever the order, ties by id', async () => {
    const points = ['1/a', '2/a', '2/b', '3/a', '3/c', '3/b'];
    await fc.assert(
      fc.asyncProperty(fc.shuffledSubarray(points, { minLength: points.length }), async (order) => {
        const fresh = await factory();
        try {
          const partition = partitionOf('a', 'd');
          const { fence } = await hold(fresh, partition);
          let from = '';
          for (const [i, point] of order.entries()) {
            const to = `${i + 1}`;
            const latest = { recordedAtMs: Number(point[0]), id: point.slice(2), position: to, bytes: bytesOf(point) };
            await fresh.step({ partition, fence, from, to, devices: [{ account: 'a', device: 'd', kept: [to], filtered: [], latest }] });
            from = to;
          }
          const latest = await fresh.readLatest({ account: 'a', device: 'd' });
          expect(latest).toMatchObject({ recordedAtMs: 3, id: 'c' });
          expect(Buffer.from(latest?.bytes ?? [])).toEqual(bytesOf('3/c'));
        } finally {
          await fresh.close();
        }
      }),
      { numRuns: 10 },
    );
  });
}

function stateRules(store: () => Store): void {
  it('keeps what the pipeline knows of a device with its step, and nothing of a step that was refused', async () => {
    const partition = partitionOf('a', 'd');
    const other = ['e', 'f', 'g', 'h', 'i', 'j', 'k'].find((name) => partitionOf('a', name) !== partition) ?? '';
    const ref = { account: 'a', device: 'd' };
    const { fence } = await hold(store(), partition);
    expect(await store().readStates([ref, { account: 'a', device: other }])).toEqual([undefined, undefined]);
    const step = { ...ref, kept: [], filtered: [] };
    const positions = ['0000000000010000', '0000000000020000', '0000000000030000', '0000000000040000'] as const;
    const stateNow = async () => Buffer.from((await store().readStates([ref]))[0] ?? []).toString();
    await store().step({ partition, fence, from: '', to: positions[0], devices: [{ ...step, kept: [positions[0]], state: Buffer.from('one') }] });
    expect(await stateNow()).toBe('one');
    const latest = { recordedAtMs: 1, id: 'x', position: positions[1], bytes: bytesOf('x') };
    await store().step({ partition, fence, from: positions[0], to: positions[1], devices: [{ ...step, kept: [positions[1]], latest }] });
    expect(await stateNow()).toBe('one');
    await store().step({ partition, fence, from: positions[1], to: positions[2], devices: [{ ...step, state: Buffer.from('longer than before') }] });
    expect(await stateNow()).toBe('longer than before');
    expect(Buffer.from((await store().readLatest(ref))?.bytes ?? [])).toEqual(bytesOf('x'));
    await store().step({ partition, fence: fence - 1, from: positions[2], to: positions[3], devices: [{ ...step, state: Buffer.from('fenced') }] });
    await store().step({ partition, fence, from: positions[1], to: positions[3], devices: [{ ...step, state: Buffer.from('moved') }] });
    expect(await stateNow()).toBe('longer than before');
  });

  it('notices a clock that changed once, whoever and however many tell it', async () => {
    const note = { account: 'a', device: 'd', toleranceMs: 100, nowMs: 7 };
    expect(await store().noteClock({ ...note, offsetMs: 100 })).toBe(false);
    expect(await store().readClock(note)).toBeUndefined();
    const told = await Promise.all(Array.from({ length: 8 }, (_, i) => store().noteClock({ ...note, offsetMs: 500 + i })));
    expect(told.filter((changed) => changed)).toHaveLength(1);
    expect(await store().readClock(note)).toMatchObject({ sinceMs: 7 });
    expect(await store().noteClock({ ...note, offsetMs: 0, nowMs: 8 })).toBe(true);
    expect(await store().readClock(note)).toEqual({ offsetMs: 0, sinceMs: 8 });
  });
}

function rowRules(store: () => Store): void {
  it('ends a scan from what is no position', async () => {
    expect((await store().readLog({ partitions: every, after: { 0: 'zzzz' }, limitEvents: 10 })).atEnd).toBe(true);
  });

  it('compares and sets device rows, keeps the first account and the first settled candidate', async () => {
    const row = { version: 1, secretDigest: 's', generation: 0, deleted: false, registeredAtMs: 1, changedAtMs: 1, attributes: { name: 'x' } };
    const put = { account: 'a', device: 'd', expected: undefined, row };
    const kinds = await Promise.all([store().putDevice(put), store().putDevice(put)]);
    expect(kinds).toEqual([{ kind: 'stored' }, { kind: 'conflict', row }]);
    expect(await store().putDevice({ ...put, expected: 1, row: { ...row, version: 2 } })).toEqual({ kind: 'stored' });
    expect(await store().readDevice({ account: 'a', device: 'd' })).toEqual({ ...row, version: 2 });
    const account = { account: 'a', name: 'n', secretDigest: 's', publishableKeyDigest: 'p', createdAtMs: 1, quotas: {} };
    expect(await store().putAccount(account)).toEqual({ kind: 'stored' });
    expect(await store().putAccount({ ...account, name: 'other' })).toEqual({ kind: 'conflict' });
    expect(await store().readAccount('a')).toEqual(account);
    expect(await Promise.all(['1', '2'].map((candidate) => store().settle({ name: 'key', candidate })))).toEqual(['1', '1']);
  });

  it('knows whose tokens ended, in order of time, for as long as their tokens may live', async () => {
    const row = { version: 1, secretDigest: 's', generation: 1, deleted: false, registeredAtMs: 1, changedAtMs: 1, attributes: {} };
    const create = (account: string, device: string) => store().putDevice({ account, device, expected: undefined, row });
    const remove = (account: string, device: string, changedAtMs: number) =>
      store().putDevice({ account, device, expected: 1, row: { ...row, version: 2, generation: 2, deleted: device !== 'd2', changedAtMs } });
    await Promise.all([create('a', 'd1'), create('b', 'd1'), create('a', 'd2'), create('a', 'd3')]);
    await Promise.all([remove('a', 'd1', 5000), remove('b', 'd1', 7000), remove('a', 'd2', 6000)]);
    expect(await remove('a', 'd2', 9000)).toMatchObject({ kind: 'conflict' });
    const all = [
      { account: 'a', device: 'd1', generation: 2, atMs: 5000 },
      { account: 'a', device: 'd2', generation: 2, atMs: 6000 },
      { account: 'b', device: 'd1', generation: 2, atMs: 7000 },
    ];
    expect(await store().readEndedTokens({ fromMs: -1, limit: 10 })).toEqual(all);
    expect(await store().readEndedTokens({ fromMs: 6000, limit: 10 })).toEqual(all.slice(1));
    expect(await store().readEndedTokens({ fromMs: 0, limit: 2 })).toEqual(all.slice(0, 2));
    await remove('a', 'd3', 6000 + endedTokensKeptMs);
    expect(await store().readEndedTokens({ fromMs: 6000, limit: 10 })).toEqual([
      ...all.slice(1),
      { account: 'a', device: 'd3', generation: 2, atMs: 6000 + endedTokensKeptMs },
    ]);
  });

  it('leases quotas: a burst, then the rate, over all who ask; debts are paid first', async () => {
    const lease = (wanted: number, nowMs: number, spent = 0) => store().leaseQuota({ name: 'q', ratePerSecond: 10, burst: 5, wanted, spent, nowMs });
    const first = await Promise.all([lease(3, 1000), lease(3, 1000), lease(3, 1000)]);
    expect(first.map(({ granted }) => granted).sort()).toEqual([0, 2, 3]);
    expect(await lease(3, 1099)).toMatchObject({ granted: 0 });
    expect(await lease(3, 1250)).toMatchObject({ granted: 2 });
    expect(await lease(3, 900)).toMatchObject({ granted: 0 });
    expect(await lease(1, 2250, 3)).toMatchObject({ granted: 1, left: 1 });
    expect(await lease(1, 2250, 100)).toMatchObject({ granted: 0, left: -5 });
    expect(await lease(100, 60_000)).toEqual({ granted: 5, left: 0 });
  });

  it('fills a bucket at its rate again once the clock was put back, and not twice for clocks that differ a little', async () => {
    const lease = (wanted: number, nowMs: number) => store().leaseQuota({ name: 'q', ratePerSecond: 10, burst: 5, wanted, spent: 0, nowMs });
    expect(await lease(5, 3_600_000)).toEqual({ granted: 5, left: 0 });
    expect(await lease(5, 3_597_000)).toEqual({ granted: 0, left: 0 });
    expect(await lease(5, 3_600_100)).toEqual({ granted: 1, left: 0 });
    expect(await lease(5, 1000)).toEqual({ granted: 0, left: 0 });
    expect(await lease(5, 1200)).toEqual({ granted: 2, left: 0 });
  });

  it('refuses work after close', async () => {
    await store().close();
    await expect(store().append(command('d', ['1']))).rejects.toMatchObject({ trouble: 'closed' });
  });
}
