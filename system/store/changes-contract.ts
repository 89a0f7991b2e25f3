/** What the change log of every store must do, beside what describeStore asks. */
import { hash } from 'node:crypto';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Retention } from '#system/store/ordered-changes.ts';
import { type Change, type ChangeResult, changesStart, type Store, type Versions } from '#system/store/store.ts';

type Step = { readonly key: string; readonly text: string | undefined };
const log = { account: 'a', principal: 'user:u' };
const channel = 'sync:trips';
const bytesOf = (text: string): Uint8Array => Buffer.from(JSON.stringify({ text }));
const steps = fc.array(fc.record({ key: fc.constantFrom('k1', 'k2', 'k3', 'k4'), text: fc.option(fc.string({ maxLength: 8 }), { nil: undefined }) }), {
  minLength: 1,
  maxLength: 60,
});
const hour = 3_600_000;

const versions = (among: Versions | undefined, notAmong: Versions | undefined) => ({ kind: 'versions', among, notAmong }) as const;
const is = (...all: readonly number[]) => versions(all, undefined);
const isNot = (...all: readonly number[]) => versions(undefined, all);
const present = versions('any', undefined);
const absent = versions(undefined, 'any');

const put = (store: Store, { key, text }: Step, atMs = 1000, condition: Parameters<Store['change']>[0]['condition'] = { kind: 'any' }): Promise<ChangeResult> =>
  store.change({ ...log, channel, key, atMs, bytes: text === undefined ? undefined : bytesOf(text), condition });

async function replay(store: Store, after = changesStart, limit = 1000): Promise<{ changes: Change[]; hashes: Readonly<Record<string, string>> }> {
  const changes: Change[] = [];
  for (;;) {
    const page = await store.readChanges({ ...log, after, limit });
    if (page.kind !== 'changes') throw new Error(page.kind);
    changes.push(...page.changes);
    after = page.position;
    if (page.atEnd) return { changes, hashes: page.hashes };
  }
}

/** What a client that applies the changes holds. */
function fold(changes: readonly Change[], state = new Map<string, { version: number; text: string }>()): Map<string, { version: number; text: string }> {
  for (const { key, version, bytes } of changes) {
    if (bytes === undefined) state.delete(key);
    else state.set(key, { version, text: Buffer.from(bytes).toString() });
  }
  return state;
}

/** By the contract's words, from scratch. */
function hashOf(state: ReadonlyMap<string, { readonly version: number }>): string {
  let sum = 0n;
  for (const [key, { version }] of state) sum += hash('sha256', `${key}\0${version}`, 'buffer').readBigUInt64BE(0);
  return BigInt.asUintN(64, sum).toString(16).padStart(16, '0');
}

async function snapshot(store: Store, limit = 2): Promise<Map<string, { version: number; text: string }>> {
  const state = new Map<string, { version: number; text: string }>();
  for (let afterKey = ''; ; ) {
    const page = await store.readSnapshot({ ...log, channel, afterKey, limit });
    for (const { key, version, bytes } of page.items) state.set(key, { version, text: Buffer.from(bytes).toString() });
    if (page.nextAfterKey === undefined) return state;
    afterKey = page.nextAfterKey;
  }
}

export function describeChanges(name: string, factory: (retention: Retention) => Promise<Store>): void {
  describe(`${name}, changes`, () => {
    wholeLog(factory);
    retained(factory);
    conditions(factory);
    sharing(factory);
  });
}

