import { expect, test } from 'vitest';
import { exitCodes, type Verdict, type VerdictKind } from '#harness/run-result.ts';
import { exampleRun, thresholdOf } from './example-run.ts';
import { judge } from './judge.ts';
import { failureShareUpperBound, judgeRepeats, judgeUntilTold } from './repeats.ts';

const passed = judge(exampleRun(), [thresholdOf('failed', 'rate<0.1'), thresholdOf('response_ms', 'p(99)<250')]);
const verdictOf = (kind: VerdictKind): Verdict => ({
  ...passed,
  verdict: kind,
  exitCode: exitCodes[kind],
  reasons: kind === 'pass' ? [] : [{ code: 'because', text: `it was ${kind}` }],
});

test.each<[readonly VerdictKind[], VerdictKind]>([
  [['pass', 'pass', 'pass'], 'pass'],
  [['pass', 'fail', 'pass'], 'fail'],
  [['invalid', 'fail', 'interrupted'], 'fail'],
  [['pass', 'interrupted'], 'interrupted'],
  [['invalid', 'invalid'], 'invalid'],
  [['pass', 'invalid', 'pass'], 'inconclusive'],
  [['pass'], 'pass'],
])('%j together: %s', (kinds, expected) => {
  const repeated = judgeRepeats(kinds.map(verdictOf));
  expect(repeated).toMatchObject({ verdict: expected, exitCode: exitCodes[expected] });
  expect(repeated.runs.length).toBe(kinds.length);
});

test.each<[readonly VerdictKind[], VerdictKind, string]>([
  [['pass'], 'pass', 'run 1 could be trusted: pass; 0 before it could not be trusted'],
  [['invalid', 'inconclusive', 'fail'], 'fail', 'run 3 could be trusted: fail; 2 before it could not be trusted'],
  [['invalid', 'interrupted'], 'interrupted', 'interrupted in run 2; 1 before it could not be trusted'],
  [['invalid', 'inconclusive'], 'invalid', 'none of 2 runs could be trusted'],
])('%j until one is told: %s', (kinds, expected, text) => {
  const told = judgeUntilTold(kinds.map(verdictOf));
  expect(told).toMatchObject({
    verdict: expected,
    exitCode: exitCodes[expected],
    reasons: [{ text }, ...kinds.flatMap((kind) => (kind === 'pass' ? [] : [{}]))],
  });
  expect(told.runs.length).toBe(kinds.length);
});

test('reasons name their run, thresholds show every run', () => {
  const broken = { ...verdictOf('fail'), thresholds: passed.thresholds.map((one) => ({ ...one, observed: 7, holds: 'no' as const })) };
  const repeated = judgeRepeats([passed, broken]);
  expect(repeated.reasons.map((reason) => reason.text)).toEqual([
    '1 pass, 1 fail of 2 runs: a failure that can be trusted happened, whatever the other runs did',
    'run 2: it was fail',
  ]);
  expect(repeated.thresholds[0]).toMatchObject({ metric: 'failed', observed: [0, 7], yes: 1, no: 1, unknown: 0 });
});

test('a few passes promise little: Clopper-Pearson, 0 of 299 is 0.009969', () => {
  expect(failureShareUpperBound(299)).toBeCloseTo(0.009969, 6);
  expect(judgeRepeats([passed, passed, passed]).reasons[0]?.text).toContain('up to 63 %');
});

test('no runs are no verdict', () => {
  expect(() => judgeRepeats([])).toThrow('no run');
});
