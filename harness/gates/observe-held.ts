/** How many streams were live: a gauge, read at the end of each second. */
import type { StreamCell } from '#harness/run-result.ts';
import { secondsOf } from './observe-single.ts';
import type { JudgedData, SampledFigure } from './samples.ts';
import { bySecond, readerCells, selectStreamCells, sumSpoiled } from './stream-samples.ts';
import type { ParsedThreshold } from './threshold.ts';

type Held = { readonly live: number; readonly liveMost: number };

/**
 * Whole seconds only: a phase's first and last, partial ones say who was held in the phase beside it.
 * Those who are away may be so because the generator stood still, as many as it may have lost until then: at most they were live too. The
 * other way about a stop hides an end only while it lasts, which a gauge read once a second cannot see anyway.
 */
function heldBySecond(data: JudgedData, selector: Readonly<Record<string, string>>): readonly Held[] {
  const whole = secondsOf(data, selector);
  const cells = selectStreamCells(data, selector).filter(({ second }) => whole.has(second));
  const live = bySecond(cells, ({ held }) => held.live);
  const away = bySecond(cells, ({ held }) => held.opening + held.waiting);
  const lost = lostByOwnStops(data, selector.reader);
  return [...live]
    .sort(([one], [other]) => one - other)
    .map(([second, count]) => ({ live: count, liveMost: count + Math.min(away.get(second) ?? 0, lost(second)) }));
}

/** Until a second, and over all phases, since who was lost in one may be away in the next. */
function lostByOwnStops(data: JudgedData, reader: string | undefined): (second: number) => number {
  const cells = readerCells(data).filter((cell) => reader === undefined || cell.reader === reader);
  const ended = [...bySecond(cells, (cell: StreamCell) => sumSpoiled([cell], 'lost', 'byes', 'refused', 'failed'))].filter(([, count]) => count > 0);
  return (second) => ended.reduce((sum, [at, count]) => (at <= second ? sum + count : sum), 0);
}

export function observeHeld(data: JudgedData, { selector, aggregation }: ParsedThreshold): SampledFigure {
  const seconds = heldBySecond(data, selector);
  if (seconds.length === 0) return { samples: 0, figure: undefined };
  const of = (values: readonly number[]): number => {
    if (aggregation.kind === 'last') return values.at(-1) ?? 0;
    return aggregation.kind === 'min' ? Math.min(...values) : Math.max(...values);
  };
  const seen = of(seconds.map(({ live }) => live));
  return { samples: seconds.length, figure: { seen, low: seen, high: of(seconds.map(({ liveMost }) => liveMost)) } };
}

/** The most and the fewest that were live in a whole second of the phases; undefined where there is none. */
export function heldExtremes(data: JudgedData, selector: Readonly<Record<string, string>>): { readonly min: number; readonly max: number } | undefined {
  const live = heldBySecond(data, selector).map((one) => one.live);
  return live.length === 0 ? undefined : { min: Math.min(...live), max: Math.max(...live) };
}
