/**
 * Judges over runs, never over the requests of several: the requests of one run depend on each other, the runs do not.
 * One trustworthy failure is a failure, since it happened; a pass needs every run; what is in between is inconclusive.
 */
import { exitCodes, type Verdict, type VerdictKind } from '#harness/run-result.ts';
import type { Saying } from './validity.ts';

export type RepeatedVerdict = {
  readonly version: 1;
  readonly scenario: string;
  readonly verdict: VerdictKind;
  readonly exitCode: number;
  readonly reasons: readonly Saying[];
  /** By threshold, in the scenario's order: what each run observed, and how many answered how. */
  readonly thresholds: readonly {
    readonly metric: string;
    readonly selector: Readonly<Record<string, string>>;
    readonly expression: string;
    readonly observed: readonly (number | string | null)[];
    readonly yes: number;
    readonly no: number;
    readonly unknown: number;
  }[];
  readonly runs: readonly Verdict[];
};

/**
 * | the runs | together |
 * |---|---|
 * | one of them fails | fail |
 * | one was interrupted, none fails | interrupted |
 * | all pass | pass |
 * | none passes (all invalid or inconclusive) | invalid |
 * | some pass, some could not be trusted | inconclusive |
 */
export function judgeRepeats(verdicts: readonly Verdict[]): RepeatedVerdict {
  const first = verdicts[0];
  if (first === undefined) throw new RangeError('there is no run to judge over');
  const verdict = together(verdicts.map((one) => one.verdict));
  return {
    version: 1,
    scenario: first.scenario,
    verdict,
    exitCode: exitCodes[verdict],
    reasons: reasonsOf(verdict, verdicts),
    thresholds: first.thresholds.map((threshold, index) =>
      overRuns(
        threshold,
        verdicts.map((one) => one.thresholds[index]).filter((one) => one !== undefined),
      ),
    ),
    runs: verdicts,
  };
}

/** Can it be trusted, either way? */
export const isTold = ({ verdict }: Verdict): boolean => verdict === 'pass' || verdict === 'fail';

/** Over runs that end with the first that can be trusted: that one's verdict, else the interruption, else invalid. */
export function judgeUntilTold(verdicts: readonly Verdict[]): RepeatedVerdict {
  const last = verdicts.at(-1);
  const verdict = last !== undefined && (isTold(last) || last.verdict === 'interrupted') ? last.verdict : 'invalid';
  const before = `${verdicts.length - 1} before it could not be trusted`;
  const texts: Readonly<Partial<Record<VerdictKind, string>>> = {
    invalid: `none of ${verdicts.length} runs could be trusted`,
    interrupted: `interrupted in run ${verdicts.length}; ${before}`,
  };
  const text = texts[verdict] ?? `run ${verdicts.length} could be trusted: ${verdict}; ${before}`;
  const reasons = [{ code: `told-${verdict}`, text }, ...reasonsOfRuns(verdicts)];
  return { ...judgeRepeats(verdicts), verdict, exitCode: exitCodes[verdict], reasons };
}

const reasonsOfRuns = (verdicts: readonly Verdict[]): readonly Saying[] =>
  verdicts.flatMap((one, index) => one.reasons.map(({ code, text }) => ({ code, text: `run ${index + 1}: ${text}` })));

function together(kinds: readonly VerdictKind[]): VerdictKind {
  if (kinds.includes('fail')) return 'fail';
  if (kinds.includes('interrupted')) return 'interrupted';
  if (kinds.every((kind) => kind === 'pass')) return 'pass';
  return kinds.includes('pass') ? 'inconclusive' : 'invalid';
}

/**
 * How often a scenario may still fail after n passes in n runs: the upper end of the exact one-sided 95 % interval (Clopper-Pearson),
 * 1 − 0.05^(1/n).
 */
export function failureShareUpperBound(passes: number): number {
  return 1 - 0.05 ** (1 / passes);
}

function reasonsOf(verdict: VerdictKind, verdicts: readonly Verdict[]): readonly Saying[] {
  const count = (kind: VerdictKind): number => verdicts.filter((one) => one.verdict === kind).length;
  const tally = (['pass', 'fail', 'invalid', 'inconclusive', 'interrupted'] as const).filter((kind) => count(kind) > 0).map((kind) => `${count(kind)} ${kind}`);
  if (verdict === 'pass') {
    const share = Math.round(failureShareUpperBound(verdicts.length) * 100);
    return [{ code: 'all-passed', text: `all ${verdicts.length} runs passed; with so few, up to ${share} % of runs may still fail (95 % sure)` }];
  }
  const texts: Readonly<Record<Exclude<VerdictKind, 'pass'>, string>> = {
    fail: 'a failure that can be trusted happened, whatever the other runs did',
    invalid: 'no run could be trusted',
    inconclusive: 'some runs passed and the others could not be trusted',
    interrupted: 'the runs were interrupted',
  };
  return [{ code: `runs-${verdict}`, text: `${tally.join(', ')} of ${verdicts.length} runs: ${texts[verdict]}` }, ...reasonsOfRuns(verdicts)];
}

type OneThreshold = Verdict['thresholds'][number];

function overRuns({ metric, selector, expression }: OneThreshold, runs: readonly OneThreshold[]): RepeatedVerdict['thresholds'][number] {
  const count = (holds: OneThreshold['holds']): number => runs.filter((run) => run.holds === holds).length;
  return { metric, selector, expression, observed: runs.map((run) => run.observed), yes: count('yes'), no: count('no'), unknown: count('unknown') };
}