function wholeLog(factory: (retention: Retention) => Promise<Store>): void {
  it('gives back every change in order from any point, with the state and the hash that a client computes', async () => {
    await fc.assert(
      fc.asyncProperty(steps, fc.nat(), fc.integer({ min: 1, max: 7 }), async (all, cut, limit) => {
        const store = await factory({ wholeChanges: 1000, deletionsMs: hour });
        const positions: string[] = [];
        const told: Change[] = [];
        const versions = new Map<string, number>();
        const live = new Set<string>();
        for (const { key, text } of all) {
          const result = await put(store, { key, text });
          if (text === undefined && !live.has(key)) {
            expect(result).toEqual({ kind: 'missing' });
            continue;
          }
          const version = (versions.get(key) ?? 0) + 1;
          versions.set(key, version);
          expect(result).toMatchObject({ kind: 'changed', version, created: text !== undefined && !live.has(key) });
          if (text === undefined) live.delete(key);
          else live.add(key);
          const position = (result as { position: string }).position;
          expect(position > (positions.at(-1) ?? changesStart)).toBe(true);
          positions.push(position);
          told.push({ position, channel, key, version, atMs: 1000, bytes: text === undefined ? undefined : bytesOf(text) });
        }
        const from = positions.length === 0 ? 0 : cut % positions.length;
        const { changes, hashes } = await replay(store, positions[from - 1] ?? changesStart, limit);
        const plain = (list: readonly Change[]) => list.map(({ bytes, ...rest }) => ({ ...rest, text: bytes && Buffer.from(bytes).toString() }));
        expect(plain(changes)).toEqual(plain(told.slice(from)));
        const state = fold(told);
        expect(hashes[channel] ?? '0'.repeat(16)).toBe(hashOf(state));
        expect(await snapshot(store)).toEqual(state);
        await store.close();
      }),
      { numRuns: 25 },
    );
  });

  it('keeps principals apart, and says where their heads are', async () => {
    const store = await factory({ wholeChanges: 1000, deletionsMs: hour });
    const other = { account: 'a', principal: 'user:v' };
    await put(store, { key: 'k1', text: 'x' });
    expect((await store.readItem({ ...other, channel, key: 'k1' })).item).toBeUndefined();
    const { heads } = await store.readHeads([log, other]);
    expect(heads[1]).toBe(changesStart);
    expect((heads[0] as string) > changesStart).toBe(true);
    expect(await store.readChanges({ ...other, after: heads[0] as string, limit: 1 })).toMatchObject({ kind: 'future' });
    await store.close();
  });

  it('renews the epoch once for all who found the same one void', async () => {
    const store = await factory({ wholeChanges: 1000, deletionsMs: hour });
    const { epoch } = await store.readHeads([]);
    expect(epoch).toMatch(/^[0-9a-f]{16}$/);
    const [first, second] = await Promise.all([store.renewEpoch({ expected: epoch }), store.renewEpoch({ expected: epoch })]);
    expect(first).not.toBe(epoch);
    expect(second).toBe(first);
    expect((await store.readHeads([])).epoch).toBe(first);
    await store.close();
  });
}

