/** `list.push(await answer)` reads `list` before it waits. Where somebody replaces the list meanwhile, what was waited for is put into the old one and is lost. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const root = fileURLToPath(new URL('../../', import.meta.url));

const call = /(this\.#?\w+|\b\w+)\.(?:push|unshift|add|set|splice)\((?:(?!=>|;)[\s\S])*?\bawait\b/g;
const sum = /(this\.#?\w+|\b\w+) (?:[-+*|&]= |= \1 [-+*|&] )\(?await\b/g;

/** Whether this name may stand for another object later: a `let`, or a field that is not `readonly`. */
function isReplaceable(source: string, receiver: string): boolean {
  const name = receiver.replace(/^this\./, '');
  if (name === receiver) return new RegExp(`\\blet ${name}\\b`).test(source);
  return new RegExp(`^ +(?:private |static )*${name}(?:[:;]| =)`, 'm').test(source);
}

function waitsInside(source: string): readonly string[] {
  const calls = [...source.matchAll(call)].filter((match) => isReplaceable(source, match[1] as string));
  return [...calls, ...source.matchAll(sum)].map((match) => match[0]);
}

test('the search finds what it looks for, and leaves alone what cannot go wrong', () => {
  expect(waitsInside('let samples = [];\n  samples.push(await take());')).toHaveLength(1);
  expect(waitsInside('class A {\n  #all = new Map();\n  async f() { this.#all.set(\n key,\n await g()); }')).toHaveLength(1);
  expect(waitsInside('total += await count();')).toHaveLength(1);
  expect(waitsInside('total = total + (await count());')).toHaveLength(1);
  expect(waitsInside('const samples = [];\n  samples.push(await take());')).toEqual([]);
  expect(waitsInside('class A {\n  readonly #all = new Map();\n  async f() { this.#all.set(key, await g()); }')).toEqual([]);
  expect(waitsInside('let jobs = [];\n  jobs.push(async () => { await g(); });\n  await h();')).toEqual([]);
});

test('nothing is awaited inside a change of something that may have been replaced meanwhile', () => {
  const files = execFileSync('git', ['ls-files', '*.ts', '*.js'], { cwd: root, encoding: 'utf8' }).trim().split('\n');
  const own = 'harness/repository/waits.test.ts';
  const found = files.filter((file) => file !== own).flatMap((file) => waitsInside(readFileSync(`${root}${file}`, 'utf8')).map((text) => `${file}: ${text}`));
  expect(found).toEqual([]);
});
