/**
 * Folds what workers hand over each second into cells. Pure additions: any order and any split over workers gives the same cells.
 * Grows with a run's seconds, phases and operations, never with its requests.
 */
import type { Cell, CellCounts, SecondDelta, TimeHistograms } from '#harness/run-result.ts';
import type { Timed } from './closed-cell.ts';
import { SecondsFold } from './fold-seconds.ts';
import { emptyHistogram, mergeHistograms, type SparseHistogram } from './histogram.ts';

export const reasonsPerCellMax = 20;
const otherReasons = 'other';

export const noCounts: CellCounts = {
  planned: 0,
  fired: 0,
  answered: 0,
  good: 0,
  shed: 0,
  failed: 0,
  timedOut: 0,
  cut: 0,
  inFlightAtEnd: 0,
  firedLate: 0,
  neverFired: 0,
  heldLate: 0,
  heldNever: 0,
  spoiledFailed: 0,
  waitedForConnection: 0,
  givenUp: 0,
};

/** By name; what one of them does not name is 0. */
export function addNumbers<T extends Readonly<Partial<Record<string, number>>>>(a: T, b: Readonly<Partial<Record<string, number>>>): T {
  const sum: Partial<Record<string, number>> = { ...a };
  for (const [name, more] of Object.entries(b)) sum[name] = (sum[name] ?? 0) + (more ?? 0);
  return sum as T;
}

/** Two ascending lists into one: cheaper than a dense histogram for a second's few hundred buckets. */
export function addHistograms(a: SparseHistogram, b: SparseHistogram): SparseHistogram {
  if (a.index.length === 0) return b;
  if (b.index.length === 0) return a;
  const index: number[] = [];
  const count: number[] = [];
  let i = 0;
  let j = 0;
  while (i < a.index.length || j < b.index.length) {
    const left = a.index[i] ?? Number.POSITIVE_INFINITY;
    const right = b.index[j] ?? Number.POSITIVE_INFINITY;
    index.push(Math.min(left, right));
    count.push((left <= right ? (a.count[i++] as number) : 0) + (right <= left ? (b.count[j++] as number) : 0));
  }
  return { index, count };
}

export function addTimes<T extends Timed['times']>(a: T, b: T): T {
  const sum: Partial<Record<string, TimeHistograms>> = { ...a };
  for (const [name, more] of Object.entries(b)) {
    if (more === undefined) continue;
    const before = sum[name];
    sum[name] = {
      clean: addHistograms(before?.clean ?? emptyHistogram, more.clean),
      spoiled: addHistograms(before?.spoiled ?? emptyHistogram, more.spoiled),
    };
  }
  return sum as T;
}

export function addReasons(a: Readonly<Record<string, number>>, b: Readonly<Record<string, number>>): Readonly<Record<string, number>> {
  const sum: Record<string, number> = { ...a };
  for (const [reason, times] of Object.entries(b)) {
    const full = sum[reason] === undefined && Object.keys(sum).length >= reasonsPerCellMax - 1;
    const name = full ? otherReasons : reason;
    sum[name] = (sum[name] ?? 0) + times;
  }
  return sum;
}

type CellDelta = SecondDelta['cells'][number];

export function addCell(cell: Cell, delta: CellDelta): Cell {
  return { ...cell, counts: addNumbers(cell.counts, delta.counts), times: addTimes(cell.times, delta.times), reasons: addReasons(cell.reasons, delta.reasons) };
}

/** The accumulator of one run. */
export class CellFold extends SecondsFold<Cell, SecondDelta> {
  constructor() {
    super({
      nameOf: ({ operation }) => operation,
      begin: ({ second, phase, operation }) => ({ second, phase, operation, counts: noCounts, times: {}, reasons: {} }),
      add: addCell,
    });
  }
}

/** All samples of one time, clean and spoiled. */
export const timesOf = <Name extends string>(
  cells: readonly { readonly times: Readonly<Partial<Record<Name, TimeHistograms>>> }[],
  time: Name,
): SparseHistogram => mergeHistograms(cells.flatMap(({ times }) => [times[time]?.clean, times[time]?.spoiled].filter((part) => part !== undefined)));

export function foldCells(deltas: Iterable<SecondDelta>): readonly Cell[] {
  const fold = new CellFold();
  for (const delta of deltas) fold.add(delta);
  return fold.cells();
}
