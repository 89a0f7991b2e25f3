import { expect, test } from 'vitest';
import { exampleRun, thresholdOf } from './example-run.ts';
import { judge } from './judge.ts';

const thresholds = [thresholdOf('failed', 'rate<0.1')];
const driven = (droppedIterations: readonly number[], unaccountedIterations: readonly number[] = []) =>
  judge({ ...exampleRun(), k6: { processes: 1, droppedIterations, unaccountedIterations } }, thresholds);
const measured = exampleRun().phases.map((phase) => phase.measured);

test('one iteration that k6 dropped in a measured phase makes a run invalid, and one before it does not', () => {
  expect(driven(measured.map(() => 0)).verdict).toBe('pass');
  const invalid = driven(measured.map((is) => (is ? 1 : 0)));
  expect(invalid.verdict).toBe('invalid');
  expect(invalid.reasons[0]).toMatchObject({ code: 'iterations-dropped' });
  expect(driven(measured.map((is) => (is ? 0 : 5))).verdict).toBe('pass');
});

test('one planned arrival of which k6 does not say that it began or dropped it makes a run invalid, however many it fired', () => {
  expect(
    driven(
      [],
      measured.map(() => 0),
    ).verdict,
  ).toBe('pass');
  const invalid = driven(
    [],
    measured.map((is) => (is ? 1 : 0)),
  );
  expect(invalid.verdict).toBe('invalid');
  expect(invalid.reasons[0]).toMatchObject({ code: 'iterations-unaccounted' });
  expect(
    driven(
      [],
      measured.map((is) => (is ? 0 : 5)),
    ).verdict,
  ).toBe('pass');
});

test('more than a thousandth fired late by k6 in a measured phase makes a run invalid, as none is needed to be dropped for that', () => {
  const lateIn = (isMeasured: boolean, share: number) => {
    const run = exampleRun();
    const cells = run.cells.map((cell) =>
      run.phases[cell.phase]?.measured === isMeasured ? { ...cell, counts: { ...cell.counts, firedLate: Math.ceil(share * cell.counts.planned) } } : cell,
    );
    return judge({ ...run, cells, k6: { processes: 1, droppedIterations: [], unaccountedIterations: [] } }, thresholds);
  };
  expect(lateIn(true, 0.05).verdict).toBe('invalid');
  expect(lateIn(true, 0.05).reasons[0]).toMatchObject({ code: 'iterations-late' });
  expect(lateIn(true, 0).verdict).toBe('pass');
  expect(lateIn(false, 0.05).verdict).toBe('pass');
});

test('what k6 cannot measure is said beside its verdicts only', () => {
  const codes = (notes: readonly { readonly code: string }[]) => notes.map((note) => note.code).filter((code) => code.startsWith('k6-'));
  expect(codes(driven([]).notes)).toContain('k6-dispatch-delay');
  expect(codes(judge(exampleRun(), thresholds).notes)).toEqual([]);
});
