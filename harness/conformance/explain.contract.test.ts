/** Holds that every rule can be explained, and that what it is said to be red by is there. */
import { expect, test } from 'vitest';
import { chooseRules } from './choose.ts';
import { explain } from './explain.ts';
import { rules } from './rules.ts';
import { readTwins } from './twins.ts';

const twins = readTwins();
const sentencesOf = (lines: readonly string[]): readonly string[] => lines.join(' ').match(/[^.]+(?:\.(?! |$)[^.]*)*\.(?= |$)/g) ?? [];

test.each(rules.map((rule) => [rule.id, rule] as const))('%s says what it proves and how, in two to four sentences each', (_, rule) => {
  for (const lines of [rule.proves, rule.how]) {
    const sentences = sentencesOf(lines);
    expect(sentences.length, lines.join(' ')).toBeGreaterThanOrEqual(2);
    expect(sentences.length, lines.join(' ')).toBeLessThanOrEqual(4);
    for (const sentence of sentences) expect(sentence.trim()).toMatch(/^["A-Z0-9/]/);
    expect(sentences.join('')).toBe(lines.join(' '));
  }
});

test.each(rules.map((rule) => [rule.id, rule] as const))('%s is red by twins that are there and say so', (id, { redBy }) => {
  expect(redBy.length).toBeGreaterThan(0);
  for (const name of redBy) expect(twins.find((twin) => twin.name === name)?.breaks, name).toContain(id);
});

test('every fault that breaks a rule is one to be shown', () => {
  const shown = new Set(rules.flatMap(({ redBy }) => redBy));
  expect(twins.filter(({ breaks, name }) => breaks.length > 0 && !shown.has(name)).map(({ name }) => name)).toEqual([]);
});

test('no sentence is said twice, and no two rules have one number', () => {
  const all = rules.flatMap(({ proves, how }) => [proves, how]).flatMap(sentencesOf);
  expect(all.filter((sentence, i) => all.indexOf(sentence) !== i)).toEqual([]);
  expect(new Set(rules.map(({ id }) => id)).size).toBe(rules.length);
});

test('an explanation has all of it, within a hundred columns', () => {
  for (const rule of rules) {
    const text = explain(rule, twins);
    for (const line of text.split('\n')) expect(line.length, line).toBeLessThanOrEqual(100);
    const flat = text.replace(/\s+/g, ' ');
    for (const part of [`${rule.id} ${rule.title}`, rule.proves.join(' '), rule.how.join(' '), `npm run conformance -- ${rule.id} --twin ${rule.redBy[0]}`])
      expect(flat).toContain(part);
  }
});

test('a rule that is not there is named with those that are near', () => {
  expect(chooseRules(['r3', 'R46'], rules)).toEqual(rules.filter(({ id }) => id === 'R3' || id === 'R46'));
  expect(chooseRules([], rules)).toBe(rules);
  expect(chooseRules(['R74'], rules)).toBe('there is no rule R74 here, but R73, R72, R71; --list says which there are');
  expect(chooseRules(['R3', 'R720', 'quotas'], rules)).toBe(
    'there is no rule R720 here, but R72, R70, R20; there is no rule QUOTAS here; --list says which there are',
  );
});
