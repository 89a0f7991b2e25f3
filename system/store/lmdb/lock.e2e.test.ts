/** What keeps two processes from writing over each other: the lock on the lock file, held as long as a store is open. */
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openLmdbStore } from './lmdb-store.ts';

/** Who holds a lock on the file, by the kernel's own table: `1: POSIX ADVISORY READ 4242 00:2b:777 0 0`. */
function holdersOf(path: string): readonly number[] {
  const inode = String(statSync(path).ino);
  const locks = readFileSync('/proc/locks', 'utf8').trim().split('\n');
  return locks
    .map((line) => line.trim().split(/\s+/))
    .filter(([, kind, , , , file]) => kind === 'POSIX' && file?.split(':')[2] === inode)
    .map(([, , , , pid]) => Number(pid));
}

test.runIf(process.platform === 'linux')('a store keeps its lock on the environment until it is closed', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'headroom-lock-'));
  try {
    const store = await openLmdbStore({ folder, dedupeHours: 1, durability: 'fsync', flushTimeoutMs: 5000 });
    await store.putAccount({ account: 'a', name: 'a', publishableKeyHash: 'p', secretHash: 's' } as never);
    expect(await store.readAccount('a')).toBeDefined();
    expect(holdersOf(join(folder, 'lock.mdb'))).toContain(process.pid);
    await store.close();
    expect(holdersOf(join(folder, 'lock.mdb'))).not.toContain(process.pid);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
