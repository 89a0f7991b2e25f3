import { expect, test } from 'vitest';
import type { Cell, RunResult } from '#harness/run-result.ts';
import type { Scenario } from '#harness/scenario.ts';
import { type CellParts, exampleCell, exampleRun, exampleScenario, thresholdOf } from './example-run.ts';
import { judge } from './judge.ts';

const scenario: Scenario = {
  ...exampleScenario,
  phases: exampleScenario.phases.map((phase) => (phase.name === 'after' ? { ...phase, durationSeconds: 10 } : phase)),
};
const recovered = (seconds: number) => thresholdOf('recovery_seconds{phase:spike,baseline:calm}', `value<=${seconds}`, scenario);

/** The ten seconds after the spike (17 to 26), each of these samples; calm's p99 is `calmMs`. */
function afterSpike(seconds: readonly CellParts[], calmMs = 5): RunResult {
  const base = exampleRun({}, scenario);
  const cells: readonly Cell[] = base.cells
    .filter((cell) => cell.phase !== 3)
    .map((cell) => (cell.phase === 1 ? exampleCell({ second: cell.second, phase: 1, clean: [[calmMs, 100]] }) : cell));
  return { ...base, cells: [...cells, ...seconds.map((parts, index) => exampleCell({ second: 17 + index, phase: 3, ...parts }))] };
}
const at = (ms: number): CellParts => ({ clean: [[ms, 100]] });
const observedOf = (run: RunResult): unknown => judge(run, [recovered(3)]).thresholds[0]?.observed;

test('the first of three consecutive seconds counts, not the first good one', () => {
  expect(observedOf(afterSpike([5, 5, 5, 5, 5, 5, 5, 5, 5, 5].map(at)))).toBe(0);
  expect(observedOf(afterSpike([900, 5, 5, 5, 5, 5, 5, 5, 5, 5].map(at)))).toBe(1);
  expect(observedOf(afterSpike([900, 5, 5, 900, 5, 5, 5, 5, 5, 5].map(at)))).toBe(4);
});

test('50 ms are fine beside a quick baseline, and twice a slow one', () => {
  const seconds = (ms: number): readonly CellParts[] => Array.from({ length: 10 }, () => at(ms));
  expect(observedOf(afterSpike(seconds(49)))).toBe(0);
  expect(observedOf(afterSpike(seconds(52)))).toBe('not recovered');
  expect(observedOf(afterSpike(seconds(199), 100))).toBe(0);
  expect(observedOf(afterSpike(seconds(202), 100))).toBe('not recovered');
});

test('in time passes, late fails, and failures after the spike are no recovery', () => {
  const late = afterSpike([900, 900, 900, 900, 5, 5, 5, 5, 5, 5].map(at));
  expect(judge(late, [recovered(4)]).verdict).toBe('pass');
  expect(judge(late, [recovered(3)]).verdict).toBe('fail');
  expect(observedOf(afterSpike(Array.from({ length: 10 }, () => ({ clean: [[5, 90]], counts: { failed: 10 } }))))).toBe('not recovered');
});

test('a run that ends before the limit cannot say that it was not kept', () => {
  const never = afterSpike(Array.from({ length: 10 }, () => at(900)));
  // Ten seconds were watched: recovery may have begun in the ninth.
  expect(judge(never, [recovered(7)])).toMatchObject({ verdict: 'fail', thresholds: [{ best: 8, worst: 'not recovered', observed: 'not recovered' }] });
  expect(judge(never, [recovered(8)])).toMatchObject({ verdict: 'invalid', reasons: [{ code: 'threshold-unknown' }] });
});

test('unknown arrivals after the spike widen the answer', () => {
  const spoiled = afterSpike([at(5), at(5), { spoiled: [[900, 100]] }, at(5), at(5), at(5), at(5), at(5), at(5), at(5)]);
  expect(judge(spoiled, [recovered(2)])).toMatchObject({ verdict: 'invalid', thresholds: [{ best: 0, worst: 3, holds: 'unknown' }] });
  expect(judge(spoiled, [recovered(3)]).verdict).toBe('pass');
});

test('a baseline of failures does not excuse anything', () => {
  const run = afterSpike(Array.from({ length: 10 }, () => at(900)));
  const cells = [...run.cells, exampleCell({ second: 2, phase: 1, counts: { failed: 500 } })];
  expect(observedOf({ ...run, cells })).toBe('not recovered');
});

test('nothing after the phase, or no baseline: no samples', () => {
  expect(judge(afterSpike([]), [recovered(3)]).reasons.map((reason) => reason.code)).toContain('no-samples');
  const run = afterSpike([at(5)]);
  const verdict = judge({ ...run, cells: run.cells.filter((cell) => cell.phase !== 1) }, [recovered(3)]);
  expect(verdict.reasons.map((reason) => reason.code)).toContain('no-samples');
});
