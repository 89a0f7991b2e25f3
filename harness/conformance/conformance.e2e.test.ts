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

/** The twin for each rule: what the faults themselves say that they break. */
const redBy: Readonly<Record<string, string>> = {
  R1: 'drops-acknowledged',
  R2: 'drops-acknowledged',
  R3: 'forgets-duplicates',
  R4: 'forgets-duplicates',
  R5: 'ignores-keys',
  R6: 'counts-wrongly',
  R7: 'blurs-sizes',
  R8: 'blurs-sizes',
  R9: 'swaps-order',
  R10: 'forgets-duplicates',
  R11: 'acknowledges-early',
  R12: 'swaps-changes',
  R13: 'skips-a-change',
  R14: 'skips-a-change',
  R15: 'believes-cursors',
  R16: 'believes-cursors',
  R17: 'keeps-its-epoch',
  R18: 'chokes-on-cursors',
  R19: 'snapshot-loses-item',
  R20: 'forgets-deletes',
  R21: 'wrong-hash',
  R22: 'no-heartbeats',
  R23: 'no-heartbeats',
  R24: 'late-hello',
  R25: 'never-cuts',
  R26: 'drops-conflated',
  R27: 'bye-without-cursor',
  R28: 'same-age',
  R29: 'drops-at-drain',
  R30: 'deaf',
  R31: 'ignores-last-event-id',
  R32: 'counts-no-streams',
  R33: 'keeps-expired',
  R34: 'waits-for-ever',
  R35: 'latest-by-arrival',
  R36: 'latest-by-arrival',
  R37: 'counts-filtered-twice',
  R38: 'doubles-thresholds',
  R39: 'filters-states',
  R40: 'skips-between-pages',
  R41: 'ignores-if-match',
  R42: 'stale-cursors',
  R43: 'reads-late',
  R44: 'keeps-revoked',
  R45: 'always-online',
  R46: 'believes-tokens',
  R47: 'leaks-accounts',
  R48: 'registers-again',
  R49: 'favours-registrations',
  R50: 'same-retry',
  R51: 'gives-what-is-asked',
  R52: 'thrashes',
  R53: 'slow-health',
  R54: 'dies-of-descriptors',
  R55: 'tells-unconfirmed',
  R56: 'signs-another-time',
  R57: 'renames-retries',
  R58: 'believes-redirects',
  R59: 'rotates-at-once',
  R60: 'waits-for-each',
  R61: 'judges-addresses-once',
  R62: 'settles-before-sending',
  R63: 'graphql-is-always-fine',
  R64: 'subscription-loses',
  R65: 'plain-errors',
  R66: 'believes-forwarded',
  R67: 'lets-go-early',
  R68: 'counts-half',
  R69: 'keeps-what-ended',
  R70: 'bills-duplicates',
  R71: 'blurs-sizes',
  R72: 'tires',
};

test('the service keeps every rule, and JUnit says so', { timeout: allRulesMs }, () => {
  const { code, out, err } = conform(`--junit=${folder}/junit.xml`);
  expect(code, out + err).toBe(0);
  expect(out).toContain(`${rules.length} hold, 0 broken, 0 skipped, 0 errors`);
  expect(readFileSync(join(folder, 'junit.xml'), 'utf8').match(/<testcase/g)).toHaveLength(rules.length);
});

test('every rule has a twin', () => {
  expect(Object.keys(redBy).sort()).toEqual(rules.map(({ id }) => id).sort());
});

test.each([...new Set(Object.values(redBy))])('twin %s breaks what it is for', (twin) => {
  const broken = Object.keys(redBy).filter((rule) => redBy[rule] === twin);
  const { code, outcomes, err } = conform(...broken, '--json', `--twin=${twin}`);
  expect(
    outcomes.map(({ rule, outcome }) => [rule, outcome]),
    err,
  ).toEqual(broken.map((rule) => [rule, 'broken']));
  expect(code).toBe(1);
});

test('R46 is red for an expired token too', () => {
  const { code, outcomes } = conform('R46', '--json', '--twin=remembers-tokens');
  expect([code, outcomes[0]?.outcome]).toEqual([1, 'broken']);
  expect(JSON.stringify(outcomes)).toContain('an expired token');
});

test('R45 is red for who is early after a stream’s end too', () => {
  const { code, outcomes } = conform('R45', '--json', '--twin=forgets-the-end');
  expect([code, outcomes[0]?.outcome]).toEqual([1, 'broken']);
  expect(outcomes[0]?.text).toContain('after the stream’s end');
});

test('R64 is red for a subscription that is not freed too', () => {
  const { code, outcomes } = conform('R64', '--json', '--twin=subscription-lingers');
  expect([code, outcomes[0]?.outcome]).toEqual([1, 'broken']);
  expect(outcomes[0]?.text).toContain('none of them held');
});

test('R47 is red for what GraphQL shows too', () => {
  const { code, outcomes } = conform('R47', '--json', '--twin=graphql-is-the-account');
  expect([code, outcomes[0]?.outcome]).toEqual([1, 'broken']);
  expect(outcomes[0]?.text).toContain('nothing for sibling from');
});

test('R70 is red for calls that are forgotten too', () => {
  const { code, outcomes } = conform('R70', '--json', '--twin=forgets-calls');
  expect([code, outcomes[0]?.outcome]).toEqual([1, 'broken']);
  expect(outcomes[0]?.text).toContain('calls');
});

test('R69 is red for what a stream costs too', () => {
  const { code, outcomes } = conform('R69', '--json', '--twin=lavish');
  expect([code, outcomes[0]?.outcome]).toEqual([1, 'broken']);
  expect(outcomes[0]?.text).toContain('bytes a stream');
});

test.each([
  ['R55', 'confirms-twice', '410'],
  ['R58', 'ignores-retry-after', 'Retry-After'],
  ['R61', 'takes-any-address', 'forbidden-url'],
] as const)('%s is red with %s too', (rule, twin, text) => {
  const { code, outcomes } = conform(rule, '--json', `--twin=${twin}`);
  expect([code, outcomes[0]?.outcome]).toEqual([1, 'broken']);
  expect(outcomes[0]?.text).toContain(text);
});

test('R47 is red for another user’s items too', () => {
  const { code, outcomes } = conform('R47', '--json', '--twin=mixes-users');
  expect([code, outcomes[0]?.outcome]).toEqual([1, 'broken']);
  expect(outcomes[0]?.text).toContain('nothing for another user at GET /v1/sync/trips/t');
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

test.each([
  [['R99'], /there is no rule R99/],
  [['--target=http://127.0.0.1:1'], /--credentials/],
  [['--target=nonsense', '--credentials=x'], /has to be a URL/],
  [['--twin=nonsense'], /there is no fault "nonsense"/],
] as const)('%s is answered by a sentence', (args, sentence) => {
  const { code, err } = conform(...args);
  expect(err).toMatch(sentence);
  expect(code).not.toBe(0);
});