function retained(factory: (retention: Retention) => Promise<Store>): void {
  it('compacted, it still ends in the state from any point that it does not call expired', async () => {
    await fc.assert(
      fc.asyncProperty(steps, fc.nat(), async (all, cut) => {
        const store = await factory({ wholeChanges: 3, deletionsMs: hour });
        const results = [];
        for (const [i, step] of all.entries()) results.push(await put(store, step, i < all.length / 2 ? 1000 : 1000 + 2 * hour));
        const changed = results.filter((result) => result.kind === 'changed');
        const { changes } = await replay(store);
        const state = fold(changes);
        expect(await snapshot(store)).toEqual(state);
        expect(changes.filter(({ bytes }) => bytes !== undefined).length).toBeLessThanOrEqual(state.size + 3 + changed.length / 2);
        const at = changed.length === 0 ? changesStart : (changed[cut % changed.length]?.position ?? changesStart);
        const page = await store.readChanges({ ...log, after: at, limit: 1000 });
        if (page.kind === 'changes') {
          // Whoever stands at `at` held what a full replay up to it made; keys deleted since must be told.
          const held = fold(foldedUpTo(all, results, at));
          expect(fold(page.changes, held)).toEqual(state);
        } else expect(page.kind).toBe('expired');
        await store.close();
      }),
      { numRuns: 40 },
    );
  });

  it('reads a snapshot in bounded pages where nearly all is deleted', async () => {
    const store = await factory({ wholeChanges: 100_000, deletionsMs: hour });
    const keys = Array.from({ length: 5000 }, (_, i) => `k${10_000 + i}`);
    for (const text of ['x', undefined]) await Promise.all(keys.map((key) => put(store, { key, text })));
    await put(store, { key: 'z', text: 'last' });
    const first = await store.readSnapshot({ ...log, channel, afterKey: '', limit: 10 });
    expect([first.items, first.nextAfterKey]).toEqual([[], 'k14095']);
    expect([...(await snapshot(store)).keys()]).toEqual(['z']);
    await store.close();
  });

  it('calls a point expired that a forgotten deletion lies behind', async () => {
    const store = await factory({ wholeChanges: 1000, deletionsMs: hour });
    await put(store, { key: 'k1', text: 'x' });
    const before = await put(store, { key: 'k2', text: 'y' });
    await put(store, { key: 'k1', text: undefined });
    await put(store, { key: 'k3', text: 'z' }, 1000 + 2 * hour);
    const { position } = before as { position: string };
    expect(await store.readChanges({ ...log, after: position, limit: 10 })).toMatchObject({ kind: 'expired' });
    expect([...(await snapshot(store)).keys()]).toEqual(['k2', 'k3']);
    expect(fold((await replay(store)).changes)).toEqual(await snapshot(store));
    await store.close();
  });
}

/** The changes that led to `position`, from what was asked and answered. */
function foldedUpTo(all: readonly Step[], results: readonly ChangeResult[], position: string): readonly Change[] {
  return all.flatMap(({ key, text }, i) => {
    const result = results[i];
    if (result?.kind !== 'changed' || result.position > position) return [];
    return [{ position: result.position, channel, key, version: result.version, atMs: 0, bytes: text === undefined ? undefined : bytesOf(text) }];
  });
}

function conditions(factory: (retention: Retention) => Promise<Store>): void {
  let store: Store;
  beforeEach(async () => {
    store = await factory({ wholeChanges: 1000, deletionsMs: hour });
  });
  afterEach(() => store.close());

  it('changes an item only where the condition holds', async () => {
    expect(await put(store, { key: 'k', text: 'a' }, 1, is(1))).toEqual({ kind: 'mismatch', version: undefined });
    expect(await put(store, { key: 'k', text: 'a' }, 1, present)).toEqual({ kind: 'mismatch', version: undefined });
    expect(await put(store, { key: 'k', text: 'a' }, 1, absent)).toMatchObject({ kind: 'changed', version: 1, created: true });
    expect(await put(store, { key: 'k', text: 'b' }, 1, absent)).toEqual({ kind: 'mismatch', version: 1 });
    expect(await put(store, { key: 'k', text: 'b' }, 1, is(1))).toMatchObject({ kind: 'changed', version: 2, created: false });
    expect(await put(store, { key: 'k', text: undefined }, 1, is(1))).toEqual({ kind: 'mismatch', version: 2 });
    expect(await put(store, { key: 'k', text: undefined }, 1, is(2))).toMatchObject({ kind: 'changed', version: 3 });
    expect(await put(store, { key: 'k', text: 'c' }, 1, absent)).toMatchObject({ kind: 'changed', version: 4, created: true });
    expect(await put(store, { key: 'k', text: 'd' }, 1, is(1, 5))).toEqual({ kind: 'mismatch', version: 4 });
    expect(await put(store, { key: 'k', text: 'd' }, 1, is())).toEqual({ kind: 'mismatch', version: 4 });
    expect(await put(store, { key: 'k', text: 'd' }, 1, is(1, 4))).toMatchObject({ kind: 'changed', version: 5 });
    expect(await put(store, { key: 'k', text: 'e' }, 1, isNot(1, 5))).toEqual({ kind: 'mismatch', version: 5 });
    expect(await put(store, { key: 'k', text: 'e' }, 1, isNot(1, 4))).toMatchObject({ kind: 'changed', version: 6 });
    expect(await put(store, { key: 'k', text: 'f' }, 1, versions('any', [6]))).toEqual({ kind: 'mismatch', version: 6 });
    expect(await put(store, { key: 'other', text: 'f' }, 1, isNot(1))).toMatchObject({ kind: 'changed', version: 1, created: true });
  });

  it('of a hundred writers of one version one wins', async () => {
    await put(store, { key: 'k', text: 'a' });
    const results = await Promise.all(Array.from({ length: 100 }, (_, i) => put(store, { key: 'k', text: `${i}` }, 1, is(1))));
    expect(results.filter(({ kind }) => kind === 'changed')).toHaveLength(1);
  });

  it('takes what came through an outbox once, and nothing older after it', async () => {
    const from = (source: string, text: string | undefined) => put(store, { key: 'k', text }, 1, { kind: 'later-source', source });
    expect((await from('002', 'b')).kind).toBe('changed');
    expect((await from('002', 'b')).kind).toBe('mismatch');
    expect((await from('001', 'a')).kind).toBe('mismatch');
    expect((await from('003', undefined)).kind).toBe('changed');
    expect((await from('002', 'b')).kind).toBe('mismatch');
  });
}

