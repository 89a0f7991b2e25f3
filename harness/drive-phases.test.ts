import { expect, test } from 'vitest';
import type { ArrivalPhase } from '#harness/engine/engine.ts';
import { CellFold } from '#harness/metrics/fold.ts';
import { EvennessFold } from '#harness/metrics/fold-evenness.ts';
import { createFaults } from './drive-faults.ts';
import { drivePhases } from './drive-phases.ts';
import type { DrivenStreams } from './drive-streams.ts';
import type { Driving } from './driving.ts';

const load: ArrivalPhase = {
  name: 'load',
  measured: true,
  durationSeconds: 60,
  rate: { kind: 'constant', ratePerSecond: 1 },
  spacing: 'poisson',
  traffic: [{ chain: 'ingest', weight: 1 }],
};
const streamsInTrouble = (trouble: string | undefined): DrivenStreams => ({
  fleet: { pids: [], kill: () => {} },
  phase: () => {},
  acknowledged: () => {},
  now: () => ({ wanted: 0, live: 0, opening: 0, waiting: 0 }),
  cellsOfSecond: () => [],
  cells: () => [],
  trouble: () => trouble,
  compare: () => Promise.reject(new Error(trouble)),
  finish: () => Promise.resolve({ cells: [], processes: [] }),
});

/** A run whose engine breaks with these words as soon as its first phase is driven. */
function breaking(words: string, streams?: DrivenStreams): Driving {
  const sinceOriginMs = () => 0;
  return {
    input: {
      scenario: { phases: [{ name: 'load', measured: true, durationSeconds: 60, rate: load.rate }] },
      phases: [load],
      webhooks: undefined,
      signal: new AbortController().signal,
      onSecond: () => {},
      abortedBy: () => undefined,
    },
    run: {
      originNs: 0n,
      drive: () => Promise.reject(new Error(words)),
      cut: () => {},
      finish: () => Promise.reject(new Error(words)),
      kill: () => Promise.resolve(),
    },
    fold: new CellFold(),
    evenness: new EvennessFold(),
    workers: [],
    probe: undefined,
    streams,
    faults: createFaults({ faults: [], act: () => Promise.resolve(), sinceOriginMs }),
    watch: {
      coresOf: () => undefined,
      lastMachine: () => undefined,
      scrapeNow: () => Promise.resolve({ second: 0, ok: false, values: {} }),
      stop: () => Promise.reject(new Error('not driven to its end')),
    },
    sinceOriginMs,
  };
}

test('an engine that breaks in the middle of a phase ends it at once, with its own words', async () => {
  await expect(drivePhases(breaking('a thread of the load generator crashed'))).rejects.toThrow('a thread of the load generator crashed');
});

test('what happened to those who listen is said rather than what it did to the engine', async () => {
  await expect(drivePhases(breaking('the engine was ended', streamsInTrouble('a process that holds streams ended')))).rejects.toThrow('holds streams ended');
});
