/** What can be seen of a data file from outside. */
import { accessSync, closeSync, constants, existsSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { StoreUnavailable } from '#system/store/store.ts';

export const dataFile = 'data.mdb';
export const fileNames: readonly string[] = [dataFile, 'lock.mdb'];

/** LMDB's page 0: 24 bytes of the page's own, then magic and version in the machine's order; all that we run on are little-endian. */
const magicAt = 24;
const magic = 0xbe_ef_c0_de;

/**
 * Throws where the environment in `folder` is no environment or may not be written to. lmdb 3.5.6 says neither: where one cannot be opened its own clean-up ends the process
 * (SIGSEGV in `~ExtendedEnv`). A file that was cut short passes: how long it has to be is not written in it.
 */
export function assertOpenable(folder: string): void {
  const paths = fileNames.map((name) => join(folder, name)).filter((path) => existsSync(path));
  // Asked and not tried: a process that closes the lock file gives all its locks on it back.
  for (const path of paths) accessSync(path, constants.R_OK | constants.W_OK);
  const data = join(folder, dataFile);
  if (paths.includes(data) && !isEnvironment(data))
    throw new StoreUnavailable(
      'corrupt',
      `${data} is not the data of this service, or is damaged: start with another --data folder, and with --restore-from if there is a backup.`,
    );
}

/** An empty one is: it is written anew. */
export function isEnvironment(path: string): boolean {
  const head = Buffer.alloc(magicAt + 4);
  const file = openSync(path, 'r');
  try {
    const bytes = readSync(file, head, 0, head.length, 0);
    return bytes === 0 || (bytes === head.length && head.readUInt32LE(magicAt) === magic);
  } finally {
    closeSync(file);
  }
}
