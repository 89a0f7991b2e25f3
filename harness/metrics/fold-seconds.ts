/**
 * Cells by second, whatever they are of. Those of seconds that are over are kept closed, and opened again for a while where something still
 * comes for them.
 */
import { type Closed, closeCell, openCell, type Timed } from './closed-cell.ts';

type Place = { readonly second: number; readonly phase: number };
type Additions = { readonly cells: readonly Place[] };
type Added<A extends Additions> = A['cells'][number];

export type CellRules<C extends Place & Timed, D extends Place> = {
  /** Of what a cell is, beside its second and phase: an operation, a reader. */
  readonly nameOf: (one: C | D) => string;
  /** The empty cell that a first delta is added to. */
  readonly begin: (delta: D) => C;
  readonly add: (cell: C, delta: D) => C;
};

/** A second this far behind the newest is closed; what still comes for it (an answer after its timeout, a stream that is back) opens it again. */
const secondsOpenMax = 8;

/** Grows with a run's seconds, phases and names, never with its requests or streams. */
export class SecondsFold<C extends Place & Timed, A extends Additions> {
  readonly #seconds = new Map<number, Map<string, C>>();
  readonly #closed = new Map<number, readonly Closed<C>[]>();
  readonly #rules: CellRules<C, Added<A>>;
  #newest = Number.NEGATIVE_INFINITY;

  constructor(rules: CellRules<C, Added<A>>) {
    this.#rules = rules;
  }

  add({ cells }: A): void {
    for (const cell of cells) this.#add(cell);
    for (const second of [...this.#seconds.keys()]) if (second < this.#newest - secondsOpenMax) this.#close(second);
  }

  /** By second, phase and name, ascending. */
  cells(): readonly C[] {
    const open = [...this.#seconds.values()].flatMap((cells) => [...cells.values()]);
    const closed = [...this.#closed.values()].flatMap((cells) => cells.map((cell) => openCell(cell)));
    return this.#inOrder([...closed, ...open]);
  }

  /** Of one second only: what a live view needs each second. */
  cellsOfSecond(second: number): readonly C[] {
    return this.#inOrder([...(this.#seconds.get(second)?.values() ?? this.#closed.get(second)?.map((cell) => openCell(cell)) ?? [])]);
  }

  #add(delta: Added<A>): void {
    const { second } = delta;
    if (second > this.#newest) this.#newest = second;
    const cells = this.#seconds.get(second) ?? this.#reopen(second);
    const key = this.#keyOf(delta);
    cells.set(key, this.#rules.add(cells.get(key) ?? this.#rules.begin(delta), delta));
  }

  #close(second: number): void {
    this.#closed.set(
      second,
      [...(this.#seconds.get(second)?.values() ?? [])].map((cell) => closeCell(cell)),
    );
    this.#seconds.delete(second);
  }

  #reopen(second: number): Map<string, C> {
    const cells = new Map((this.#closed.get(second) ?? []).map((closed) => openCell<C>(closed)).map((cell) => [this.#keyOf(cell), cell]));
    this.#closed.delete(second);
    this.#seconds.set(second, cells);
    return cells;
  }

  #keyOf(one: C | Added<A>): string {
    return `${one.phase} ${this.#rules.nameOf(one)}`;
  }

  #inOrder(cells: readonly C[]): readonly C[] {
    const { nameOf } = this.#rules;
    const byName = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
    return [...cells].sort((a, b) => a.second - b.second || a.phase - b.phase || byName(nameOf(a), nameOf(b)));
  }
}
