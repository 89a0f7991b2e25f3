/** What a threshold on streams looks at: cells of phases and readers, with those that have no time because it never came. */
import { addHistograms } from '#harness/metrics/fold.ts';
import { countOf, emptyHistogram, mergeHistograms, type SparseHistogram } from '#harness/metrics/histogram.ts';
import type { StreamCell, StreamCounts, StreamTimeName } from '#harness/run-result.ts';
import { heldUpMsOf, type JudgedStreamCell, type Noise, raised } from './noise.ts';
import { type JudgedData, phasesOf } from './samples.ts';

type Selector = Readonly<Record<string, string>>;

/** Without those who listen for the generator's own sake, as watchers of presence do: the scenario names no such reader. */
export function readerCells({ streams, run }: Pick<JudgedData, 'streams' | 'run'>): readonly StreamCell[] {
  const named = new Set(run.scenario.streams?.readers.map(({ name }) => name));
  return (streams?.cells ?? []).filter(({ reader }) => named.has(reader));
}

export function selectStreamCells(data: Pick<JudgedData, 'streams' | 'phases' | 'run'>, selector: Selector): readonly StreamCell[] {
  const wanted = phasesOf(data, selector);
  const { reader } = selector;
  return readerCells(data).filter((cell) => wanted.has(cell.phase) && (reader === undefined || cell.reader === reader));
}

/** Nothing was asked of the service but streams: what reports of requests is left out. */
export const isOfStreamsAlone = ({ cells, streams }: Pick<JudgedData, 'cells' | 'streams'>): boolean => cells.length === 0 && streams !== undefined;

/** No event was sent, and nothing of events had to be read back: there were streams alone, or what was written were items, which have a ledger of their own. */
export function needsNoEventLedger(data: Pick<JudgedData, 'cells' | 'streams' | 'items' | 'ledger'>): boolean {
  const { acknowledged, refused, unknown, foreign } = data.ledger ?? { acknowledged: 0, refused: 0, unknown: 0, foreign: 0 };
  return acknowledged + refused + unknown + foreign === 0 && (data.items !== undefined || isOfStreamsAlone(data));
}

export const sumStreams = (cells: readonly Pick<StreamCell, 'counts'>[], ...names: readonly (keyof StreamCounts)[]): number =>
  cells.reduce((sum, { counts }) => sum + names.reduce((all, name) => all + counts[name], 0), 0);
export const sumSpoiled = (cells: readonly Pick<StreamCell, 'spoiled'>[], ...names: readonly (keyof StreamCounts)[]): number =>
  cells.reduce((sum, { spoiled }) => sum + names.reduce((all, name) => all + (spoiled[name] ?? 0), 0), 0);

const sampleCount = ({ times }: StreamCell, time: StreamTimeName): number => {
  const both = times[time];
  return both === undefined ? 0 : countOf(both.clean) + countOf(both.spoiled);
};

/** Streams that ended in the cell's second and are not back. Those that we closed meanwhile nobody waits for. */
export const awayOf = (cell: StreamCell): number => Math.max(0, sumStreams([cell], 'lost', 'byes') - sampleCount(cell, 'resume') - cell.counts.abandoned);

type Missing = { readonly all: number; readonly spoiled: number };

/** Streams of a cell whose time never came, and how many of them the generator's own stop may account for. */
function missingOf(cell: StreamCell, time: StreamTimeName): Missing {
  const bounded = (all: number, spoiled: number): Missing => ({ all, spoiled: Math.min(all, spoiled) });
  switch (time) {
    case 'hello':
      return bounded(sumStreams([cell], 'failed', 'refused'), sumSpoiled([cell], 'failed', 'refused'));
    case 'resume':
      return bounded(awayOf(cell), sumSpoiled([cell], 'lost', 'byes'));
    case 'offline_after':
      return bounded(Math.max(0, cell.counts.silenced - sampleCount(cell, time)), cell.spoiled.silenced ?? 0);
    default:
      return { all: 0, spoiled: 0 };
  }
}

export type StreamTimes = {
  readonly clean: SparseHistogram;
  readonly spoiled: SparseHistogram;
  /** The spoiled ones at their slowest. */
  readonly atMost: SparseHistogram;
  readonly missing: number;
  readonly missingSpoiled: number;
};

