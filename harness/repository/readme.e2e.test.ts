import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const root = fileURLToPath(new URL('../../', import.meta.url));
const readme = readFileSync(`${root}README.md`, 'utf8');
const { scripts } = JSON.parse(readFileSync(`${root}package.json`, 'utf8')) as { scripts: Record<string, string> };
const commandTimeoutMs = 230_000;

/** Fenced blocks tagged `sh`, with the exit codes that their info string allows. */
const commands = [...readme.matchAll(/^```sh(?: exit=([\d,]+))?\n([\s\S]*?)^```/gm)].flatMap(([, codes = '0', block = '']) =>
  block
    .trim()
    .split('\n')
    .map((command): [string, readonly number[]] => [command, codes.split(',').map(Number)]),
);

test('the README has commands to run', () => {
  expect(commands.length).toBeGreaterThan(4);
});

test.each(commands)('%s ends with one of %j', (command, codes) => {
  const { status, stderr } = spawnSync('bash', ['-c', command], {
    cwd: root,
    encoding: 'utf8',
    timeout: commandTimeoutMs,
    env: { ...process.env, NO_COLOR: '1' },
  });
  expect(codes, stderr.slice(-2000)).toContain(status);
});

test('every npm script that the README names exists', () => {
  const named = [...readme.matchAll(/npm run ([a-z0-9:]+)/g)].map(([, name = '']) => name);
  expect(named.filter((name) => scripts[name] === undefined)).toEqual([]);
});
