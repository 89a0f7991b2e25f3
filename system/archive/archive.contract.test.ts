import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { describeArchive } from './archive-contract.ts';
import { createFolderVault } from './folder-vault.ts';

const base = mkdtempSync(join(tmpdir(), 'vault-'));
let made = 0;
afterAll(() => rmSync(base, { recursive: true, force: true }));

describeArchive('a folder', async () => createFolderVault(join(base, `${made++}`)));

test('an object is there whole or not at all: what cannot be written leaves nothing behind', async () => {
  const folder = join(base, 'whole');
  const vault = createFolderVault(folder);
  await vault.put('a/b', Buffer.from('first'));
  await vault.put('a/b', Buffer.from('second'));
  expect(Buffer.from((await vault.get('a/b')) ?? []).toString()).toBe('second');
  expect(await vault.get('a/c')).toBeUndefined();
  // A folder stands where the object should.
  mkdirSync(join(folder, 'a/taken'));
  await expect(vault.put('a/taken', Buffer.from('x'))).rejects.toThrow();
  expect(readdirSync(join(folder, 'a')).sort()).toEqual(['b', 'taken']);
  expect(existsSync(join(folder, 'a/taken'))).toBe(true);
});
