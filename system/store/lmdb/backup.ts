/** A copy of the environment, and its life after one. */
import { chmodSync, closeSync, copyFileSync, existsSync, fsyncSync, mkdirSync, openSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { closeFolder, privateFileMode, privateFolderMode } from '#system/store/private-folder.ts';
import { dataFile, isEnvironment } from './data-file.ts';
import { refuseOtherFormats } from './format.ts';
import { readEpoch, settleEpoch } from './lmdb-changes.ts';
import { openTables, type Tables } from './tables.ts';

const synchronousCommit = 2;

/** From one snapshot, while others write. The folder must be empty or not there yet. */
export async function backUp(tables: Tables, folder: string): Promise<{ readonly bytes: number; readonly epoch: string }> {
  if (existsSync(folder) && readdirSync(folder).length > 0) throw new RangeError(`The folder ${folder} is not empty: a backup goes into an empty one.`);
  closeFolder(folder, []);
  // Compact: without the pages that are free.
  await tables.root.backup(folder, true);
  const file = join(folder, dataFile);
  chmodSync(file, privateFileMode);
  flush(file);
  flush(folder);
  return { bytes: statSync(file).size, epoch: readEpoch(tables) };
}

/**
 * Into a folder that has no data. The epoch is renewed before the data stands where a service would find it: whoever resumes with a cursor
 * from after the backup must not be believed.
 */
export async function restoreBackup({ from, to }: { readonly from: string; readonly to: string }): Promise<string> {
  if (!existsSync(join(from, dataFile))) throw new RangeError(`There is no backup in ${from}: it has no ${dataFile}.`);
  if (!isEnvironment(join(from, dataFile))) throw new RangeError(`There is no backup in ${from}: its ${dataFile} is damaged, or something else.`);
  if (existsSync(join(to, dataFile))) throw new RangeError(`The data folder ${to} has data already: a backup is restored into an empty one.`);
  const aside = join(to, 'restoring');
  rmSync(aside, { recursive: true, force: true });
  closeFolder(to, []);
  mkdirSync(aside, { mode: privateFolderMode });
  copyFileSync(join(from, dataFile), join(aside, dataFile));
  const epoch = await renewEpoch(aside).catch((error: unknown) => {
    rmSync(aside, { recursive: true, force: true });
    throw error;
  });
  flush(join(aside, dataFile));
  renameSync(join(aside, dataFile), join(to, dataFile));
  flush(to);
  rmSync(aside, { recursive: true, force: true });
  return epoch;
}

/** Refuses a backup of a format that this version does not read. */
async function renewEpoch(folder: string): Promise<string> {
  const tables = openTables(folder, false);
  try {
    refuseOtherFormats(tables);
    return tables.root.transactionSync(() => settleEpoch(tables, readEpoch(tables)), synchronousCommit);
  } finally {
    await tables.root.close();
  }
}

function flush(path: string): void {
  const descriptor = openSync(path, 'r');
  fsyncSync(descriptor);
  closeSync(descriptor);
}
