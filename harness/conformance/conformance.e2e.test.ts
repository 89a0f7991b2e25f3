/** Every rule on the service itself, and every rule seen red on a twin. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { rules } from './rules.ts';
import type { RuleOutcome } from './run.ts';
import { startOwnService } from './service.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
/** They take five minutes on a quiet machine. */
const allRulesMs = 900_000;
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'conformance-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function conform(...args: readonly string[]): { code: number | null; outcomes: readonly RuleOutcome[]; out: string; err: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['harness/main.ts', 'conformance', ...args], {
    cwd: root,
    encoding: 'utf8',
    timeout: allRulesMs,
  });
  const outcomes = args.includes('--json') && stdout !== '' ? (JSON.parse(stdout) as readonly RuleOutcome[]) : [];
  return { code: status, outcomes, out: stdout, err: stderr };
}

test('the service keeps every rule, and JUnit says so', { timeout: allRulesMs }, () => {
  const { code, out, err } = conform(`--junit=${folder}/junit.xml`);
  expect(code, out + err).toBe(0);
  expect(out).toContain(`${rules.length} hold, 0 broken, 0 skipped, 0 errors`);
  expect(readFileSync(join(folder, 'junit.xml'), 'utf8').match(/<testcase/g)).toHaveLength(rules.length);
});

test.each([...new Set(rules.map(({ redBy }) => redBy[0]))])('twin %s breaks what it is for', (twin) => {
  const broken = rules.filter(({ redBy }) => redBy[0] === twin).map(({ id }) => id);
  const { code, outcomes, err } = conform(...broken, '--json', `--twin=${twin}`);
  expect(
    outcomes.map(({ rule, outcome }) => [rule, outcome]),
    err,
  ).toEqual(broken.map((rule) => [rule, 'broken']));
  expect(code).toBe(1);
});

/** Each of the twins that show a part of a rule red, with what that part says. */
const parts = [
  ['R8', 'keeps-bombs', 'bytes more memory'],
  ['R33', 'forgets-deletions', 'bye kick'],
  ['R45', 'forgets-the-end', 'after the stream’s end'],
  ['R46', 'forgets-deletions', "401 for a deleted device's token"],
  ['R46', 'remembers-tokens', '401 for an expired token'],
  ['R47', 'graphql-is-the-account', 'nothing for sibling from'],
  ['R47', 'mixes-users', 'nothing for another user at GET /v1/sync/trips/t'],
  ['R55', 'confirms-twice', '410'],
  ['R58', 'ignores-retry-after', 'Retry-After'],
  ['R61', 'takes-any-address', 'forbidden-url'],
  ['R64', 'subscription-lingers', 'none of them held'],
  ['R69', 'lavish', 'bytes a stream'],
  ['R70', 'forgets-calls', 'calls'],
] as const;

test('every twin that a rule names beside its first shows a part of it red', () => {
  const named = rules.flatMap(({ id, redBy }) => redBy.slice(1).map((twin) => `${id} ${twin}`));
  expect(parts.map(([rule, twin]) => `${rule} ${twin}`).sort()).toEqual(named.sort());
});

test.each(parts)('%s is red with %s too', (rule, twin, text) => {
  const { code, outcomes } = conform(rule, '--json', `--twin=${twin}`);
  expect([code, outcomes[0]?.outcome]).toEqual([1, 'broken']);
  expect(outcomes[0]?.text).toContain(text);
});

test('a target of somebody else: what would end it is skipped, and with --strict that is not enough', async () => {
  const service = await startOwnService(undefined);
  try {
    writeFileSync(join(folder, 'credentials.json'), JSON.stringify(service.accounts));
    const target = [`--target=${service.url()}`, `--credentials=${folder}/credentials.json`, '--json'];
    const run = (...args: readonly string[]): { code: number; outcomes: readonly RuleOutcome[] } => {
      try {
        const out = execFileSync(process.execPath, ['harness/main.ts', 'conformance', ...args], {
          cwd: root,
          encoding: 'utf8',
          stdio: ['ignore', 'pipe', 'ignore'],
        });
        return { code: 0, outcomes: JSON.parse(out) };
      } catch (error) {
        const { status, stdout } = error as { status: number; stdout: string };
        return { code: status, outcomes: JSON.parse(stdout) };
      }
    };
    const { code, outcomes } = run('R2', 'R3', 'R47', ...target);
    expect(outcomes.map(({ outcome }) => outcome)).toEqual(['skipped', 'holds', 'holds']);
    expect(code).toBe(0);
    expect(run('R2', '--strict', ...target).code).toBe(1);
  } finally {
    await service.stop();
  }
});

test('--explain says what rules prove, how, and how to see them red', () => {
  const { code, out } = conform('--explain', 'R3', 'r46');
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
  [['--target=nonsense', '--credentials=x'], /has to be a URL/],
  [['--twin=nonsense'], /there is no fault "nonsense"/],
] as const)('%s is answered by a sentence', (args, sentence) => {
  const { code, err } = conform(...args);
  expect(err).toMatch(sentence);
  expect(code).not.toBe(0);
});
