import { describe, expect, test } from 'vitest';
import type { Fitted } from '#harness/fit/find-fit.ts';
import { exampleRun, exampleScenario, thresholdOf } from '#harness/gates/example-run.ts';
import { judge } from '#harness/gates/judge.ts';
import { exitCodes, type Verdict, type VerdictKind } from '#harness/run-result.ts';
import { operations } from '#harness/target/operations.ts';
import type { RunOptions } from './run-options.ts';
import { runScenarios, type ScenarioArguments } from './scenario-verb.ts';

const given: ScenarioArguments = { name: 'smoke', seed: 7, set: [], repeat: 1, quiet: false, json: false };
const passed = judge(exampleRun(), [thresholdOf('failed', 'rate<0.1')]);

const fittedExample: Fitted = {
  kind: 'fits',
  scenario: { ...exampleScenario, name: 'fitted' },
  fit: { factor: 0.5, plannedPeakPerSecond: 100, heldPerSecond: 62.5, marginShare: 0.2, rungs: [], unscaled: [] },
};

/** Runs the verb with runs that come to these verdicts, and notes all it did. */
async function typed(args: Partial<ScenarioArguments>, kinds: readonly VerdictKind[] = ['pass'], fitsTo: Fitted = fittedExample) {
  const fits: RunOptions[] = [];
  const out: string[] = [];
  const err: string[] = [];
  const runs: RunOptions[] = [];
  const code = await runScenarios(
    { ...given, ...args },
    {
      say: { out: (text) => out.push(text), err: (text) => err.push(text) },
      operationNames: async () => operations.map(({ name }) => name),
      findFit: async (options) => {
        fits.push(options);
        return fitsTo;
      },
      runScenario: async (options): Promise<Verdict> => {
        const kind = kinds[runs.length] as VerdictKind;
        runs.push(options);
        return { ...passed, verdict: kind, exitCode: exitCodes[kind] };
      },
    },
  );
  return { code, out: out.join(''), err: err.join(''), runs, fits };
}

test.each<[VerdictKind, number]>([
  ['pass', 0],
  ['fail', 1],
  ['invalid', 3],
  ['interrupted', 130],
])('a run that comes to %s exits with %i', async (kind, code) => {
  expect((await typed({}, [kind])).code).toBe(code);
});

test('what was asked for reaches the run, checked', async () => {
  const { runs } = await typed({
    target: 'http://a',
    credentials: 'c.json',
    out: 'there',
    quiet: true,
    set: ['fleet.devices=50', 'phases.load.rate.ratePerSecond=10'],
  });
  expect(runs[0]).toMatchObject({ seed: 7, target: { url: 'http://a', credentialsFile: 'c.json' }, out: 'there', quiet: true, wire: 'auto' });
  expect(runs[0]?.scenario).toMatchObject({ name: 'smoke', fleet: { devices: 50 } });
  expect(runs[0]?.thresholds.length).toBe(runs[0]?.scenario.thresholds.length);
  expect((await typed({})).runs[0]).not.toHaveProperty('target');
});

test('--engine reaches the run; what k6 cannot do is a usage error, and nothing runs', async () => {
  expect((await typed({ engine: 'k6' })).runs[0]).toMatchObject({ engine: 'k6' });
  const streams = await typed({ name: 'streams-smoke', engine: 'k6' });
  expect([streams.code, streams.runs.length]).toEqual([2, 0]);
  expect(streams.err).toContain('holds streams, and k6 cannot');
  const told = await typed({ name: 'webhooks-smoke', engine: 'k6' });
  expect([told.code, told.runs.length]).toEqual([2, 0]);
  expect(told.err).toContain('has receivers of webhooks, and with k6 nobody knows');
  const retried = await typed({ engine: 'k6', set: ['fleet.retry={"kind":"honour","triesMax":3}'] });
  expect([retried.code, retried.runs.length]).toEqual([2, 0]);
});

test('--json puts exactly the verdict on stdout', async () => {
  const { out } = await typed({ json: true });
  expect(JSON.parse(out)).toEqual(JSON.parse(JSON.stringify(passed)));
  expect((await typed({})).out).toBe('');
});

describe('--repeat', () => {
  test('each run has a seed of its own, and the runs are judged together', async () => {
    const { code, runs, out, err } = await typed({ repeat: 3, json: true }, ['pass', 'invalid', 'pass']);
    expect(code).toBe(4);
    expect(runs.map((run) => [run.seed, run.repeatIndex])).toEqual([
      [7, 0],
      [8, 1],
      [9, 2],
    ]);
    expect(JSON.parse(out)).toMatchObject({ verdict: 'inconclusive', runs: [{}, {}, {}] });
    expect(err).toContain('example, 3 runs: inconclusive');
  });

  test('an interruption ends them all', async () => {
    const { code, runs } = await typed({ repeat: 5 }, ['pass', 'interrupted']);
    expect([code, runs.length]).toEqual([130, 2]);
  });
});