function sharing(factory: (retention: Retention) => Promise<Store>): void {
  it('tells the outbox of each change of a shared item, until the share ends', async () => {
    const store = await factory({ wholeChanges: 1000, deletionsMs: hour });
    const share = { id: 's1', channel, key: 'k1', to: 'user:v', atMs: 5 };
    expect(await store.share({ ...log, share })).toEqual({ kind: 'missing' });
    await put(store, { key: 'k1', text: 'a' });
    expect(await store.share({ ...log, share })).toEqual({ kind: 'shared' });
    expect(await store.share({ ...log, share })).toEqual({ kind: 'exists', share });
    await put(store, { key: 'k1', text: 'b' });
    await put(store, { key: 'k2', text: 'unshared' });
    expect(await store.unshare({ ...log, id: 's1', atMs: 6 })).toEqual({ kind: 'unshared' });
    expect(await store.unshare({ ...log, id: 's1', atMs: 6 })).toEqual({ kind: 'missing' });
    await put(store, { key: 'k1', text: 'c' });
    const partitions = Array.from({ length: 64 }, (_, i) => i);
    const records = await store.readOutbox({ partitions, limit: 10 });
    expect(records.map(({ share: id, to, item }) => [id, to, item?.version])).toEqual([
      ['s1', 'user:v', 1],
      ['s1', 'user:v', 2],
      ['s1', 'user:v', undefined],
    ]);
    expect(records.map(({ source }) => source)).toEqual(records.map(({ source }) => source).sort());
    const [first] = records;
    if (first === undefined) throw new Error('no record');
    await store.dropOutbox({ partition: first.partition, sources: [first.source] });
    expect(await store.readOutbox({ partitions, limit: 10 })).toHaveLength(2);
    expect(await store.readOutbox({ partitions: partitions.filter((partition) => partition !== first.partition), limit: 10 })).toEqual([]);
    await store.close();
  });

  it('lists shares and ends them with their item', async () => {
    const store = await factory({ wholeChanges: 1000, deletionsMs: hour });
    await put(store, { key: 'k1', text: 'a' });
    for (const id of ['s1', 's2', 's3']) await store.share({ ...log, share: { id, channel, key: 'k1', to: `user:${id}`, atMs: 1 } });
    expect((await store.readShares({ ...log, afterId: 's1', limit: 10 })).map(({ id }) => id)).toEqual(['s2', 's3']);
    expect(await store.readShare({ ...log, id: 's2' })).toMatchObject({ id: 's2', to: 'user:s2' });
    await put(store, { key: 'k1', text: undefined });
    expect(await store.readShares({ ...log, afterId: '', limit: 10 })).toEqual([]);
    await store.close();
  });
}
