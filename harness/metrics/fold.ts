/**
 * Folds what workers hand over each second into cells. Pure additions: any order and any split over workers gives the same cells.
 * Grows with a run's seconds, phases and operations, never with its requests.
 */
import { type Cell, type CellCounts, type SecondDelta, type TimeHistograms, type TimeName, timeNames } from '#harness/run-result.ts';
import { type ClosedCell, closeCell, openCell } from './closed-cell.ts';
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
  dropped: 0,
  spoiledFailed: 0,
  waitedForConnection: 0,
};
const countNames = Object.keys(noCounts) as (keyof CellCounts)[];

export function addCounts(a: CellCounts, b: Partial<CellCounts>): CellCounts {
  const sum: Record<keyof CellCounts, number> = { ...a };
  for (const name of countNames) sum[name] += b[name] ?? 0;
  return sum;
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

export function addTimes(a: Cell['times'], b: Cell['times']): Cell['times'] {
  const sum: Partial<Record<TimeName, TimeHistograms>> = { ...a };
  for (const name of timeNames) {
    const more = b[name];
    if (more === undefined) continue;
    const before = sum[name];
    sum[name] = {
      clean: addHistograms(before?.clean ?? emptyHistogram, more.clean),
      spoiled: addHistograms(before?.spoiled ?? emptyHistogram, more.spoiled),
    };
  }
  return sum;
}

function addReasons(a: Cell['reasons'], b: Cell['reasons']): Cell['reasons'] {
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
  return { ...cell, counts: addCounts(cell.counts, delta.counts), times: addTimes(cell.times, delta.times), reasons: addReasons(cell.reasons, delta.reasons) };
}

const keyOf = ({ phase, operation }: Pick<Cell, 'phase' | 'operation'>): string => `${phase} ${operation}`;

const inOrder = (a: Cell, b: Cell): number => a.second - b.second || a.phase - b.phase || (a.operation < b.operation ? -1 : a.operation > b.operation ? 1 : 0);

/** A second this far behind the newest is closed; what still comes for it (an answer after its timeout) opens it again for a while. */
const secondsOpenMax = 8;

/** The accumulator of one run. */
export class CellFold {
  readonly #seconds = new Map<number, Map<string, Cell>>();
  readonly #closed = new Map<number, readonly ClosedCell[]>();
  #newest = Number.NEGATIVE_INFINITY;

  add(delta: SecondDelta): void {
    for (const cell of delta.cells) this.#addCell(cell);
    for (const second of [...this.#seconds.keys()]) if (second < this.#newest - secondsOpenMax) this.#close(second);
  }

  #close(second: number): void {
    this.#closed.set(second, [...(this.#seconds.get(second)?.values() ?? [])].map(closeCell));
    this.#seconds.delete(second);
  }

  #reopen(second: number): Map<string, Cell> {
    const cells = new Map((this.#closed.get(second) ?? []).map(openCell).map((cell) => [keyOf(cell), cell]));
    this.#closed.delete(second);
    this.#seconds.set(second, cells);
    return cells;
  }

  #addCell(delta: CellDelta): void {
    const { second, phase, operation } = delta;
    if (second > this.#newest) this.#newest = second;
    const cells = this.#seconds.get(second) ?? this.#reopen(second);
    const key = keyOf(delta);
    const before = cells.get(key) ?? { second, phase, operation, counts: noCounts, times: {}, reasons: {} };
    cells.set(key, addCell(before, delta));
  }

  /** By second, phase and operation, ascending. */
  cells(): readonly Cell[] {
    const open = [...this.#seconds.values()].flatMap((cells) => [...cells.values()]);
    const closed = [...this.#closed.values()].flatMap((cells) => cells.map(openCell));
    return [...closed, ...open].sort(inOrder);
  }

  /** Of one second only: what a live view needs each second. */
  cellsOfSecond(second: number): readonly Cell[] {
    return [...(this.#seconds.get(second)?.values() ?? this.#closed.get(second)?.map(openCell) ?? [])].sort(inOrder);
  }
}

/** All samples of one time, clean and spoiled. */
export const timesOf = (cells: readonly Cell[], time: TimeName): SparseHistogram =>
  mergeHistograms(cells.flatMap(({ times }) => [times[time]?.clean, times[time]?.spoiled].filter((part) => part !== undefined)));

export function foldCells(deltas: Iterable<SecondDelta>): readonly Cell[] {
  const fold = new CellFold();
  for (const delta of deltas) fold.add(delta);
  return fold.cells();
}
