/** Every rule on the service itself, and every rule seen red on a twin. */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startRuler } from './ruler.ts';
import { rules } from './rules.ts';
import type { RuleOutcome } from './run.ts';
import { askTwin } from './seen-red.ts';
import { startOwnService } from './service.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
/** For whoever hangs: a limit and no expectation. */
const allRulesMs = 900_000;
const oneTwinMs = 300_000;
let folder: string;
let ruler: Awaited<ReturnType<typeof startRuler>>;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'conformance-'));
  ruler = await startRuler();
});
afterAll(() => {
  ruler.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** Those that measure have a file of their own, conformance.measure.e2e.test.ts. */
const beside = rules.filter(({ isAlone }) => isAlone !== true);
/** That the service keeps those that take long is asked in conformance.long.e2e.test.ts; their twins are red at once. */
const brief = beside.filter(({ isLong }) => isLong !== true);

type Conformed = { readonly code: number | null; readonly outcomes: readonly RuleOutcome[]; readonly out: string; readonly err: string };

async function conform(...args: readonly string[]): Promise<Conformed> {
  const child = spawn(process.execPath, ['harness/main.ts', 'conformance', ...args], { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  const [out, err, code] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
  return { code, out, err, outcomes: args.includes('--json') && out !== '' ? (JSON.parse(out) as readonly RuleOutcome[]) : [] };
}

test('the service keeps every rule that needs neither the machine for itself nor minutes, and JUnit says so', { timeout: allRulesMs }, async () => {
  const { code, out, err } = await conform(...brief.map(({ id }) => id), `--junit=${folder}/junit.xml`);
  expect(code, out + err).toBe(0);
  expect(out).toMatch(/ 0 broken, \d+ not to be told here, 0 skipped, 0 errors/);
  expect(readFileSync(join(folder, 'junit.xml'), 'utf8').match(/<testcase/g)).toHaveLength(brief.length);
});

const firstTwins = [...new Set(beside.map(({ redBy }) => redBy[0]))];

test.concurrent.each(firstTwins)('twin %s breaks what it is for', { timeout: oneTwinMs }, async (twin) => {
  const ids = beside.filter(({ redBy }) => redBy[0] === twin).map(({ id }) => id);
  const outcomes = await askTwin({ twin, ids, ruler });
  expect(
    outcomes.map(({ rule, outcome }) => [rule, outcome]),
    JSON.stringify(outcomes),
  ).toEqual(ids.map((rule) => [rule, 'broken']));
});

/** Each of the twins that show a part of a rule red, with what that part says. */
const parts = [
  ['R8', 'keeps-bombs', 'bytes more memory'],
  ['R29', 'refuses-event-sources', '200 for an event stream'],
  ['R29', 'bye-without-retry', 'a retry: line'],
  ['R33', 'forgets-deletions', 'bye kick'],
  ['R45', 'forgets-the-end', 'after the stream’s end'],
  ['R46', 'forgets-deletions', "401 for a deleted device's token"],
  ['R46', 'remembers-tokens', '401 for an expired token'],
  ['R47', 'graphql-is-the-account', 'nothing for sibling from'],
  ['R47', 'keeps-moved-tokens', 'the token from before the move'],
  ['R47', 'mixes-users', 'nothing for another user at GET /v1/sync/trips/t'],
  ['R55', 'confirms-twice', '410'],
  ['R58', 'ignores-retry-after', 'Retry-After'],
  ['R61', 'takes-any-address', 'forbidden-url'],
  ['R64', 'subscription-lingers', 'none of them held'],
  ['R69', 'lavish', 'bytes a stream'],
  ['R70', 'forgets-calls', 'calls'],
  ['R73', 'rewrites-what-it-shows', 'from history'],
] as const;

test('every twin that a rule names beside its first shows a part of it red', () => {
  const named = rules.flatMap(({ id, redBy }) => redBy.slice(1).map((twin) => `${id} ${twin}`));
  expect(parts.map(([rule, twin]) => `${rule} ${twin}`).sort()).toEqual(named.sort());
});

test.concurrent.each(parts)('%s is red with %s too', { timeout: oneTwinMs }, async (rule, twin, text) => {
  const [outcome] = await askTwin({ twin, ids: [rule], ruler });
  expect(outcome, JSON.stringify(outcome)).toMatchObject({ outcome: 'broken', text: expect.stringContaining(text) });
});

test('a rule that is broken is exit code 1, and is said as JSON', async () => {
  const { code, outcomes, err } = await conform('R3', '--json', '--twin=forgets-duplicates');
  expect(
    outcomes.map(({ rule, outcome }) => [rule, outcome]),
    err,
  ).toEqual([['R3', 'broken']]);
  expect(code).toBe(1);
});

test('a target of somebody else: what would end it is skipped, and with --strict that is not enough', async () => {
  const service = await startOwnService(undefined);
  try {
    writeFileSync(join(folder, 'credentials.json'), JSON.stringify(service.accounts));
    const target = [`--target=${service.url()}`, `--credentials=${folder}/credentials.json`, '--json'];
    const { code, outcomes } = await conform('R2', 'R3', 'R47', ...target);
    expect(outcomes.map(({ outcome }) => outcome)).toEqual(['skipped', 'holds', 'holds']);
    expect(code).toBe(0);
    expect((await conform('R2', '--strict', ...target)).code).toBe(1);
  } finally {
    await service.stop();
  }
});

test('--explain says what rules prove, how, and how to see them red', async () => {
  const { code, out } = await conform('--explain', 'R3', 'r46');
  expect(code).toBe(0);
  expect(out).toContain('R3  the same batch again: all duplicates, history unchanged');
  expect(out).toContain('forgets-duplicates, a service that stores what it has again, under another id inside');
  expect(out).toContain('npm run conformance -- R46 --twin remembers-tokens');
});

test.each([
  [['R99'], /there is no rule R99/],
  [['--explain', 'R99'], /there is no rule R99/],
  [['--explain', '--list'], /--explain asks nothing, so that --list/],
  [['--explain', 'R3', '--twin=forgets-duplicates'], /--explain asks nothing, so that --twin/],
  [['--target=http://127.0.0.1:1'], /--credentials/],
  [['--target=nonsense', '--credentials=x'], /has to be an http or https URL/],
  [['--jobs=0'], /--jobs has to be a whole number/],
  [['--twin=nonsense'], /there is no fault "nonsense"/],
] as const)('%s is answered by a sentence', async (args, sentence) => {
  const { code, err } = await conform(...args);
  expect(err).toMatch(sentence);
  expect(code).not.toBe(0);
});
