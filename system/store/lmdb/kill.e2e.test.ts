import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { type LogCursor, type LogEvent, partitionCount, type Store } from '#system/store/store.ts';
import { openLmdbStore } from './lmdb-store.ts';

const rounds = 10;
/** Whoever has not gone by then hangs. */
const hangsAfterMs = 60_000;

function start(folder: string, name: string, acknowledged: Set<string>): { readonly child: ChildProcess; readonly ready: Promise<void> } {
  const child = fork(join(import.meta.dirname, 'kill-writer.ts'), [folder, name], { execArgv: [], stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  const ready = new Promise<void>((resolve, reject) => {
    child.on('message', (message) => {
      if (message === 'ready') resolve();
      else for (const id of message as string[]) acknowledged.add(id);
    });
    child.once('exit', () => reject(new Error(`${name} ended before it was ready`)));
  });
  return { child, ready };
}

async function kill(child: ChildProcess): Promise<void> {
  const closed = once(child, 'close');
  child.kill('SIGKILL');
  await closed;
}

/** The signal that ended it; `undefined` where it stays, which ends it here. */
async function exit(child: ChildProcess): Promise<NodeJS.Signals | null | undefined> {
  const closed = once(child, 'close') as Promise<[number | null, NodeJS.Signals | null]>;
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    child.kill('SIGKILL');
  }, hangsAfterMs);
  child.send('exit');
  const [, signal] = await closed;
  clearTimeout(timer);
  return late ? undefined : signal;
}

async function everything(store: Store): Promise<LogEvent[]> {
  const events: LogEvent[] = [];
  let after: LogCursor = {};
  for (;;) {
    const page = await store.readLog({ partitions: Array.from({ length: partitionCount }, (_, i) => i), after, limitEvents: 5000 });
    events.push(...page.events);
    after = page.cursor;
    if (page.atEnd) return events;
  }
}

async function verify(folder: string, acknowledged: ReadonlySet<string>): Promise<void> {
  const store = await openLmdbStore({ folder, flushTimeoutMs: 5000, dedupeHours: 24, durability: 'fsync' });
  const log = await everything(store);
  const ids = new Set(log.map(({ id }) => id));
  expect(ids.size).toBe(log.length);
  expect([...acknowledged].filter((id) => !ids.has(id))).toEqual([]);
  const [counters, backlog] = await Promise.all([store.readCounters('a'), store.readBacklog()]);
  expect(counters.accepted).toBe(log.length);
  expect(counters.kept + backlog.pending).toBe(log.length);
  for (const device of new Set(log.map((event) => event.device))) {
    const own = log.filter((event) => event.device === device).map(({ position }) => position);
    const history = await store.readHistory({ account: 'a', device, after: '', limit: log.length, include: 'all' });
    expect(history.events.map(({ position }) => position)).toEqual(own);
    const latest = await store.readLatest({ account: 'a', device });
    const kept = history.events.filter(({ disposition }) => disposition === 'kept');
    expect(latest?.recordedAtMs).toBe(kept.length === 0 ? undefined : Math.max(...kept.map(({ receivedAtMs }) => receivedAtMs)));
  }
  await store.close();
}

it('keeps every acknowledged event exactly once when writers are killed, one or both, and blocks nobody', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'kill-'));
  const acknowledged = new Set<string>();
  // A linear congruential sequence: the same moments in every run of the test.
  let seed = 7;
  const chance = (): number => {
    seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
    return seed / 2 ** 31;
  };
  try {
    for (let round = 0; round < rounds; round++) {
      const writers = ['x', 'y'].map((name) => start(folder, `${name}${round}`, acknowledged));
      await Promise.all(writers.map(({ ready }) => ready));
      const [first, second] = writers.map(({ child }) => child);
      await new Promise((resolve) => setTimeout(resolve, 30 + 200 * chance()));
      if (first && second && round % 2 === 0) {
        await kill(first);
        const then = acknowledged.size;
        await expect.poll(() => acknowledged.size).toBeGreaterThan(then);
        await kill(second);
      } else if (first && second) await Promise.all([kill(first), kill(second)]);
      await verify(folder, acknowledged);
    }
    expect(acknowledged.size).toBeGreaterThan(rounds);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

it('lets a process that exits while it writes be gone, loses nothing of it and blocks nobody', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'exit-'));
  const acknowledged = new Set<string>();
  try {
    for (let round = 0; round < rounds; round++) {
      const writers = ['x', 'y'].map((name) => start(folder, `${name}${round}`, acknowledged));
      await Promise.all(writers.map(({ ready }) => ready));
      await new Promise((resolve) => setTimeout(resolve, 30 + 10 * round));
      expect(await Promise.all(writers.map(({ child }) => exit(child)))).not.toContain(undefined);
    }
    await verify(folder, acknowledged);
    expect(acknowledged.size).toBeGreaterThan(rounds);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
