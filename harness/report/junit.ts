/** JUnit XML: a broken threshold is a failure, an untrusted one an error, so that CI tells them apart. */
import * as junit from 'junit-report-builder';
import type { RunResult, Verdict } from '#harness/run-result.ts';

export function junitXml({ run }: RunResult, verdict: Verdict): string {
  const builder = (junit.default as unknown as import('junit-report-builder').Builder).newBuilder();
  const suite = builder.testSuite().name(`headroom.${run.scenario.name}`).timestamp(run.startedAt);
  for (const { metric, selector, expression, observed, best, worst, samples, holds } of verdict.thresholds) {
    const labels = Object.entries(selector).map(([name, value]) => `${name}:${value}`);
    const test = suite
      .testCase()
      .className(run.scenario.name)
      .name(`${metric}${labels.length === 0 ? '' : `{${labels.join(',')}}`} ${expression}`);
    for (const [name, value] of Object.entries({ observed, best, worst, samples })) test.property(name, String(value));
    if (holds === 'no') test.failure(`observed ${observed}`, 'threshold');
    if (holds === 'unknown') test.error(`cannot be told: between ${best} and ${worst}`, 'invalid');
  }
  for (const { code, text } of verdict.reasons) {
    const test = suite.testCase().className(run.scenario.name).name(code);
    if (verdict.verdict === 'fail') test.failure(text, code);
    else test.error(text, code);
  }
  return builder.build();
}
