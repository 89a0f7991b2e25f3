import { expect, test } from 'vitest';
import { exampleRun, thresholdOf } from '#harness/gates/example-run.ts';
import { judge } from '#harness/gates/judge.ts';
import { timesOf } from '#harness/metrics/fold.ts';
import { countOf } from '#harness/metrics/histogram.ts';
import type { RunResult } from '#harness/run-result.ts';
import { mergeRuns } from './merge-runs.ts';

const part = (name: string, shiftSeconds = 0, changes: Partial<RunResult> = {}): RunResult => {
  const run = exampleRun();
  return {
    ...run,
    run: { ...run.run, id: name, run: name },
    phases: run.phases.map((phase) => ({ ...phase, startSeconds: phase.startSeconds + shiftSeconds, endSeconds: phase.endSeconds + shiftSeconds })),
    cells: run.cells.map((cell) => ({ ...cell, second: cell.second + shiftSeconds })),
    ...changes,
  };
};
const thresholds = [thresholdOf('failed', 'rate<0.1'), thresholdOf('events_lost', 'count==0')];

test('counts, histograms and ledgers of parts add up, whatever origin each counts from', () => {
  const one = part('one');
  const merged = mergeRuns([one, part('two', 7), part('three', -1)]);
  const totals = judge(merged, thresholds).totals;
  const single = judge(one, thresholds).totals;
  for (const name of ['planned', 'fired', 'answered', 'acknowledged'] as const) expect(totals[name]).toBe(3 * single[name]);
  expect(countOf(timesOf(merged.cells, 'response'))).toBe(3 * countOf(timesOf(one.cells, 'response')));
  expect(new Set(merged.cells.map(({ second }) => second))).toEqual(new Set(one.cells.map(({ second }) => second)));
  expect(judge(merged, thresholds).verdict).toBe('pass');
});

test('one part that lost an event fails all, and one that was not read back proves nothing', () => {
  const { ledger } = exampleRun();
  if (ledger === undefined) throw new Error('the example has a ledger');
  expect(judge(mergeRuns([part('one'), part('two', 0, { ledger: { ...ledger, lost: 1 } })]), thresholds).verdict).toBe('fail');
  expect(judge(mergeRuns([part('one'), part('two', 0, { ledger: undefined })]), thresholds).verdict).toBe('invalid');
});

test('what k6 dropped, or did not account for, in one part makes all invalid', () => {
  const none = exampleRun().phases.map(() => 0);
  const some = exampleRun().phases.map(({ measured }) => (measured ? 1 : 0));
  const verdictOf = (droppedIterations: readonly number[], unaccountedIterations: readonly number[]) =>
    judge(mergeRuns([part('one'), part('two', 0, { k6: { processes: 1, droppedIterations, unaccountedIterations } })]), thresholds).verdict;
  expect(verdictOf(some, none)).toBe('invalid');
  expect(verdictOf(none, some)).toBe('invalid');
  expect(verdictOf(none, none)).toBe('pass');
});

test('what are not parts of one load is said in a sentence', () => {
  expect(() => mergeRuns([])).toThrow('no run to merge');
  expect(() => mergeRuns([part('one'), part('one')])).toThrow('the same run');
  const other = part('two');
  expect(() => mergeRuns([part('one'), { ...other, phases: other.phases.slice(1) }])).toThrow('not parts of one run');
  const told = part('three', 0, { webhooks: { cells: [], processes: [], ledger: undefined } });
  expect(() => mergeRuns([part('one'), told])).toThrow('receivers of webhooks cannot be merged');
});

test('of the limits the nearest to being used up counts, of descriptors and of ports, each with its own maximum', () => {
  const one = { descriptorsUsedMax: 900, descriptorsMax: 1000, portsUsedMax: 100, portsMax: 20_000 };
  const two = { descriptorsUsedMax: 1000, descriptorsMax: 100_000, portsUsedMax: 200, portsMax: 1000 };
  const three = { descriptorsUsedMax: undefined, descriptorsMax: 100, portsUsedMax: undefined, portsMax: undefined };
  const merged = mergeRuns([part('one', 0, { limits: one }), part('two', 0, { limits: two }), part('three', 0, { limits: three })]);
  expect(merged.limits).toEqual({ descriptorsUsedMax: 900, descriptorsMax: 1000, portsUsedMax: 200, portsMax: 1000 });
});

test('faults of every part are kept, at the seconds of the first', () => {
  const fault = { kind: 'drop-connections' as const, phase: 'spike', startSeconds: 20, endSeconds: 21 };
  const merged = mergeRuns([part('one'), part('two', 7, { faults: [{ ...fault, trouble: 'no such worker' }] }), part('three', 0, { faults: [fault] })]);
  expect(merged.faults).toEqual([{ ...fault, startSeconds: 13, endSeconds: 14, trouble: 'no such worker' }, fault]);
  expect('faults' in mergeRuns([part('one'), part('two')])).toBe(false);
});