/**
 * Times whose beginning is itself something that is read: an acknowledgement, a frame, an end. A stop that read it late made the time shorter, by its
 * length at most. Of the others (a dial, a close of ours) the beginning is known, and reading late only makes them longer.
 */
const readLateAtTheirStart: ReadonlySet<StreamTimeName> = new Set<StreamTimeName>(['delivery_lag', 'frame_gap', 'resume', 'lifetime']);

export function sumStreamTimes(cells: readonly JudgedStreamCell[], time: StreamTimeName): StreamTimes {
  const both = cells.map(({ times }) => times[time]).filter((one) => one !== undefined);
  const isFlattered = readLateAtTheirStart.has(time);
  const atMost = cells.map(({ times, heldUpMs = 0 }) => raised(times[time]?.spoiled ?? emptyHistogram, isFlattered ? heldUpMs : 0));
  const missing = cells.map((cell) => missingOf(cell, time));
  return {
    clean: mergeHistograms(both.map(({ clean }) => clean)),
    spoiled: mergeHistograms(both.map(({ spoiled }) => spoiled)),
    atMost: mergeHistograms(atMost),
    missing: missing.reduce((sum, { all }) => sum + all, 0),
    missingSpoiled: missing.reduce((sum, { spoiled }) => sum + spoiled, 0),
  };
}

/**
 * Of a run that goes on. Processes hand over a second one after another: of the newest two some may not have said whom they hold, who would
 * seem to be gone.
 */
export function withoutUnfinishedSeconds({ cells }: { readonly cells: readonly StreamCell[] }): { readonly cells: readonly StreamCell[] } {
  const newest = cells.reduce((most, { second }) => Math.max(most, second), 0);
  return { cells: cells.filter(({ second }) => second < newest - 1) };
}

export const heldOf = ({ held }: StreamCell): number => held.live + held.opening + held.waiting;

/** By second, what the cells of it add up to. */
export function bySecond<C extends { readonly second: number }>(cells: readonly C[], value: (cell: C) => number): ReadonlyMap<number, number> {
  const sums = new Map<number, number>();
  for (const cell of cells) sums.set(cell.second, (sums.get(cell.second) ?? 0) + value(cell));
  return sums;
}

/** The most that were live at the end of a second. */
export const mostLive = (cells: readonly StreamCell[]): number => Math.max(0, ...bySecond(cells, ({ held }) => held.live).values());

/** What a generator that stands still may bring about: streams end and are dialled again, beats come late. It makes no frame, and ends no stream for good. */
const ownDoing = ['dialled', 'opened', 'resumed', 'refused', 'failed', 'lost', 'byes', 'resynced', 'heartbeatsLate', 'heartbeatsMissed'] as const;
/** Times that are short beside a second, or end in theirs. The others reach far beyond it: the engine says of each whether a stop touched it. */
const timesOfTheSecond = ['hello', 'delivery_lag', 'frame_gap'] as const;

type StreamsPart<S> = { readonly streams?: S };

/** Absent where there are no streams. */
export function withSpoiledStreamSeconds<S extends { readonly cells: readonly StreamCell[] }>(streams: S | undefined, noise: Noise): StreamsPart<S> {
  if (streams === undefined) return {};
  const spoiled = (cell: StreamCell): StreamCell => (noise.seconds.has(cell.second) ? spoilStreamCell(cell) : cell);
  const judged = (cell: StreamCell): JudgedStreamCell => ({ ...cell, heldUpMs: heldUpMsOf(noise, cell) });
  return { streams: { ...streams, cells: streams.cells.map((cell) => judged(spoiled(cell))) } };
}

/** A cell of a second in which the generator or the machine stood still. */
function spoilStreamCell(cell: StreamCell): StreamCell {
  const times = { ...cell.times };
  for (const name of timesOfTheSecond) {
    const both = cell.times[name];
    if (both !== undefined) times[name] = { clean: emptyHistogram, spoiled: addHistograms(both.clean, both.spoiled) };
  }
  const spoiled: Partial<Record<keyof StreamCounts, number>> = { ...cell.spoiled };
  for (const name of ownDoing) spoiled[name] = cell.counts[name];
  return { ...cell, spoiled, times };
}
