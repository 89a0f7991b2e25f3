/** Streams by phase and reader, as rows of figures for the page and the summary alike. */
import { heldExtremes } from '#harness/gates/observe-held.ts';
import { heldOf, sumStreams, sumStreamTimes } from '#harness/gates/stream-samples.ts';
import { mergeHistograms, quantileMicros } from '#harness/metrics/histogram.ts';
import type { RunResult, StreamCell, StreamCounts } from '#harness/run-result.ts';

export type ReaderCells = {
  readonly phase: string;
  readonly measured: boolean;
  readonly index: number;
  readonly reader: string;
  readonly cells: readonly StreamCell[];
};

export function cellsByPhaseAndReader({ streams, phases }: RunResult): readonly ReaderCells[] {
  const byPhase = Map.groupBy(streams?.cells ?? [], ({ phase }) => phase);
  return phases.flatMap(({ name, measured }, index) =>
    [...Map.groupBy(byPhase.get(index) ?? [], ({ reader }) => reader)].map(([reader, cells]) => ({ phase: name, measured, index, reader, cells })),
  );
}

export const readerCounts = [
  'opened',
  'resumed',
  'lost',
  'byes',
  'refused',
  'failed',
  'heartbeatsLate',
  'heartbeatsMissed',
  'resynced',
] as const satisfies readonly (keyof StreamCounts)[];

export type ReaderRow = {
  readonly phase: string;
  readonly reader: string;
  /** Of whole seconds; null where the phase has none. */
  readonly heldMin: number | null;
  readonly heldMax: number | null;
  readonly counts: Readonly<Record<(typeof readerCounts)[number], number>>;
};

/** A reader of whom nobody was there in a phase, and to whom nothing happened in it, has no row of it. */
export function readerRows(result: RunResult): readonly ReaderRow[] {
  return cellsByPhaseAndReader(result).flatMap(({ phase, reader, cells }) => {
    const held = heldExtremes(result, { phase, reader });
    const counts = Object.fromEntries(readerCounts.map((name) => [name, sumStreams(cells, name)])) as ReaderRow['counts'];
    const isThere = cells.some((cell) => heldOf(cell) > 0) || Object.values(counts).some((count) => count > 0);
    return isThere ? [{ phase, reader, heldMin: held?.min ?? null, heldMax: held?.max ?? null, counts }] : [];
  });
}

/** Milliseconds until so many of those that ended were back; Infinity: never. */
export type HerdRow = {
  readonly phase: string;
  readonly reader: string;
  readonly ended: number;
  readonly away: number;
  readonly back50Ms: number;
  readonly back90Ms: number;
  readonly back99Ms: number;
};

export function herdRows(result: RunResult): readonly HerdRow[] {
  return cellsByPhaseAndReader(result).flatMap(({ phase, reader, cells }) => {
    const ended = sumStreams(cells, 'lost', 'byes');
    const { clean, spoiled, missing } = sumStreamTimes(cells, 'resume');
    const times = mergeHistograms([clean, spoiled]);
    const backMs = (q: number): number => (quantileMicros(times, q, missing) ?? Number.POSITIVE_INFINITY) / 1000;
    if (ended === 0 || (times.index.length === 0 && missing === 0)) return [];
    return [{ phase, reader, ended, away: missing, back50Ms: backMs(0.5), back90Ms: backMs(0.9), back99Ms: backMs(0.99) }];
  });
}
