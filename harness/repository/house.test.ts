import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const root = fileURLToPath(new URL('../../', import.meta.url));
const allowed = [
  'README.md',
  'LICENSE',
  '.npmrc',
  'package.json',
  'package-lock.json',
  'tsconfig.json',
  'biome.json',
  'vitest.config.ts',
  '.ci',
  '.github',
  '.gitignore',
  'system',
  'scenarios',
  'harness',
  'dashboards',
  'reports',
  'findings',
];

const tracked = execFileSync('git', ['ls-files'], { cwd: root, encoding: 'utf8' }).trim().split('\n');

test('the top level holds what the house allows and nothing else', () => {
  expect([...new Set(tracked.map((path) => path.split('/', 1)[0] as string))].filter((name) => !allowed.includes(name))).toEqual([]);
});

test('every room says what it is for', () => {
  const rooms = ['system', 'harness'].flatMap((side) =>
    readdirSync(`${root}${side}`, { withFileTypes: true })
      .filter((entry) => entry.isDirectory() && tracked.some((path) => path.startsWith(`${side}/${entry.name}/`)))
      .map(({ name }) => `${side}/${name}`),
  );
  expect(rooms.filter((room) => !existsSync(`${root}${room}/README.md`))).toEqual([]);
});

test('every finding is in the table of findings, pins its versions, and says in its first lines what was seen', () => {
  const scripts = readdirSync(`${root}findings`).filter((name) => name.endsWith('.sh'));
  const table = readFileSync(`${root}findings/README.md`, 'utf8');
  expect(scripts.filter((name) => !table.includes(`| \`${name}\` |`))).toEqual([]);
  expect([...table.matchAll(/^\| `([\w-]+\.sh)` \|/gm)].map(([, name = '']) => name).sort()).toEqual(scripts.sort());
  const said = scripts.map((name) => readFileSync(`${root}findings/${name}`, 'utf8').split('\n').slice(1, 8).join('\n'));
  expect(said.filter((text) => !/^# .*\d+\.\d+[\s\S]*^# Seen: /m.test(text))).toEqual([]);
});

test('versions are exact: a range would give an older runtime other packages', () => {
  const { dependencies, devDependencies } = JSON.parse(readFileSync(`${root}package.json`, 'utf8')) as Record<string, Record<string, string>>;
  expect(Object.entries({ ...dependencies, ...devDependencies }).filter(([, version]) => !/^\d+\.\d+\.\d+$/.test(version))).toEqual([]);
});