describe('--repeat-until-told', () => {
  test.each<[readonly VerdictKind[], number, number]>([
    [['pass'], 1, 0],
    [['invalid', 'inconclusive', 'pass'], 3, 0],
    [['invalid', 'fail'], 2, 1],
    [['invalid', 'invalid', 'invalid', 'invalid'], 4, 3],
    [['invalid', 'interrupted'], 2, 130],
  ])('%j: %i of at most 4 runs, exit code %i', async (kinds, count, expected) => {
    const { code, runs, out, err } = await typed({ repeatUntilTold: 4, json: true }, kinds);
    expect([code, runs.length]).toEqual([expected, count]);
    expect(new Set(runs.map(({ seed }) => seed)).size).toBe(count);
    expect(JSON.parse(out).runs.map((run: Verdict) => run.verdict)).toEqual(kinds);
    expect(err).toContain(`example, ${count} run`);
    expect(err).toContain('run 1 of at most 4');
  });
});

test('--full-time takes the clock back', async () => {
  expect((await typed({ name: 'heartbeat-timeout' })).runs[0]?.scenario.clock).toEqual({ scale: 25 });
  expect((await typed({ name: 'heartbeat-timeout', fullTime: true })).runs[0]?.scenario.clock).toEqual({ scale: 1 });
});

test.each<[Partial<ScenarioArguments>, string]>([
  [{ name: 'smok' }, 'there is no scenario "smok"; did you mean "smoke"?'],
  [{ name: undefined }, 'which scenario? There is heartbeat-timeout, '],
  [{ name: 'nowhere.json' }, 'there is no file nowhere.json'],
  [{ set: ['fleet.devises=1'] }, '--set fleet.devises: there is no fleet.devises; did you mean "devices"?'],
  [{ set: ['fleet.devices=0'] }, 'smoke is not a scenario that can be run:\n  fleet.devices: must be >= 1, not 0'],
  [{ set: ['thresholds[0].expression=p(99)~250'] }, 'p(99)~250\n         ^ expected one of <='],
])('a usage error runs nothing and exits with 2: %j', async (args, message) => {
  const { code, err, out, runs } = await typed(args);
  expect([code, out, runs.length]).toEqual([2, '', 0]);
  expect(err).toContain(message);
});

test('list names every scenario with what it is', async () => {
  const { code, out } = await typed({ name: 'list' });
  expect(code).toBe(0);
  expect(out).toMatch(/^spike +10,000 devices/m);
});

test('--fit: one search, and its scenario and factor are what every run gets', async () => {
  const { runs, fits } = await typed({ fit: true, repeat: 3, seed: 9 }, ['pass', 'pass', 'pass']);
  expect(fits.map(({ scenario, typed, seed }) => [scenario.name, typed, seed])).toEqual([['smoke', 'smoke', 9]]);
  expect(runs.map(({ scenario, fit }) => [scenario.name, fit?.factor])).toEqual([
    ['fitted', 0.5],
    ['fitted', 0.5],
    ['fitted', 0.5],
  ]);
});

test('--fit where no rate holds: no run, exit code 3, and the reason', async () => {
  const text = 'not even 2/s of smoke holds here';
  const { code, err, runs } = await typed({ fit: true, quiet: true }, [], { kind: 'none', text });
  expect([code, runs.length]).toEqual([3, 0]);
  expect(err).toContain(text);
});

test.each<[string, Partial<ScenarioArguments>, string]>([
  ['with k6', { engine: 'k6' }, 'k6 holds less on the same machine'],
  ['of streams', { name: 'streams-10k' }, 'whose number is its load'],
  ['of webhooks', { name: 'webhook-storm' }, 'told to receivers'],
  ['of quotas that are elsewhere', { name: 'noisy-neighbour', target: 'http://a', credentials: 'c.json' }, 'quotas of the same proportion'],
])('--fit %s is a usage error, and nothing is searched or run', async (_, args, message) => {
  const { code, err, runs, fits } = await typed({ fit: true, ...args });
  expect([code, runs.length, fits.length]).toEqual([2, 0, 0]);
  expect(err).toContain(message);
});

test('--no-fit-check reaches the run', async () => {
  expect((await typed({ fitCheck: false })).runs[0]).toMatchObject({ fitCheck: false });
});

test('what to type next leads to the same plan: places that were set, the clock and the target stay, quoted for a shell', async () => {
  const set = ['fleet.devices=50', 'phases.load.rate={"kind":"constant","ratePerSecond":9}'];
  const { runs } = await typed({ set, fullTime: true, target: 'http://a', credentials: "it's.json" });
  expect(runs[0]?.typed).toBe(
    `smoke --set fleet.devices=50 --set 'phases.load.rate={"kind":"constant","ratePerSecond":9}' --full-time --target http://a --credentials 'it'\\''s.json'`,
  );
});
