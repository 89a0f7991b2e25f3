/**
 * The data folder holds the key that signs every token and the secrets of the webhooks, so nobody but the service's own user may read it,
 * whatever the umask. A folder that stands open is closed where that takes nothing from anybody, and refused otherwise.
 */
import { chmodSync, closeSync, existsSync, mkdirSync, openSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

export const privateFolderMode = 0o700;
export const privateFileMode = 0o600;
const forOthers = 0o077;

/** Makes `folder` where it is missing. Returns a sentence for everything that stood open and is closed now; throws one where it cannot be. */
export function closeFolder(folder: string, files: readonly string[]): readonly string[] {
  mkdirSync(folder, { recursive: true, mode: privateFolderMode });
  const present = files.map((name) => join(folder, name)).filter((path) => existsSync(path));
  if (isOpen(folder) && present.length === 0 && readdirSync(folder).length > 0) throw shared(folder);
  return [...close(folder, privateFolderMode), ...present.flatMap((path) => close(path, privateFileMode))];
}

/** The same, and `files` are there afterwards: whoever opens them by name finds them closed already. */
export function makePrivate(folder: string, files: readonly string[]): readonly string[] {
  const said = closeFolder(folder, files);
  for (const name of files) create(join(folder, name));
  return said;
}

/** Only one that is missing is opened: a process that closes LMDB's lock file gives all its locks on it back. */
function create(path: string): void {
  try {
    closeSync(openSync(path, 'wx', privateFileMode));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}

function close(path: string, mode: number): readonly string[] {
  if (!isOpen(path)) return [];
  const before = modeOf(path);
  try {
    chmodSync(path, mode);
  } catch (cause) {
    throw notOurs(path, before, cause);
  }
  return [`${path} was open to other users of this machine (mode ${octal(before)}); it is closed to them now (${octal(mode)}).`];
}

const modeOf = (path: string): number => statSync(path).mode & 0o7777;
const isOpen = (path: string): boolean => (modeOf(path) & forOthers) !== 0;
const octal = (mode: number): string => mode.toString(8).padStart(4, '0');
const remedy = 'Name a folder of the service’s own, such as one below it, which the service makes itself.';

const shared = (folder: string): Error =>
  new Error(`${folder} is open to other users of this machine (mode ${octal(modeOf(folder))}) and holds what is not the service’s. ${remedy}`);

const notOurs = (path: string, mode: number, cause: unknown): Error =>
  new Error(
    `${path} is open to other users of this machine (mode ${octal(mode)}), and this user may not close it: the service’s keys would be theirs. ${remedy}`,
    { cause },
  );
