/** Who reads a run's folder sees that it was a scaled one, and of one that ended early the one sentence that matters. */
import { expect, test } from 'vitest';
import { exampleLedger, exampleRun, thresholdOf } from '#harness/gates/example-run.ts';
import { judge } from '#harness/gates/judge.ts';
import { judgeRepeats } from '#harness/gates/repeats.ts';
import { paintOf, written } from '#harness/live/styled.ts';
import { verdictLines } from '#harness/live/verdict-lines.ts';
import type { FitRecord, RunResult } from '#harness/run-result.ts';
import { indexHtml } from './index-html.ts';
import { junitXml } from './junit.ts';
import { summaryMarkdown } from './summary.ts';

const assets = { plotScript: 'plot', plotStyle: 'plot', pageScript: 'page', pageStyle: 'page' };
const fit: FitRecord = { factor: 0.42, plannedPeakPerSecond: 2381, heldPerSecond: 1250, marginShare: 0.2, rungs: [], unscaled: ['failed count<100'] };
const run = exampleRun();
const fitted: RunResult = { ...run, run: { ...run.run, fit } };
const holding = [thresholdOf('failed', 'rate<0.1')];
const broken = [thresholdOf('response_ms', 'p(99)<1')];

function everywhere(result: RunResult, thresholds = holding) {
  const verdict = judge(result, thresholds);
  const terminal = verdictLines(verdict, 'folder')
    .map((line) => written(line, paintOf(false)))
    .join('\n');
  return { verdict, terminal, page: indexHtml(result, verdict, assets), summary: summaryMarkdown(result, verdict), junit: junitXml(result, verdict) };
}

test('a scaled run says so wherever it is named: terminal, verdict, page, summary, JUnit', () => {
  const { verdict, terminal, page, summary, junit } = everywhere(fitted);
  expect(terminal).toContain("example × 0.42: PASS   exit code 0 (at 0.42 times the scenario's rates)");
  expect(verdict.fit).toEqual({ factor: 0.42, peakPerSecond: 1000, plannedPeakPerSecond: 2381 });
  expect(page).toContain('<title>pass: example × 0.42 ·');
  expect(page).toContain('exit code 0 (at 0.42 times');
  expect(summary).toContain('# example × 0.42: pass');
  expect(junit).toContain('headroom.example × 0.42');
  for (const text of [terminal, page, summary])
    expect(text).toMatch(/1,250\/s was the most that held here, and 20 % of that is left free; .*failed count&lt;100|failed count<100/);
});

test('of a scaled run that does not pass, every reason of its exit code says it', () => {
  const { verdict, junit } = everywhere(fitted, broken);
  expect(verdict.verdict).toBe('fail');
  for (const { text } of verdict.reasons) expect(text).toMatch(/\(at 0\.42 times the scenario's rates\)$/);
  expect(junit).toMatch(/<failure message="[^"]*0\.42 times/);
  expect(junit).not.toContain('cannot be told');
});

test('a factor of 1 is said too', () => {
  const { terminal } = everywhere({ ...fitted, run: { ...fitted.run, fit: { ...fit, factor: 1, marginShare: 0, unscaled: [] } } });
  expect(terminal).toContain("example × 1: PASS   exit code 0 (at all of the scenario's rates)");
  expect(terminal).toContain('holds all of it');
});

test('a run without --fit says nothing of it', () => {
  const said = everywhere(run);
  expect(said.verdict).not.toHaveProperty('fit');
  expect(JSON.stringify(said)).not.toMatch(/example ×|scenario's rates|--fit/);
});

test('repeated runs carry the factor', () => {
  const verdict = judge(fitted, holding);
  expect(judgeRepeats([verdict, verdict]).runs.map((one) => one.fit?.factor)).toEqual([0.42, 0.42]);
});

const unfitText = 'this machine holds about 4,200/s of this plan (its peak is 10,000/s); npm run scenario -- spike --fit';

test('a run that this machine cannot hold is invalid for that one reason, whatever its thresholds look like, and accuses nobody', () => {
  const unfit: RunResult = {
    ...run,
    phases: run.phases.slice(0, 1),
    cells: run.cells.filter(({ phase }) => phase === 0),
    ledger: undefined,
    interrupted: { kind: 'unfit', text: unfitText },
  };
  const { verdict, terminal, page, summary, junit } = everywhere(unfit, [...broken, thresholdOf('events_lost', 'count==0')]);
  expect(verdict).toMatchObject({ verdict: 'invalid', exitCode: 3, reasons: [{ code: 'machine-too-small', text: unfitText }] });
  expect(verdict.totals).toMatchObject({ lost: null, duplicated: null, reordered: null });
  expect(verdict.thresholds.map(({ holds }) => holds)).toEqual(['unknown', 'unknown']);
  for (const text of [terminal, page, summary, junit]) expect(text).toContain('this machine holds about 4,200/s');
  expect(junit).not.toContain('<failure');
  expect(junit).not.toContain('between null');
});

test('a promise that a ledger saw broken is a failure all the same', () => {
  const lost: RunResult = { ...run, ledger: { ...exampleLedger, lost: 3 }, interrupted: { kind: 'unfit', text: unfitText } };
  expect(judge(lost, holding).verdict).toBe('fail');
});
