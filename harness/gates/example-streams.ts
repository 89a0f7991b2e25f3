/** Streams as data, for tests of whatever reads results: 100 devices listen while nothing is asked of the service, 5 s of them in a storm. */
import { nobodyHeld, noStreamCounts } from '#harness/metrics/fold-streams.ts';
import type { ItemLedgerRecord, RunResult, StreamCell, StreamCounts, StreamTimeName, TimeHistograms } from '#harness/run-result.ts';
import type { Scenario } from '#harness/scenario.ts';
import { exampleRun, exampleScenario, histogramOfMs, thresholdOf } from './example-run.ts';
import type { ParsedThreshold } from './threshold.ts';

const silent = { kind: 'constant', ratePerSecond: 0 } as const;
export const heldInExample = 100;

export const exampleStreamScenario: Scenario = {
  ...exampleScenario,
  name: 'example-streams',
  streams: {
    users: 50,
    readers: [{ name: 'maps' }, { name: 'polling', way: { kind: 'poll', everySeconds: 15 } }],
  },
  phases: exampleScenario.phases.map((phase) => ({ ...phase, rate: silent, population: [{ reader: 'maps', target: heldInExample, perSecond: 1000 }] })),
  thresholds: [{ metric: 'streams_held', expression: 'min>=100' }],
};

type SamplesMs = readonly (readonly [ms: number, times: number])[];
export type StreamCellParts = Partial<Omit<StreamCell, 'counts' | 'times' | 'held'>> & {
  readonly counts?: Partial<StreamCounts>;
  readonly held?: Partial<StreamCell['held']>;
  readonly clean?: Partial<Record<StreamTimeName, SamplesMs>>;
  readonly touched?: Partial<Record<StreamTimeName, SamplesMs>>;
};

/** `touched`: samples that are spoiled. */
export function exampleStreamCell({ clean = {}, touched = {}, counts = {}, held = {}, ...rest }: StreamCellParts = {}): StreamCell {
  const times: Partial<Record<StreamTimeName, TimeHistograms>> = {};
  for (const name of new Set([...Object.keys(clean), ...Object.keys(touched)]) as Set<StreamTimeName>) {
    times[name] = { clean: histogramOfMs(clean[name] ?? []), spoiled: histogramOfMs(touched[name] ?? []) };
  }
  return {
    second: 12,
    phase: 2,
    reader: 'maps',
    spoiled: {},
    reasons: {},
    ...rest,
    counts: { ...noStreamCounts, ...counts },
    times,
    held: { ...nobodyHeld, ...held },
  };
}

/** One cell a second, everybody held and told of something. */
const heldCells = (phases: RunResult['phases']): readonly StreamCell[] =>
  phases.flatMap(({ startSeconds, endSeconds }, phase) =>
    Array.from({ length: endSeconds - startSeconds }, (_, i) =>
      exampleStreamCell({
        second: startSeconds + i,
        phase,
        counts: { frames: 50, changes: 40, heartbeats: 10, bytesIn: 5000 },
        clean: { delivery_lag: [[5, 40]], frame_gap: [[2000, 50]] },
        held: { live: heldInExample },
      }),
    ),
  );

export const exampleItems: ItemLedgerRecord = {
  acknowledged: 800,
  unknown: 0,
  unknownFound: 0,
  lostFromLog: 0,
  logLength: 800,
  readers: heldInExample,
  expected: 1600,
  seen: 1600,
  lost: 0,
  duplicated: 0,
  reordered: 0,
  leaked: 0,
  readSeconds: 1,
  examples: [],
};

/** `cells` take the place of those of their second, phase and reader. */
export function exampleStreams(cells: readonly StreamCell[] = [], changes: Partial<RunResult> = {}): RunResult {
  const run = exampleRun({ cells: [], ledger: undefined, items: exampleItems, evenness: [] }, exampleStreamScenario);
  const placeOf = ({ second, phase, reader }: StreamCell): string => `${second} ${phase} ${reader}`;
  const places = new Set(cells.map(placeOf));
  const others = heldCells(run.phases).filter((cell) => !places.has(placeOf(cell)));
  return { ...run, streams: { cells: [...others, ...cells].sort((a, b) => a.second - b.second), processes: [] }, ...changes };
}

/** One cell in the spike's first second (12), in which everybody is held where nothing else is said. */
export const stormOf = (parts: StreamCellParts, changes: Partial<RunResult> = {}): RunResult =>
  exampleStreams([exampleStreamCell({ held: { live: heldInExample }, ...parts })], changes);

export const streamThresholdOf = (metric: string, expression: string): ParsedThreshold => thresholdOf(metric, expression, exampleStreamScenario);
