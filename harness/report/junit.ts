/**
 * JUnit XML: one test case a threshold, and one for everything else that made the verdict. A trusted break is a failure; what cannot
 * be told or trusted is an error, so that CI tells them apart.
 */
import * as junit from 'junit-report-builder';
import { factorText, titleOfRun } from '#harness/gates/fit-words.ts';
import { promiseCodes } from '#harness/gates/promises.ts';
import type { RunResult, Verdict } from '#harness/run-result.ts';
import { metricText } from './numbers.ts';

/** These reasons are about a threshold, whose own test case says it. */
const reasonsOfThresholds: ReadonlySet<string> = new Set(['threshold-broken', 'threshold-unknown', 'failure-not-trusted', 'no-samples']);
const brokenPromises: ReadonlySet<string> = new Set(promiseCodes);

export function junitXml({ run }: RunResult, verdict: Verdict): string {
  const builder = (junit.default as unknown as import('junit-report-builder').Builder).newBuilder();
  const suite = builder
    .testSuite()
    .name(`headroom.${titleOfRun(run)}`)
    .timestamp(run.startedAt);
  const className = run.scenario.name;
  suite.property('verdict', verdict.verdict).property('seed', String(run.seed)).property('plan', run.planHash).property('revision', run.gitRevision);
  if (run.fit !== undefined) suite.property('fit', factorText(run.fit.factor));
  for (const threshold of verdict.thresholds) {
    const { expression, observed, best, worst, samples, holds } = threshold;
    const name = `${metricText(threshold)} ${expression}`;
    const test = suite.testCase().className(className).name(name);
    for (const [property, value] of Object.entries({ observed, best, worst, samples })) test.property(property, String(value ?? 'no samples'));
    const said = verdict.reasons.find(({ code, text }) => reasonsOfThresholds.has(code) && text.startsWith(name));
    const trusted = verdict.verdict === 'fail' && said?.code !== 'failure-not-trusted';
    if (holds === 'no' && trusted) test.failure(said?.text ?? `observed ${observed}`, 'threshold-broken');
    else if (holds !== 'yes') test.error(said?.text ?? untold(threshold, verdict), said?.code ?? 'threshold-unknown');
  }
  for (const { code, text } of verdict.reasons) {
    if (reasonsOfThresholds.has(code)) continue;
    const test = suite.testCase().className(className).name(code);
    if (brokenPromises.has(code)) test.failure(text, code);
    else test.error(text, code);
  }
  return builder.build();
}

/** Without a reason of its own a threshold is not told for the run's. */
function untold({ best, worst }: Verdict['thresholds'][number], { reasons }: Verdict): string {
  if (best !== null || worst !== null) return `cannot be told: between ${best} and ${worst}`;
  return `not one sample: ${reasons[0]?.text ?? 'nothing was measured'}`;
}
