import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { SecondDelta } from '#harness/run-result.ts';
import { closeCell, openCell } from './closed-cell.ts';
import { addHistograms, CellFold, foldCells, noCounts, reasonsPerCellMax } from './fold.ts';
import { bucketCount, Histogram, mergeHistograms, type SparseHistogram } from './histogram.ts';

const lag = { worker: 0, second: 0, loopDelayMaxMs: 0, stopMsTotal: 0, gcMsTotal: 0, gcMsMax: 0, utilisation: 0 };
const histogramOf = (micros: readonly number[]): SparseHistogram => {
  const histogram = new Histogram();
  for (const value of micros) histogram.record(value);
  return histogram.toSparse();
};
const microsLists = fc.array(fc.integer({ min: 1, max: 10_000_000 }), { maxLength: 30 });
const deltas: fc.Arbitrary<SecondDelta> = fc
  .record({
    // Far enough apart that seconds are closed and opened again.
    second: fc.integer({ min: 0, max: 30 }),
    phase: fc.integer({ min: 0, max: 1 }),
    operation: fc.constantFrom('ingest', 'read'),
    good: microsLists,
    spoiled: microsLists,
    failed: fc.integer({ min: 0, max: 9 }),
  })
  .map(({ second, phase, operation, good, spoiled, failed }) => ({
    cells: [
      {
        second,
        phase,
        operation,
        counts: { planned: good.length + spoiled.length + failed, good: good.length, failed },
        times: { response: { clean: histogramOf(good), spoiled: histogramOf(spoiled) } },
        reasons: failed > 0 ? { 'status-500': failed } : {},
      },
    ],
    lag,
    evenness: [],
  }));

test('two histograms add as their samples would', () => {
  fc.assert(
    fc.property(microsLists, microsLists, (a, b) => {
      expect(addHistograms(histogramOf(a), histogramOf(b))).toEqual(histogramOf([...a, ...b]));
      expect(addHistograms(histogramOf(a), histogramOf(b))).toEqual(mergeHistograms([histogramOf(b), histogramOf(a)]));
    }),
  );
});

test('a closed cell opens as it was, whatever its counts', () => {
  const index = fc.uniqueArray(fc.integer({ min: 0, max: bucketCount - 1 })).map((list) => list.sort((a, b) => a - b));
  const histogram = index.chain((list) =>
    fc.record({ index: fc.constant(list), count: fc.array(fc.integer({ min: 1, max: 2 ** 40 }), { minLength: list.length, maxLength: list.length }) }),
  );
  fc.assert(
    fc.property(histogram, histogram, (clean, spoiled) => {
      const cell = { second: 1, phase: 0, operation: 'ingest', counts: noCounts, times: { response: { clean, spoiled } }, reasons: { late: 1 } };
      expect(openCell(closeCell(cell))).toEqual(cell);
    }),
  );
});

test('deltas fold into the same cells in any order, and lose no arrival', () => {
  fc.assert(
    fc.property(
      fc.array(deltas, { maxLength: 12 }).chain((list) => fc.tuple(fc.constant(list), fc.shuffledSubarray(list, { minLength: list.length }))),
      ([list, shuffled]) => {
        const cells = foldCells(list);
        expect(foldCells(shuffled)).toEqual(cells);
        const plannedOf = (parts: readonly { readonly counts: { readonly planned?: number } }[]): number =>
          parts.reduce((sum, part) => sum + (part.counts.planned ?? 0), 0);
        expect(plannedOf(cells)).toBe(plannedOf(list.flatMap((delta) => delta.cells)));
      },
    ),
  );
});

test('cells stand in order, and one second can be asked for', () => {
  const cell = (second: number, phase: number, operation: string) => ({ second, phase, operation, counts: { planned: 1 }, times: {}, reasons: {} });
  const fold = new CellFold();
  fold.add({ cells: [cell(2, 1, 'read'), cell(2, 1, 'ingest'), cell(0, 0, 'ingest')], lag, evenness: [] });
  fold.add({ cells: [cell(2, 0, 'read'), cell(0, 0, 'ingest')], lag, evenness: [] });
  expect(fold.cells().map((one) => `${one.second} ${one.phase} ${one.operation} ${one.counts.planned}`)).toEqual([
    '0 0 ingest 2',
    '2 0 read 1',
    '2 1 ingest 1',
    '2 1 read 1',
  ]);
  expect(fold.cellsOfSecond(2)).toEqual(fold.cells().slice(1));
  expect(fold.cellsOfSecond(1)).toEqual([]);
});

test('a flood of different reasons stays bounded and keeps its sum', () => {
  const fold = new CellFold();
  for (let i = 0; i < 100; i++) {
    fold.add({ cells: [{ second: 0, phase: 0, operation: 'ingest', counts: { failed: 1 }, times: {}, reasons: { [`status-${i}`]: 1 } }], lag, evenness: [] });
  }
  const reasons = fold.cells()[0]?.reasons ?? {};
  expect(Object.keys(reasons).length).toBe(reasonsPerCellMax);
  expect(Object.values(reasons).reduce((sum, one) => sum + one, 0)).toBe(100);
});
