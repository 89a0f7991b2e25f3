/** What the archive must do over any vault: the log, the archive and history as they are, a vault of the caller's. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
// biome-ignore lint/style/noRestrictedImports: only tests import this file, and what they prove is about the real store
import { type DirectStore, openDirectStore } from '#system/store/lmdb/direct-store.ts';
// biome-ignore lint/style/noRestrictedImports: only tests import this file, and what they prove is about the real store
import { openTables, readHead, type Tables } from '#system/store/lmdb/tables.ts';
import { allPartitions, type LogEvent, partitionOf } from '#system/store/store.ts';
import { type ArchiverOptions, archiveOnce, startArchiver } from './archiver.ts';
import { createHistory } from './history.ts';
import { unpackManifest, unpackSegment } from './segment.ts';
import type { Vault } from './vault.ts';

const hourMs = 3_600_000;
const startMs = Date.parse('2026-11-24T20:00:00Z');
const working = { wait: async (): Promise<void> => undefined, isStopping: () => false };
const crashed = new Error('crashed');
const devices = ['d1', 'd2', 'd3'];

export function describeArchive(name: string, factory: () => Promise<Vault>): void {
  describe(name, () => {
    let use: Fixture;
    beforeEach(async () => {
      use = openFixture(await factory());
    });
    afterEach(() => use.close());
    const fixture = (): Fixture => use;
    keepsOnce(fixture);
    survivesCrashes(fixture);
    sharesWork(fixture);
    pausesWithoutWork(fixture);
    stopsInsideOfARun(fixture);
    goesOnAfterAStepBack(fixture);
    survivesTheDead(fixture);
    readsOver(fixture);
    holdsThePruning(fixture);
  });
}

type Fixture = {
  readonly tables: Tables;
  readonly store: DirectStore;
  readonly vault: Vault;
  readonly sent: () => number;
  readonly nowMs: () => number;
  readonly wait: (ms: number) => void;
  /** So many records of two events, one device after the other. */
  readonly send: (records: number) => Promise<void>;
  readonly stepOver: () => Promise<void>;
  readonly options: (change: Partial<ArchiverOptions>) => ArchiverOptions;
  /** True: there is more. */
  readonly archiveOnce: (change?: Partial<ArchiverOptions>) => Promise<boolean>;
  readonly archiveAll: (change?: Partial<ArchiverOptions>) => Promise<void>;
  /** Everything that the store's list of runs leads to. */
  readonly archived: () => Promise<readonly LogEvent[]>;
  readonly keptIds: () => readonly string[];
  readonly close: () => Promise<void>;
};

