import { expect, test } from 'vitest';
import type { ArrivalPhase } from '#harness/engine/engine.ts';
import { CellFold } from '#harness/metrics/fold.ts';
import { EvennessFold } from '#harness/metrics/fold-evenness.ts';
import type { PhaseRecord } from '#harness/run-result.ts';
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

type Scripted = Pick<Driving['run'], 'drive'> & {
  readonly fitCheck?: Driving['input']['fitCheck'];
  readonly run?: Partial<Driving['run']>;
  readonly watch?: Partial<Driving['watch']>;
  readonly phases: readonly ArrivalPhase[];
  readonly streams?: DrivenStreams;
  readonly abortedBy?: Driving['input']['abortedBy'];
};

/** A run that stands at its origin, and that nothing finishes. */
function scripted({ drive, phases, streams, fitCheck, run, watch, abortedBy = () => undefined }: Scripted): Driving {
  const sinceOriginMs = () => 0;
  return {
    input: {
      scenario: { phases: phases.map(({ name, measured, durationSeconds, rate }) => ({ name, measured, durationSeconds, rate })) },
      phases,
      webhooks: undefined,
      signal: new AbortController().signal,
      onSecond: () => {},
      abortedBy,
      fitCheck,
    },
    run: {
      originNs: 0n,
      drive,
      cut: () => {},
      finish: () => Promise.reject(new Error('not driven to its end')),
      kill: () => Promise.resolve(),
      ...run,
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
      ...watch,
    },
    sinceOriginMs,
  };
}

const breaking = (words: string, streams?: DrivenStreams): Driving =>
  scripted({ drive: () => Promise.reject(new Error(words)), phases: [load], ...(streams === undefined ? {} : { streams }) });

test('an engine that breaks in the middle of a phase ends it at once, with its own words', async () => {
  await expect(drivePhases(breaking('a thread of the load generator crashed'))).rejects.toThrow('a thread of the load generator crashed');
});

test('what happened to those who listen is said rather than what it did to the engine', async () => {
  await expect(drivePhases(breaking('the engine was ended', streamsInTrouble('a process that holds streams ended')))).rejects.toThrow('holds streams ended');
});

test('whether a run can still hold is asked with the phases to come, at their planned times', async () => {
  // So short that it is looked at once, and soon.
  const warm = { ...load, name: 'warm', measured: false, durationSeconds: 0.06 };
  let asked: readonly PhaseRecord[] = [];
  const abortedBy: Driving['input']['abortedBy'] = (_soFar, phases) => {
    asked = phases;
    throw new Error('asked');
  };
  await expect(drivePhases(scripted({ drive: () => Promise.resolve(), phases: [warm, load, load], abortedBy }))).rejects.toThrow('asked');
  expect(asked.map(({ name, measured }) => [name, measured])).toEqual([
    ['warm', false],
    ['load', true],
    ['load', true],
  ]);
  expect(asked.slice(1).map(({ startSeconds, endSeconds, planned }) => [startSeconds, endSeconds, planned])).toEqual([
    [0.26, 60.26, 60],
    [60.26, 120.26, 60],
  ]);
});

test('a warm-up that this machine cannot hold ends the run: the phase is cut, no other begins, no pipeline is waited for, and the engine is ended', async () => {
  const warm = { ...load, name: 'warm', measured: false, durationSeconds: 0.06 };
  const done: string[] = [];
  const driving = scripted({
    drive: (phase) => {
      done.push(`drive ${phase}`);
      return Promise.resolve();
    },
    phases: [warm, load],
    fitCheck: ({ phase }) => (phase === 0 ? 'this machine holds about 7/s of this plan' : undefined),
    run: {
      cut: (phase) => void done.push(`cut ${phase}`),
      finish: () => Promise.resolve({ states: new Uint8Array(), phaseFirstArrival: [], queuedUntilMs: [], wire: 'net' }),
      kill: () => Promise.resolve(void done.push('kill')),
    },
    watch: {
      scrapeNow: () => Promise.reject(new Error('the pipeline was waited for')),
      stop: () =>
        Promise.resolve({
          processes: [],
          machine: [],
          scrapes: [],
          limits: { descriptorsMax: undefined, descriptorsUsedMax: undefined, portsMax: undefined, portsUsedMax: undefined },
        }),
    },
  });
  expect(await drivePhases(driving)).toMatchObject({
    unfit: 'this machine holds about 7/s of this plan',
    pipelineDrainSeconds: undefined,
    phases: [{ name: 'warm' }],
  });
  expect(done).toEqual(['drive 0', 'cut 0', 'kill']);
});
