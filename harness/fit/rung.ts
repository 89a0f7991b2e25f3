/** Did one rate of the search hold? Pure: cells of one phase in, an answer with its reason out. */
import type { Cell, CellCounts } from '#harness/run-result.ts';

export type RungSeen = {
  /** Of the rung's phase alone. */
  readonly cells: readonly Cell[];
  /** The rung began with this second, and lasted as many as it says. */
  readonly fromSecond: number;
  readonly seconds: number;
  /** Arrivals of all the rung, by the plan: an engine that stood still has not counted them. */
  readonly arrivals: number;
  /** Whose refusals are no sign of overload. */
  readonly shedsByPlan: (operation: string) => boolean;
};

/** So much of a second's arrivals may be on their way at a rung's end, or more where it is no more than a second before. */
const backlogShareMax = 0.25;
/** In ones: below it a share of a second's arrivals is less than chance. */
const backlogMin = 5;
const badShareMax = 0.01;

/** undefined: it held. */
export function brokenBy({ cells, fromSecond, seconds, arrivals, shedsByPlan }: RungSeen): string | undefined {
  const sum = (name: keyof CellCounts, of = cells): number => of.reduce((total, { counts }) => total + counts[name], 0);
  const planned = Math.max(arrivals, sum('planned'));
  const shed = sum(
    'shed',
    cells.filter(({ operation }) => !shedsByPlan(operation)),
  );
  const bad = (count: number): boolean => count > badShareMax * planned;
  const lastSecond = fromSecond + seconds - 1;
  const before = unansweredBy(cells, lastSecond - 1);
  const left =
    planned -
    sum(
      'answered',
      cells.filter(({ second }) => second <= lastSecond),
    );
  const leftMax = Math.max(backlogMin, (backlogShareMax * planned) / seconds, 1.1 * before);
  if (left > leftMax) return `${Math.round(left)} of ${Math.round(planned)} were unanswered at its end`;
  if (bad(sum('failed'))) return `${sum('failed')} of ${Math.round(planned)} failed`;
  if (bad(shed)) return `${shed} of ${Math.round(planned)} were shed`;
  const undelivered = sum('neverFired') + sum('firedLate');
  if (bad(undelivered)) return `${undelivered} of ${Math.round(planned)} were late or never fired`;
  return undefined;
}

/** Planned and not answered, by the end of this second. */
function unansweredBy(cells: readonly Cell[], second: number): number {
  const until = cells.filter((cell) => cell.second <= second);
  return until.reduce((total, { counts }) => total + counts.planned - counts.answered, 0);
}
