import { randomBytes } from 'node:crypto';
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { privateFileMode, privateFolderMode } from '#system/store/store.ts';
import type { Vault } from './vault.ts';

export const createFolderVault = (folder: string): Vault => ({
  put: async (key, bytes) => {
    const path = join(folder, key);
    await mkdir(dirname(path), { recursive: true, mode: privateFolderMode });
    const aside = `${path}.${randomBytes(4).toString('hex')}.part`;
    try {
      await writeWhole(aside, bytes);
      await rename(aside, path);
    } catch (error) {
      await rm(aside, { force: true });
      throw error;
    }
    await flush(dirname(path));
  },
  get: (key) =>
    readFile(join(folder, key)).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined;
      throw error;
    }),
  close: () => undefined,
});

async function writeWhole(path: string, bytes: Uint8Array): Promise<void> {
  const file = await open(path, 'w', privateFileMode);
  try {
    await file.writeFile(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** A rename is durable once its folder is flushed. */
async function flush(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  await handle.sync().finally(() => handle.close());
}
