/** Does a comparison hold for a figure that is only known between bounds? And over windows? */
import type { Figure, SampledFigure } from './samples.ts';
import type { Operator, ParsedThreshold } from './threshold.ts';

export type Holds = 'yes' | 'no' | 'unknown';
/** `figure` is missing where there is no sample: then nothing holds and nothing is broken. */
export type Observation = { readonly samples: number; readonly figure: Figure | undefined; readonly holds: Holds };

/** Does the comparison hold for every value in the bounds, for none, or for some? */
export function holdsWithin(operator: Operator, limit: number, { low, high }: Pick<Figure, 'low' | 'high'>): Holds {
  const answer = (always: boolean, never: boolean): Holds => (always ? 'yes' : never ? 'no' : 'unknown');
  const apart = limit < low || limit > high;
  const same = low === limit && high === limit;
  switch (operator) {
    case '<':
      return answer(high < limit, low >= limit);
    case '<=':
      return answer(high <= limit, low > limit);
    case '>':
      return answer(low > limit, high <= limit);
    case '>=':
      return answer(low >= limit, high < limit);
    case '==':
      return answer(same, apart);
    case '!=':
      return answer(apart, same);
  }
}

export function observationOf({ operator, limit }: ParsedThreshold, { samples, figure }: SampledFigure): Observation {
  return { samples, figure, holds: figure === undefined ? 'unknown' : holdsWithin(operator, limit, figure) };
}

/** Over all of it at once, or over every window of the threshold: a figure for each of these groups of cells. */
export function observeWindows<C>(
  threshold: ParsedThreshold,
  {
    cells,
    secondOf,
    figureOf,
  }: { readonly cells: readonly C[]; readonly secondOf: (cell: C) => number; readonly figureOf: (cells: readonly C[]) => SampledFigure },
): Observation {
  if (threshold.overSeconds === undefined) return observationOf(threshold, figureOf(cells));
  const windows = windowsOf(cells, secondOf, threshold.overSeconds);
  return worstWindow(
    windows.map((window) => observationOf(threshold, figureOf(window))),
    threshold.operator,
  );
}

/** All windows of so many whole seconds, a second apart; where there are fewer seconds, all of them are one window. */
function windowsOf<C>(cells: readonly C[], secondOf: (cell: C) => number, seconds: number): readonly (readonly C[])[] {
  if (cells.length === 0) return [];
  const bySecond = Map.groupBy(cells, secondOf);
  const first = Math.min(...bySecond.keys());
  const last = Math.max(...bySecond.keys());
  const starts = Array.from({ length: Math.max(1, last - first + 2 - seconds) }, (_, i) => first + i);
  return starts.map((start) => Array.from({ length: seconds }, (_, i) => bySecond.get(start + i) ?? []).flat());
}

/** It holds if it holds in every window; the window shown is the one nearest to breaking it. */
function worstWindow(windows: readonly Observation[], operator: Operator): Observation {
  const full = windows.filter((window) => window.figure !== undefined);
  const samples = Math.max(0, ...full.map((window) => window.samples));
  const holds = full.some((one) => one.holds === 'no') ? 'no' : full.length > 0 && full.every((one) => one.holds === 'yes') ? 'yes' : 'unknown';
  const suspects = full.filter((one) => one.holds === holds);
  const lowIsWorse = operator === '>' || operator === '>=';
  const worst = suspects.reduce<Observation | undefined>((one, other) => {
    const isWorse =
      one?.figure !== undefined && other.figure !== undefined && (lowIsWorse ? other.figure.seen < one.figure.seen : other.figure.seen > one.figure.seen);
    return one === undefined || isWorse ? other : one;
  }, undefined);
  return { samples, figure: worst?.figure, holds };
}
