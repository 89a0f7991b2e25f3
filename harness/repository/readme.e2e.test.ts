import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { readme, readmeCommands, root, typed } from './readme-commands.ts';

const { scripts } = JSON.parse(readFileSync(`${root}package.json`, 'utf8')) as { scripts: Record<string, string> };

test('the README has commands to run', () => {
  expect(readmeCommands.length).toBeGreaterThan(4);
  expect(readmeCommands.filter(({ isMeasured }) => isMeasured).length).toBeGreaterThan(0);
});

/** Those that measure take minutes: readme.long.e2e.test.ts types them. */
test.each(readmeCommands.filter(({ isMeasured }) => !isMeasured))('$command ends with one of $codes', ({ command, codes }) => {
  const { status, stderr } = typed(command);
  expect(codes, stderr.slice(-2000)).toContain(status);
});

test('every npm script that the README names exists', () => {
  const named = [...readme.matchAll(/npm run ([a-z0-9:]+)/g)].map(([, name = '']) => name);
  expect(named.filter((name) => scripts[name] === undefined)).toEqual([]);
});
