/** The archive's book, written by the transactions of this store. */
import { commitArchive, planArchive } from '#system/store/ordered-archive.ts';
import type { ArchiveStore } from '#system/store/store.ts';
import { ordered, type Submit } from './lmdb-changes.ts';
import { readPartition, type Tables } from './tables.ts';

export const archiveCommands = (tables: Tables, submit: Submit): Pick<ArchiveStore, 'planArchive' | 'commitArchive'> => ({
  planArchive: (command) => submit(() => planArchive(ordered(tables.archive), command, readPartition(tables, command.partition).checkpoint)),
  commitArchive: (command) => submit(() => commitArchive(ordered(tables.archive), command)),
});
