/**
 * JUnit XML, valid by the schema of Jenkins' xUnit plugin (figures stand in `system-out`, since its test cases have no properties): one
 * test case a threshold, and one for everything else that made the verdict. A trusted break is a failure; what cannot be told or trusted
 * is an error, so that CI tells them apart.
 */
import { failureText } from '#harness/gates/failures.ts';
import { factorText, titleOfRun } from '#harness/gates/fit-words.ts';
import { promiseCodes } from '#harness/gates/promises.ts';
import type { RunResult, Verdict } from '#harness/run-result.ts';
import { junitText, newJunit } from './junit-builder.ts';
import { metricText } from './numbers.ts';
import { printable } from './printable.ts';

type Checked = Verdict['thresholds'][number];
type Case = import('junit-report-builder').TestCase;

/** These reasons are about a threshold, whose own test case says it. */
const reasonsOfThresholds: ReadonlySet<string> = new Set(['threshold-broken', 'threshold-unknown', 'failure-not-trusted', 'no-samples']);
const brokenPromises: ReadonlySet<string> = new Set(promiseCodes);

export function junitXml({ run }: RunResult, verdict: Verdict): string {
  const builder = newJunit();
  const suite = builder
    .testSuite()
    .name(`headroom.${titleOfRun(run)}`)
    .timestamp(run.startedAt);
  const className = run.scenario.name;
  suite.property('verdict', verdict.verdict).property('seed', String(run.seed)).property('plan', run.planHash).property('revision', run.gitRevision);
  if (run.fit !== undefined) suite.property('fit', factorText(run.fit.factor));
  for (const threshold of verdict.thresholds) {
    addThreshold(suite.testCase().className(className).name(thresholdName(threshold)), threshold, verdict);
  }
  for (const { code, text } of verdict.reasons) {
    if (reasonsOfThresholds.has(code)) continue;
    const test = suite.testCase().className(className).name(code);
    if (brokenPromises.has(code)) test.failure(printable(text), code);
    else test.error(printable(text), code);
    sayWhatFailed(test, verdict);
  }
  return junitText(builder);
}

const thresholdName = (threshold: Checked): string => `${metricText(threshold)} ${threshold.expression}`;

function addThreshold(test: Case, threshold: Checked, verdict: Verdict): void {
  const { observed, best, worst, samples, holds } = threshold;
  const figures = Object.entries({ observed, best, worst, samples });
  test.standardOutput(figures.map(([name, value]) => `${name} ${value ?? 'unknown'}`).join(', '));
  if (holds === 'yes') return;
  const name = thresholdName(threshold);
  const said = verdict.reasons.find(({ code, text }) => reasonsOfThresholds.has(code) && text.startsWith(name));
  const trusted = verdict.verdict === 'fail' && said?.code !== 'failure-not-trusted';
  if (holds === 'no' && trusted) test.failure(printable(said?.text ?? `observed ${observed}`), 'threshold-broken');
  else test.error(printable(said?.text ?? untold(threshold, verdict)), said?.code ?? 'threshold-unknown');
  sayWhatFailed(test, verdict);
}

function sayWhatFailed(test: Case, { failures = [] }: Verdict): void {
  if (failures.length > 0) test.standardError(`What failed:\n${failures.map((failure) => printable(failureText(failure))).join('\n')}`);
}

/** Without a reason of its own a threshold is not told for the run's. */
function untold({ best, worst }: Verdict['thresholds'][number], { reasons }: Verdict): string {
  if (best !== null || worst !== null) return `cannot be told: between ${best} and ${worst}`;
  return `not one sample: ${reasons[0]?.text ?? 'nothing was measured'}`;
}
