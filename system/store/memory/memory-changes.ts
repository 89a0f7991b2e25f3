/** The change log of the memory store. */
import type { Clock } from '#system/clock.ts';
import type { ChangeStore } from '#system/store/changes.ts';
import { newEpoch } from '#system/store/epoch.ts';
import { type Retention, readChangesPage, readHeadPosition, readItemState, readSnapshotPage } from '#system/store/ordered-changes.ts';
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
import { createSortedTable } from './sorted-table.ts';

type Open = <A extends unknown[], R>(work: (...args: A) => R) => (...args: A) => Promise<R>;

export function createMemoryChanges({ clock, retention, open }: { readonly clock: Clock; readonly retention: Retention; readonly open: Open }): ChangeStore {
  const tables: ChangeTables = { sync: createSortedTable(), outbox: createSortedTable() };
  let epoch = newEpoch(clock.wallMs());
  return {
    change: open((command) => changeWithOutbox(tables, command, { epoch, retention })),
    readChanges: open((query) => readChangesPage(tables.sync, query, epoch)),
    readHeads: open((keys) => ({ epoch, heads: keys.map((key) => readHeadPosition(tables.sync, key)) })),
    readItem: open((query) => readItemState(tables.sync, query, epoch)),
    readSnapshot: open((query) => readSnapshotPage(tables.sync, query, epoch)),
    renewEpoch: open(({ expected }) => {
      if (epoch === expected) epoch = newEpoch(clock.wallMs());
      return epoch;
    }),
    share: open((command) => addShare(tables, command)),
    unshare: open((command) => removeShare(tables, command)),
    readShares: open((query) => listShares(tables, query)),
    readShare: open((query) => readOneShare(tables, query)),
    readOutbox: open((query) => listOutbox(tables, query)),
    dropOutbox: open((command) => removeOutbox(tables, command)),
  };
}
