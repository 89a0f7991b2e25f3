/** The change log in LMDB: its commands run in the group's transaction, its reads from one snapshot. */
import type { ChangeStore, LogKey } from '#system/store/changes.ts';
import { newEpoch } from '#system/store/epoch.ts';
import { type OrderedTable, type Retention, readChangesPage, readHeadPosition, readItemState, readSnapshotPage } from '#system/store/ordered-changes.ts';
import {
  addShare,
  type ChangeTables,
  changeWithOutbox,
  listOutbox,
  listShares,
  readOneShare,
  removeOutbox,
  removeShare,
} from '#system/store/ordered-shares.ts';
import { readRow, type Table, type Tables, writeRow } from './tables.ts';

export type ChangeCommands = Pick<ChangeStore, 'change' | 'renewEpoch' | 'share' | 'unshare' | 'dropOutbox'>;
export type ChangeReads = Omit<ChangeStore, keyof ChangeCommands>;

export const ordered = (table: Table): OrderedTable => ({
  get: (key) => table.getBinary(key),
  put: (key, value) => void table.putSync(key, value),
  remove: (key) => void table.removeSync(key),
  range: ({ start, end, limit }) => table.getRange({ start, end, ...(limit === undefined ? {} : { limit }) }),
});

export const changeTables = ({ sync, outbox }: Tables): ChangeTables => ({ sync: ordered(sync), outbox: ordered(outbox) });

export const readEpoch = (tables: Tables): string => readRow<string>(tables.rows, 'epoch') ?? '';

/** Inside a transaction. */
export function settleEpoch(tables: Tables, expected: string): string {
  const present = readEpoch(tables);
  if (present !== expected) return present;
  const epoch = newEpoch(Date.now());
  writeRow(tables.rows, 'epoch', epoch);
  return epoch;
}

export type Submit = <T>(job: () => T) => Promise<T>;

export function changeCommands(tables: Tables, { submit, retention }: { readonly submit: Submit; readonly retention: Retention }): ChangeCommands {
  const own = changeTables(tables);
  return {
    change: (command) => submit(() => changeWithOutbox(own, command, { epoch: readEpoch(tables), retention })),
    renewEpoch: ({ expected }) => submit(() => settleEpoch(tables, expected)),
    share: (command) => submit(() => addShare(own, command)),
    unshare: (command) => submit(() => removeShare(own, command)),
    dropOutbox: (command) => submit(() => removeOutbox(own, command)),
  };
}

type Read = <T>(work: () => T) => Promise<Awaited<T>>;

export function changeReads(tables: Tables, read: Read): ChangeReads {
  const own = changeTables(tables);
  return {
    readChanges: (query) => read(() => readChangesPage(own.sync, query, readEpoch(tables))),
    readHeads: (keys) => read(() => ({ epoch: readEpoch(tables), heads: keys.map((key: LogKey) => readHeadPosition(own.sync, key)) })),
    readItem: (query) => read(() => readItemState(own.sync, query, readEpoch(tables))),
    readSnapshot: (query) => read(() => readSnapshotPage(own.sync, query, readEpoch(tables))),
    readShares: (query) => read(() => listShares(own, query)),
    readShare: (query) => read(() => readOneShare(own, query)),
    readOutbox: (query) => read(() => listOutbox(own, query)),
  };
}
