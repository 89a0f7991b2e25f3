/**
 * Index of dispersion (variance ÷ mean) of planned and fired arrivals in bins of 0.2, 1 and 10 ms. Workers' counts of one second are added bin
 * by bin before anything is squared; then only four sums remain of it, so memory is constant for each phase.
 */
import type { Evenness, EvennessBins } from '#harness/run-result.ts';

/** Bins of 0.2 ms in a bin of each width. */
const widths = [
  { binMs: 0.2, fold: 1 },
  { binMs: 1, fold: 5 },
  { binMs: 10, fold: 50 },
] as const;
/** A second is closed when this many later ones have been seen: workers hand over within a second or two of each other. */
const secondsOpenMax = 8;

type Moments = { bins: number; sum: number; squares: number };
type WidthMoments = { readonly planned: Moments; readonly fired: Moments };
type Pending = { readonly planned: Float64Array; readonly fired: Float64Array };
type PhaseFold = { readonly pending: Map<number, Pending>; readonly widths: readonly WidthMoments[] };

const noMoments = (): Moments => ({ bins: 0, sum: 0, squares: 0 });

function addMoments(moments: Moments, bins: Float64Array, fold: number): void {
  for (let from = 0; from + fold <= bins.length; from += fold) {
    let count = 0;
    for (let i = from; i < from + fold; i++) count += bins[i]!;
    moments.bins++;
    moments.sum += count;
    moments.squares += count * count;
  }
}

/** 0 where nothing arrived: nothing is uneven about it. */
function dispersionOf({ bins, sum, squares }: Moments): number {
  const mean = bins === 0 ? 0 : sum / bins;
  return mean === 0 ? 0 : (squares / bins - mean * mean) / mean;
}

function addBins(sums: Float64Array, bins: ArrayLike<number>): void {
  for (let i = 0; i < Math.min(sums.length, bins.length); i++) sums[i]! += bins[i]!;
}

export class EvennessFold {
  readonly #phases = new Map<number, PhaseFold>();

  add(seconds: readonly EvennessBins[]): void {
    for (const second of seconds) this.#addSecond(second);
  }

  /** Closes what is open. `names`: of the phases, by index. */
  finish(names: readonly string[]): readonly Evenness[] {
    return [...this.#phases.entries()]
      .sort(([a], [b]) => a - b)
      .flatMap(([phase, fold]) => {
        for (const second of [...fold.pending.keys()]) this.#close(fold, second);
        return widths.map(({ binMs }, index) => {
          const { planned, fired } = fold.widths[index]!;
          return { phase: names[phase] ?? String(phase), binMs, planned: dispersionOf(planned), fired: dispersionOf(fired) };
        });
      });
  }

  #addSecond({ phase, second, plannedBins, firedBins }: EvennessBins): void {
    const fold = this.#phases.get(phase) ?? { pending: new Map(), widths: widths.map(() => ({ planned: noMoments(), fired: noMoments() })) };
    this.#phases.set(phase, fold);
    const pending = fold.pending.get(second) ?? { planned: new Float64Array(plannedBins.length), fired: new Float64Array(plannedBins.length) };
    fold.pending.set(second, pending);
    addBins(pending.planned, plannedBins);
    addBins(pending.fired, firedBins);
    for (const open of [...fold.pending.keys()]) if (open < second - secondsOpenMax) this.#close(fold, open);
  }

  #close(fold: PhaseFold, second: number): void {
    const pending = fold.pending.get(second)!;
    fold.pending.delete(second);
    widths.forEach((width, index) => {
      addMoments(fold.widths[index]!.planned, pending.planned, width.fold);
      addMoments(fold.widths[index]!.fired, pending.fired, width.fold);
    });
  }
}

export function foldEvenness(seconds: Iterable<EvennessBins>, names: readonly string[]): readonly Evenness[] {
  const fold = new EvennessFold();
  for (const second of seconds) fold.add([second]);
  return fold.finish(names);
}
