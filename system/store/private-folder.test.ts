import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { makePrivate } from './private-folder.ts';

let base: string;
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'private-'));
});
afterEach(() => rmSync(base, { recursive: true, force: true }));

const modeOf = (path: string): string => (statSync(path).mode & 0o777).toString(8);

it('makes a folder and its files for their owner alone', () => {
  const folder = join(base, 'a', 'b');
  expect(makePrivate(folder, ['data.mdb'])).toEqual([]);
  expect([modeOf(folder), modeOf(join(folder, 'data.mdb'))]).toEqual(['700', '600']);
});

it('closes what stands open, and says so', () => {
  const folder = join(base, 'data');
  mkdirSync(folder);
  writeFileSync(join(folder, 'data.mdb'), 'kept');
  chmodSync(folder, 0o755);
  chmodSync(join(folder, 'data.mdb'), 0o644);
  const said = makePrivate(folder, ['data.mdb', 'lock.mdb']);
  expect(said).toEqual([expect.stringContaining(`${folder} was open to other users`), expect.stringContaining('data.mdb was open to other users')]);
  expect([modeOf(folder), modeOf(join(folder, 'data.mdb')), statSync(join(folder, 'data.mdb')).size]).toEqual(['700', '600', 4]);
  expect(makePrivate(folder, ['data.mdb', 'lock.mdb'])).toEqual([]);
});

it('takes no folder from others that holds other things', () => {
  chmodSync(base, 0o1777);
  writeFileSync(join(base, 'somebody’s'), '');
  expect(() => makePrivate(base, ['data.mdb'])).toThrow(/is open to other users of this machine \(mode 1777\).*Name a folder/);
  expect([modeOf(base), existsSync(join(base, 'data.mdb'))]).toEqual(['777', false]);
});
