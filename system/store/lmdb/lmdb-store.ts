/** The durable store: one LMDB environment, shared by the worker processes of a machine. */
import { statfsSync } from 'node:fs';
import { type Clock, systemClock } from '#system/clock.ts';
import { type AccountRow, type DeviceRow, type Store, StoreUnavailable } from '#system/store/store.ts';
import { type AppendGroup, beginAppends, currentGeneration } from './appends.ts';
import { asTrouble, createGroupCommit } from './group-commit.ts';
import { readBacklog, readCounters, readHistory, readLatest, readLog } from './reads.ts';
import { lease, release, step } from './steps.ts';
import { openTables, readRow, type Tables, writeRow } from './tables.ts';

export type LmdbStoreOptions = {
  readonly folder: string;
  readonly flushTimeoutMs: number;
  readonly dedupeHours: number;
  /** Bytes the file may grow to; beyond it writing is refused as `full`. Default: what the disk gives. */
  readonly mapSizeBytes?: number;
  readonly durability: 'fsync' | 'memory';
  readonly clock?: Clock;
  readonly onTrouble?: (trouble: StoreUnavailable) => void;
  /** For twins and tests only: stands between the commit and the answer. */
  readonly faults?: { readonly flush?: (real: () => Promise<void>) => Promise<void> };
};

/** Commands a transaction takes: bounds how long one may hold the write lock that all processes share. */
const maxJobsPerGroup = 256;
/** MDB_NOSYNC | synchronous commit: under `overlappingSync` visible at once, flushed before the call returns. */
const commitFlags: number = 0x10002;

export async function openLmdbStore(options: LmdbStoreOptions): Promise<Store> {
  const tables = openOrExplain(options);
  const clock = options.clock ?? systemClock;
  let group: AppendGroup | undefined;
  let closed = false;

  const appends = (): AppendGroup => {
    group ??= beginAppends(tables, currentGeneration(tables, clock.wallMs(), options.dedupeHours));
    return group;
  };
  const commits = createGroupCommit({
    flushTimeoutMs: options.flushTimeoutMs,
    maxJobs: maxJobsPerGroup,
    onTrouble: options.onTrouble,
    flush: options.faults?.flush,
    commit: (jobs) => {
      refuseBeyond(tables, options.mapSizeBytes);
      group = undefined;
      let transaction = 0;
      try {
        tables.root.transactionSync(() => {
          transaction = tables.root.getWriteTxnId();
          for (const job of jobs) job();
          group?.finish();
        }, commitFlags);
      } catch (cause) {
        throw shortWrite(tables, options.folder, transaction, cause) ?? cause;
      }
    },
  });
  const read = async <T>(work: () => T): Promise<Awaited<T>> => {
    if (closed) throw new StoreUnavailable('closed', 'The store was closed.');
    tables.root.resetReadTxn();
    return await work();
  };

  return {
    ackLevel: options.durability,
    append: (command) => commits.submit(() => appends().append(command)),
    readLog: async (query) => await read(() => readLog(tables, query)),
    lease: (command) => commits.submit(() => lease(tables, command)),
    release: (command) => commits.submit(() => release(tables, command)),
    step: (command) => commits.submit(() => step(tables, command)),
    readLatest: ({ account, device }) => read(() => readLatest(tables, account, device)),
    readHistory: (query) => read(() => readHistory(tables, query)),
    readDevice: ({ account, device }) => read(() => readRow<DeviceRow>(tables.rows, deviceRowKey(account, device))),
    putDevice: ({ account, device, expected, row }) =>
      commits.submit(() => {
        const present = readRow<DeviceRow>(tables.rows, deviceRowKey(account, device));
        if (present?.version !== expected) return { kind: 'conflict', row: present } as const;
        writeRow(tables.rows, deviceRowKey(account, device), row);
        return { kind: 'stored' } as const;
      }),
    readAccount: (account) => read(() => readRow<AccountRow>(tables.rows, `account/${account}`)),
    putAccount: (row) =>
      commits.submit(() => {
        if (readRow<AccountRow>(tables.rows, `account/${row.account}`)) return { kind: 'conflict' } as const;
        writeRow(tables.rows, `account/${row.account}`, row);
        return { kind: 'stored' } as const;
      }),
    settle: ({ name, candidate }) =>
      commits.submit(() => {
        const first = readRow<string>(tables.rows, `settled/${name}`) ?? candidate;
        writeRow(tables.rows, `settled/${name}`, first);
        return first;
      }),
    readCounters: (account) => read(() => readCounters(tables, account)),
    readBacklog: () => read(() => readBacklog(tables)),
    close: async () => {
      if (closed) return;
      closed = true;
      await commits.close();
      await tables.root.close();
    },
  };
}

function deviceRowKey(account: string, device: string): string {
  return `device/${account}\0${device}`;
}

function openOrExplain(options: LmdbStoreOptions): Tables {
  try {
    return openTables(options.folder, options.durability === 'memory');
  } catch (cause) {
    const trouble = asTrouble(cause, 'unwritable');
    throw trouble instanceof StoreUnavailable ? trouble : new StoreUnavailable('unwritable', `The store cannot be opened: ${String(cause)}`, { cause });
  }
}

/**
 * LMDB calls a short write EIO, as it calls a failed flush. It was a short write where the transaction never became visible and the
 * disk has no room left; nothing was lost then, and writing may go on once there is room.
 */
function shortWrite(tables: Tables, folder: string, transaction: number, cause: unknown): StoreUnavailable | undefined {
  if ((cause as { code?: unknown }).code !== 5) return undefined;
  const { lastTxnId } = tables.root.getStats() as { lastTxnId: number };
  const { bavail, bsize } = statfsSync(folder);
  if (lastTxnId >= transaction || bavail * bsize >= 2 ** 20) return undefined;
  return new StoreUnavailable('full', 'full: the disk took only a part of what was written.', { cause });
}

/** lmdb-js enlarges its map by itself instead of failing, so the bound is kept here. */
function refuseBeyond(tables: Tables, maxBytes: number | undefined): void {
  if (maxBytes === undefined) return;
  const { lastPageNumber, pageSize } = tables.root.getStats() as { lastPageNumber: number; pageSize: number };
  if (lastPageNumber * pageSize >= maxBytes) throw new StoreUnavailable('full', `full: the store's file reached its ${maxBytes} bytes.`);
}