function openFixture(vault: Vault): Fixture {
  const folder = mkdtempSync(join(tmpdir(), 'archive-'));
  const tables = openTables(folder, true);
  let nowMs = startMs;
  let uptimeMs = 0;
  const machine = { boot: 'one', uptimeMs: () => uptimeMs, wallMs: () => nowMs };
  const settings = { folder, dedupeHours: 24, hotWindowHours: 24, eventsPerRun: 200, isArchived: true, durability: 'memory' } as const;
  const store = openDirectStore(tables, settings, { machine });
  let sent = 0;
  const options = (change: Partial<ArchiverOptions>): ArchiverOptions => ({
    store,
    vault,
    clock: { wallMs: () => nowMs, monotonicMs: () => nowMs },
    owner: 'one',
    everyMs: 1000,
    segmentBytesMax: 100,
    bytesPerSecondMax: 1e9,
    onTrouble: (error) => {
      throw error;
    },
    ...change,
  });
  return {
    tables,
    store,
    vault,
    sent: () => sent,
    nowMs: () => nowMs,
    wait: (ms) => {
      nowMs += ms;
      uptimeMs += Math.max(0, ms);
    },
    send: async (records) => {
      for (let i = 0; i < records; i++, sent++) {
        const device = devices[sent % devices.length] as string;
        const events = [0, 1].map((part) => ({ id: `e${sent}-${part}`, bytes: Buffer.from(JSON.stringify({ id: `e${sent}-${part}`, note: 'ü' })) }));
        await store.append({ account: 'a', device, receivedAtMs: nowMs, rejectedCount: 0, events });
      }
    },
    stepOver: async () => {
      for (const partition of allPartitions) await stepPartition(store, partition, nowMs);
    },
    options,
    archiveOnce: (change = {}) => archiveOnce(options(change), working),
    archiveAll: async (change = {}) => {
      while (await archiveOnce(options(change), working));
    },
    archived: () => readArchived(store, vault),
    keptIds: () => Array.from({ length: sent }, (_, i) => `e${i}-0`),
    close: async () => {
      vault.close();
      await store.close();
      await tables.root.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** As the pipeline does: the second event of each pair is filtered, and a lease moves a quiet partition on. */
async function stepPartition(store: DirectStore, partition: number, nowMs: number): Promise<void> {
  const lease = { partition, owner: 'w', nowMs, ttlMs: 1e9 };
  const held = await store.lease(lease);
  if (held.kind !== 'held') throw new Error(held.kind);
  const { events } = await store.readLog({ partitions: [partition], after: { [partition]: held.checkpoint }, limitEvents: 100_000 });
  const to = events.at(-1)?.position;
  if (to === undefined) return;
  const steps = [...Map.groupBy(events, ({ device }) => device)].map(([device, own]) => ({
    account: 'a',
    device,
    kept: own.filter(({ id }) => id.endsWith('-0')).map(({ position }) => position),
    filtered: own.filter(({ id }) => id.endsWith('-1')).map(({ position }) => ({ position, reason: 'zero' })),
  }));
  await store.step({ partition, fence: held.fence, from: held.checkpoint, to, devices: steps });
  await store.lease(lease);
}

async function readArchived(store: DirectStore, vault: Vault): Promise<readonly LogEvent[]> {
  const events: LogEvent[] = [];
  for (const partition of allPartitions) {
    for (const { key, from, to } of await store.readArchivedRuns({ partition, after: '', limit: 1000 })) {
      const manifest = unpackManifest((await vault.get(key)) as Uint8Array);
      expect([manifest.from, manifest.to, manifest.bucket]).toEqual([from, to, partition]);
      for (const segment of manifest.segments) events.push(...unpackSegment((await vault.get(segment.key)) as Uint8Array, partition));
    }
  }
  return events;
}

const placeOf = (id: string): number => Number.parseInt(id.slice(1), 10);
const idsOf = (events: readonly LogEvent[]): readonly string[] => events.map(({ id }) => id).sort((a, b) => placeOf(a) - placeOf(b));

function keepsOnce(fixture: () => Fixture): void {
  test('what was kept is archived once, to the byte; what was filtered or is pending is not', async () => {
    const use = fixture();
    await use.send(30);
    await use.stepOver();
    const settled = use.sent();
    await use.send(6);
    await use.archiveAll();
    await use.archiveAll();
    const events = await use.archived();
    expect(idsOf(events)).toEqual(use.keptIds().slice(0, settled));
    for (const { id, bytes, account, device } of events) {
      expect(Buffer.from(bytes).toString('utf8')).toBe(JSON.stringify({ id, note: 'ü' }));
      expect([account, devices.includes(device)]).toEqual(['a', true]);
    }
    const { totals } = await use.store.readArchive();
    expect(totals.events).toBe(settled);
    expect(totals.segments).toBeGreaterThan(3);
    await use.stepOver();
    await use.archiveAll();
    expect(idsOf(await use.archived())).toEqual(use.keptIds());
  });
}

function survivesCrashes(fixture: () => Fixture): void {
  test('a crash between any two steps leaves nothing half, and whoever goes on neither loses nor doubles', async () => {
    const use = fixture();
    await use.send(30);
    await use.stepOver();
    let crashes = 0;
    for (let stepsUntilCrash = 0; ; stepsUntilCrash++) {
      let left = stepsUntilCrash;
      const orCrash =
        <A extends readonly unknown[], R>(work: (...args: A) => Promise<R>, when: 'before' | 'after') =>
        async (...args: A): Promise<R> => {
          if (when === 'before' && left-- === 0) throw crashed;
          const result = await work(...args);
          if (when === 'after' && left-- === 0) throw crashed;
          return result;
        };
      const faulty = {
        store: {
          ...use.store,
          planArchive: orCrash(use.store.planArchive, 'after'),
          commitArchive: orCrash(orCrash(use.store.commitArchive, 'after'), 'before'),
        },
        vault: { ...use.vault, put: orCrash(use.vault.put, 'after') },
        owner: `worker-${stepsUntilCrash}`,
      };
      const outcome = await use.archiveAll(faulty).catch((error: unknown) => error);
      // Each is dead, and its plan's time over, before the next one comes.
      use.wait(hourMs);
      const ids = idsOf(await use.archived());
      expect(new Set(ids).size).toBe(ids.length);
      if (stepsUntilCrash % 3 === 0) {
        await use.send(3);
        await use.stepOver();
      }
      if (outcome === undefined) break;
      expect(outcome).toBe(crashed);
      crashes++;
    }
    expect(crashes).toBeGreaterThan(5);
    await use.archiveAll({ owner: 'last' });
    expect(idsOf(await use.archived())).toEqual(use.keptIds());
    expect((await use.store.readArchive()).totals.events).toBe(use.sent());
  });
}

function sharesWork(fixture: () => Fixture): void {
  test('two workers at once archive each slice once', async () => {
    const use = fixture();
    for (let round = 0; round < 5; round++) {
      await use.send(12);
      await use.stepOver();
      await Promise.all(['one', 'two'].map((owner) => use.archiveAll({ owner })));
    }
    expect(idsOf(await use.archived())).toEqual(use.keptIds());
    expect((await use.store.readArchive()).totals.events).toBe(use.sent());
  });
}

function pausesWithoutWork(fixture: () => Fixture): void {
  test('more events than a run takes, and none that may be archived: there is no more to do now', async () => {
    const use = fixture();
    await use.send(30);
    // The pipeline has not come so far, and the log goes on behind what was read.
    const store = { ...use.store, readLog: async (query: Parameters<DirectStore['readLog']>[0]) => ({ ...(await use.store.readLog(query)), atEnd: false }) };
    expect(await use.archiveOnce({ store })).toBe(false);
    await use.stepOver();
    expect(await use.archiveOnce({ store }), 'what was archived may have more behind it').toBe(true);
    expect(await use.archiveOnce({ store })).toBe(false);
    expect(idsOf(await use.archived())).toEqual(use.keptIds());
  });
}

function stopsInsideOfARun(fixture: () => Fixture): void {
  test('who stops ends behind the object that is being written, and another carries the run on', async () => {
    const use = fixture();
    await use.send(30);
    await use.stepOver();
    let puts = 0;
    let begun: () => void = () => undefined;
    const beginning = new Promise<void>((resolve) => {
      begun = resolve;
    });
    const put: Vault['put'] = async (key, bytes) => {
      puts++;
      begun();
      await use.vault.put(key, bytes);
    };
    // At a byte a second each segment would be waited for some minutes.
    const archiver = startArchiver(use.options({ everyMs: 0, bytesPerSecondMax: 1, vault: { ...use.vault, put } }));
    await beginning;
    await archiver.stop();
    expect(puts).toBe(1);
    expect(await use.archived()).toEqual([]);
    use.wait(hourMs);
    await use.archiveAll({ owner: 'next' });
    expect(idsOf(await use.archived())).toEqual(use.keptIds());
  });
}

function goesOnAfterAStepBack(fixture: () => Fixture): void {
  test('a clock that was put back does not end archiving: what ended in the future counts for nothing', async () => {
    const use = fixture();
    await use.send(12);
    await use.stepOver();
    await use.archiveAll();
    use.wait(-hourMs);
    await use.send(12);
    await use.stepOver();
    const everyMs = 10;
    const archiver = startArchiver(use.options({ everyMs }));
    use.wait(everyMs);
    await expect.poll(async () => (await use.store.readArchive()).totals.events, { interval: everyMs, timeout: 10_000 }).toBe(use.sent());
    await archiver.stop();
    expect(idsOf(await use.archived())).toEqual(use.keptIds());
  });
}

function survivesTheDead(fixture: () => Fixture): void {
  test('one that was taken for dead and goes on does no harm', async () => {
    const use = fixture();
    await use.send(12);
    await use.stepOver();
    let release: () => void = () => undefined;
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    let begun: () => void = () => undefined;
    const beginning = new Promise<void>((resolve) => {
      begun = resolve;
    });
    const slow = {
      owner: 'slow',
      vault: {
        ...use.vault,
        put: async (key: string, bytes: Uint8Array) => {
          begun();
          await held;
          await use.vault.put(key, bytes);
        },
      },
    };
    const late = use.archiveAll(slow);
    await beginning;
    use.wait(hourMs);
    await use.send(6);
    await use.stepOver();
    await use.archiveAll({ owner: 'quick' });
    release();
    await late;
    await use.archiveAll({ owner: 'quick' });
    expect(idsOf(await use.archived())).toEqual(use.keptIds());
    expect((await use.store.readArchive()).totals.events).toBe(use.sent());
  });
}

function readsOver(fixture: () => Fixture): void {
  test('history reads over the border of log and archive: every page size, by time, nothing twice and nothing missing', async () => {
    const use = fixture();
    await use.send(150);
    await use.stepOver();
    await use.archiveAll();
    use.wait(5 * hourMs);
    const secondMs = use.nowMs();
    await use.send(60);
    await use.stepOver();
    await use.archiveAll();
    // The first part leaves the hot window, the second stays in it.
    use.wait(20 * hourMs);
    await use.send(600);
    await use.stepOver();
    const { floor } = readHead(use.tables);
    expect(floor).toBeGreaterThan(1);
    const history = createHistory(use);
    for (const device of devices) {
      const own = use.keptIds().filter((_, i) => devices[i % devices.length] === device);
      for (const limit of [1, 7, 50, 1000]) expect(await pagesOf(history, device, { limit })).toEqual(own);
      const early = await pagesOf(history, device, { limit: 9, toMs: secondMs });
      expect(early).toEqual(own.slice(0, 50));
      expect(await pagesOf(history, device, { limit: 9, fromMs: secondMs, toMs: use.nowMs() })).toEqual(own.slice(50, 70));
      const without = await use.store.readHistory({ account: 'a', device, after: '', limit: 1000, include: 'kept' });
      expect(without.events.length).toBeLessThan(own.length);
    }
    expect(await pagesOf(history, 'nobody', { limit: 5 })).toEqual([]);
  });
}

function holdsThePruning(fixture: () => Fixture): void {
  test('the log is not pruned before it is archived', async () => {
    const use = fixture();
    await use.send(150);
    await use.stepOver();
    use.wait(25 * hourMs);
    await use.send(600);
    await use.stepOver();
    expect(readHead(use.tables).floor).toBe(1);
    await use.archiveAll();
    await use.send(100);
    expect(readHead(use.tables).floor).toBeGreaterThan(1);
    expect(partitionOf('a', 'd1')).toBeLessThan(64);
  });
}

type Bounds = { readonly limit: number; readonly fromMs?: number; readonly toMs?: number };

async function pagesOf(history: ReturnType<typeof createHistory>, device: string, bounds: Bounds): Promise<readonly string[]> {
  const ids: string[] = [];
  for (let after = ''; ; ) {
    const page = await history.read({ account: 'a', device, after, include: 'kept', ...bounds });
    expect(page.events.length).toBeLessThanOrEqual(bounds.limit);
    ids.push(...page.events.map(({ id }) => id));
    if (page.atEnd) return ids;
    const next = page.next ?? page.events.at(-1)?.position ?? '';
    expect(next > after).toBe(true);
    after = next;
  }
}
