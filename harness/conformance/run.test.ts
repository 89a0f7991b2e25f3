import { expect, test } from 'vitest';
import type { Client } from './client.ts';
import { Broken, type Rule, Unaskable, Untold } from './rule.ts';
import { quietRuler } from './ruler.ts';
import { askedForMs } from './rules-quotas.ts';
import { type Asked, type RunRulesInput, runRules } from './run.ts';

const account = { account_id: 'a', secret: 's', publishable_key: 'p' };
const whom = (): Asked => ({ client: {} as Client, accounts: [account], service: undefined });

const ruleOf = (id: string, check: Rule['check'], more: Partial<Rule> = {}): Rule => ({
  id,
  title: id,
  proves: [],
  how: [],
  redBy: ['none'],
  needs: [],
  check,
  ...more,
});

const run = (rules: readonly Rule[], more: Partial<RunRulesInput> = {}) =>
  runRules({ rules, asked: [whom()], ruler: quietRuler, strict: false, signal: new AbortController().signal, onOutcome: () => undefined, ...more });

test('says what comes of each rule, in their order', async () => {
  const fails = (error: Error) => () => Promise.reject(error);
  const outcomes = await run([
    ruleOf('R1', async () => undefined),
    ruleOf('R2', fails(new Broken('b'))),
    ruleOf('R3', fails(new Untold('u'))),
    ruleOf('R4', fails(new Unaskable('s'))),
    ruleOf('R5', fails(new Error('e'))),
    ruleOf('R6', async () => undefined, { needs: ['own service'] }),
  ]);
  expect(outcomes.map(({ rule, outcome }) => [rule, outcome])).toEqual([
    ['R1', 'holds'],
    ['R2', 'broken'],
    ['R3', 'untold'],
    ['R4', 'skipped'],
    ['R5', 'error'],
    ['R6', 'skipped'],
  ]);
});

test('asks several at once, each of somebody else, and those that measure alone in the end', async () => {
  const asking = new Set<Client>();
  let most = 0;
  const check: Rule['check'] = async ({ client }) => {
    expect(asking.has(client)).toBe(false);
    asking.add(client);
    most = Math.max(most, asking.size);
    for (let i = 0; i < 10; i++) await Promise.resolve();
    asking.delete(client);
  };
  const alone: Rule['check'] = async () => {
    for (let i = 0; i < 10; i++) {
      expect(asking.size).toBe(0);
      await Promise.resolve();
    }
  };
  const rules = [ruleOf('R0', alone, { isAlone: true }), ...Array.from({ length: 9 }, (_, i) => ruleOf(`R${i + 1}`, check))];
  const outcomes = await run(rules, { asked: [whom(), whom(), whom()] });
  expect(outcomes.map(({ rule, outcome }) => `${rule} ${outcome}`)).toEqual(rules.map(({ id }) => `${id} holds`));
  expect(most).toBe(3);
});

test('asks no more once it is told to stop', async () => {
  const stop = new AbortController();
  const rules = [ruleOf('R1', async () => stop.abort()), ruleOf('R2', async () => undefined), ruleOf('R3', async () => undefined, { isAlone: true })];
  expect((await run(rules, { signal: stop.signal })).map(({ rule }) => rule)).toEqual(['R1']);
});

test('a bucket was asked for while refusals follow each other closely', () => {
  expect(askedForMs(0, [])).toBe(0);
  expect(askedForMs(1000, [3100, 3000, 3250])).toBe(2250);
  expect(askedForMs(0, [2000, 2100, 5000, 5100])).toBe(2200);
});
