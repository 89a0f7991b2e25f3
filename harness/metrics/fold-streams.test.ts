import fc from 'fast-check';
import { expect, test } from 'vitest';
import { histogramOfMs } from '#harness/gates/example-run.ts';
import type { StreamCell, StreamDelta } from '#harness/run-result.ts';
import { closeCell, openCell } from './closed-cell.ts';
import { reasonsPerCellMax, timesOf } from './fold.ts';
import { noStreamCounts, StreamFold } from './fold-streams.ts';
import { countOf } from './histogram.ts';

type CellDelta = StreamDelta['cells'][number];
type CellDeltas = Pick<StreamDelta, 'cells'>;
const deltaOf = (...cells: readonly CellDelta[]): CellDeltas => ({ cells });
const cellAt = (second: number, changes: Partial<CellDelta> = {}): CellDelta => ({
  second,
  phase: 0,
  reader: 'maps',
  counts: {},
  spoiled: {},
  times: {},
  reasons: {},
  ...changes,
});
const folded = (deltas: readonly CellDeltas[]): readonly StreamCell[] => {
  const fold = new StreamFold();
  for (const delta of deltas) fold.add(delta);
  return fold.cells();
};

const few = fc.integer({ min: 0, max: 9 });
const lags = fc.array(fc.tuple(fc.integer({ min: 1, max: 60_000 }), fc.integer({ min: 1, max: 5 })), { maxLength: 5 });
const cells: fc.Arbitrary<CellDelta> = fc
  .record({
    // Far enough apart that seconds are closed and opened again.
    second: fc.integer({ min: 0, max: 30 }),
    phase: fc.integer({ min: 0, max: 1 }),
    reader: fc.constantFrom('maps', 'polling'),
    lost: few,
    changes: few,
    spoiledLost: few,
    live: few,
    waiting: few,
    saysHeld: fc.boolean(),
    lags,
    spoiledLags: lags,
  })
  .map(({ second, phase, reader, lost, changes, spoiledLost, live, waiting, saysHeld, lags: clean, spoiledLags }) =>
    cellAt(second, {
      phase,
      reader,
      counts: { lost: lost + spoiledLost, ...(changes > 0 ? { changes } : {}) },
      spoiled: { lost: spoiledLost },
      times: { delivery_lag: { clean: histogramOfMs(clean), spoiled: histogramOfMs(spoiledLags) } },
      reasons: lost > 0 ? { 'cut ECONNRESET': lost } : {},
      ...(saysHeld ? { held: { live, opening: 1, waiting } } : {}),
    }),
  );
/** The same cells, split over deltas of several processes in any way. */
const split = fc
  .array(cells, { maxLength: 14 })
  .chain((list) =>
    fc.tuple(
      fc.constant(list),
      fc.shuffledSubarray(list, { minLength: list.length }),
      fc.array(fc.integer({ min: 0, max: 2 }), { minLength: list.length, maxLength: list.length }),
    ),
  );

test('deltas fold into the same cells in any order and any split over processes, and nothing is lost', () => {
  fc.assert(
    fc.property(split, ([list, shuffled, owners]) => {
      const together = folded([deltaOf(...list)]);
      expect(folded(shuffled.map((cell) => deltaOf(cell)))).toEqual(together);
      const byOwner = [0, 1, 2].map((owner) => deltaOf(...shuffled.filter((_, index) => owners[index] === owner)));
      expect(folded(byOwner)).toEqual(together);
      const sum = <T>(parts: readonly T[], value: (part: T) => number): number => parts.reduce((all, part) => all + value(part), 0);
      expect(sum(together, ({ counts }) => counts.lost)).toBe(sum(list, ({ counts }) => counts.lost ?? 0));
      expect(sum(together, ({ spoiled }) => spoiled.lost ?? 0)).toBe(sum(list, ({ spoiled }) => spoiled.lost ?? 0));
      expect(sum(together, ({ held }) => held.live + held.waiting)).toBe(sum(list, ({ held }) => (held?.live ?? 0) + (held?.waiting ?? 0)));
      expect(countOf(timesOf(together, 'delivery_lag'))).toBe(countOf(timesOf(list, 'delivery_lag')));
    }),
  );
});

test('a closed cell opens as it was', () => {
  const times = { resume: { clean: histogramOfMs([[90_000, 3]]), spoiled: histogramOfMs([]) } };
  const cell: StreamCell = { ...cellAt(3), counts: { ...noStreamCounts, lost: 3 }, times, held: { live: 1, opening: 2, waiting: 3 } };
  expect(openCell(closeCell(cell))).toEqual(cell);
});

test('who is held adds up over processes, and what comes later for a second changes nobody held', () => {
  const held = { live: 10, opening: 2, waiting: 1 };
  const fold = new StreamFold();
  fold.add(deltaOf(cellAt(5, { held })));
  fold.add(deltaOf(cellAt(5, { held })));
  fold.add(deltaOf(cellAt(40)));
  fold.add(deltaOf(cellAt(5, { counts: { lost: 1 } })));
  expect(fold.cellsOfSecond(5)).toMatchObject([{ counts: { lost: 1, opened: 0 }, held: { live: 20, opening: 4, waiting: 2 } }]);
});

test('cells stand in order, and one second can be asked for', () => {
  const fold = new StreamFold();
  fold.add(deltaOf(cellAt(2, { phase: 1, reader: 'polling' }), cellAt(2, { phase: 1 }), cellAt(0)));
  fold.add(deltaOf(cellAt(2, { reader: 'polling' }), cellAt(0)));
  expect(fold.cells().map(({ second, phase, reader }) => `${second} ${phase} ${reader}`)).toEqual(['0 0 maps', '2 0 polling', '2 1 maps', '2 1 polling']);
  expect(fold.cellsOfSecond(2)).toEqual(fold.cells().slice(1));
  expect(fold.cellsOfSecond(1)).toEqual([]);
});

test('a flood of different reasons stays bounded and keeps its sum', () => {
  const reasons = folded(Array.from({ length: 100 }, (_, i) => deltaOf(cellAt(0, { reasons: { [`status ${i}`]: 1 } }))))[0]?.reasons ?? {};
  expect(Object.keys(reasons).length).toBe(reasonsPerCellMax);
  expect(Object.values(reasons).reduce((sum, one) => sum + one, 0)).toBe(100);
});
