/** The fuzz on the service itself, and red on a twin whose finding it can show again. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';

const root = fileURLToPath(new URL('../../', import.meta.url));
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'fuzz-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** What it leaves in its temporary folder is found in `folder`. */
const fuzz = (...args: readonly string[]) =>
  spawnSync(process.execPath, ['harness/main.ts', 'fuzz', ...args], {
    cwd: root,
    encoding: 'utf8',
    timeout: 590_000,
    env: { ...process.env, TMPDIR: folder },
  });

test('the service answers as it is described', () => {
  const { status, stdout, stderr } = fuzz('--seed=20261125', '--count=1500');
  expect(status, stderr).toBe(0);
  expect(stdout).toContain('1500 cases asked, 0 findings');
});

test('errors that are no problems are found, and found again by seed and case', () => {
  const { status, stderr } = fuzz('--seed=3', '--count=200', '--twin=plain-errors');
  expect(status).toBe(1);
  const [, seed, number] = /--seed (\d+) --case (\d+)/.exec(stderr) ?? [];
  const again = fuzz(`--seed=${seed}`, `--case=${number}`, '--twin=plain-errors');
  expect([again.status, again.stderr]).toEqual([1, expect.stringContaining('FOUND')]);
});

test.each([
  [['--case=1'], /give --seed too/],
  [['--count=0'], /--count has to be/],
  [['--target=http://127.0.0.1:1'], /--credentials/],
])('%s is answered by a sentence', (args, sentence) => {
  const { status, stderr } = fuzz(...args);
  expect([status, stderr]).toEqual([2, expect.stringMatching(sentence)]);
});

test('a service that does not come up leaves no folder behind', () => {
  const { status, stderr } = fuzz('--twin=nonsense');
  expect([status, stderr]).toEqual([3, expect.stringContaining('there is no fault "nonsense"')]);
  expect(readdirSync(folder)).toEqual([]);
});

test('one account is a usage error', () => {
  const credentials = join(folder, 'credentials.json');
  writeFileSync(credentials, JSON.stringify({ account_id: 'a', secret: 's', publishable_key: 'p' }));
  const { status, stderr } = fuzz('--target=http://127.0.0.1:1', `--credentials=${credentials}`);
  expect([status, stderr]).toEqual([2, expect.stringMatching(/needs two accounts/)]);
});
