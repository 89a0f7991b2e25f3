/** How many of a reader's listeners there should be at an instant, and which of them are whose. Pure. */

export type PopulationCurve = {
  /** When it began to move, how many there were then, and where it goes. */
  readonly startMs: number;
  readonly from: number;
  readonly target: number;
  readonly perSecond: number;
};

export const restingPopulation: PopulationCurve = { startMs: 0, from: 0, target: 0, perSecond: 1 };

/** A whole number of listeners, over all processes. */
export function wantedAt({ startMs, from, target, perSecond }: PopulationCurve, nowMs: number): number {
  const moved = Math.floor((Math.max(0, nowMs - startMs) * perSecond) / 1000);
  return target >= from ? Math.min(target, from + moved) : Math.max(target, from - moved);
}

/** Of the first `count` listeners: how many belong to a process that has every `processes`-th. */
export const shareOf = (count: number, process: number, processes: number): number => Math.max(0, Math.ceil((count - process) / processes));
