// A run of the real engine core on virtual time.

import { strict as assert } from 'node:assert';
import type { ArrivalPhase, EngineInput } from '#harness/engine/engine.ts';
import { KeptTimes, keptTimesMemory } from '#harness/engine/kept-times.ts';
import { operations as ingestOperations } from '#harness/engine/native/calibration-operations.ts';
import { devicesOfWorker, EngineCore } from '#harness/engine/native/core.ts';
import { gapsOf } from '#harness/gates/identities.ts';
import { foldCells } from '#harness/metrics/fold.ts';
import { foldEvenness } from '#harness/metrics/fold-evenness.ts';
import { firstArrivals } from '#harness/pacing/arrivals.ts';
import type { Cell, Evenness, PhaseRecord, SecondDelta, WorkerLag } from '#harness/run-result.ts';
import type { Operation } from '#harness/target/operation.ts';
import { EventQueue } from './event-queue.ts';
import { createScriptedWire, type Numbers, type ScriptedServer } from './scripted-wire.ts';

export type SimulateOptions = {
  readonly server: ScriptedServer;
  readonly phases: readonly ArrivalPhase[];
  /** By default one `ingest` of one event, judged by status and count. */
  readonly operations?: readonly Operation[];
  readonly chains?: EngineInput['chains'];
  readonly thinkTimes?: EngineInput['thinkTimes'];
  readonly seed?: number;
  readonly workers?: number;
  readonly devices?: number;
  readonly connection?: EngineInput['connection'];
  /** Of the whole process; the real one's is 15,000. */
  readonly connectionsMax?: number;
  readonly retry?: NonNullable<EngineInput['retry']>;
  readonly timeoutMs?: number;
  readonly goodWithinMs?: number;
  readonly spoiledAboveMs?: number;
  readonly lateAboveMs?: number;
  /** Stretches in which the generator does not run. In order, apart from each other. */
  readonly stops?: readonly { readonly atMs: number; readonly forMs: number }[];
  /** The wire says when bytes came. */
  readonly stampsArrivals?: boolean;
  readonly cut?: { readonly phase: number; readonly atMs: number };
  /** Ends the run right behind its last arrival: what is out then stays so. */
  readonly endsEarly?: boolean;
};

export type SimulatedRun = {
  readonly cells: readonly Cell[];
  readonly states: Uint8Array;
  readonly evenness: readonly Evenness[];
  readonly workers: readonly WorkerLag[];
  readonly phases: readonly PhaseRecord[];
  /** Of each phase: when a request that was late, or never fired, last left the queue. */
  readonly queuedUntilMs: readonly number[];
  readonly phaseFirstArrival: readonly number[];
  /** How many requests and connections the server saw. */
  readonly seen: Numbers;
};

/** Of the first phase: connections are open by then. */
export const startMs = 1000;
const sleepMaxMs = 4;

export const poissonPhase = (name: string, ratePerSecond: number, durationSeconds: number): ArrivalPhase => ({
  name,
  measured: true,
  durationSeconds,
  rate: { kind: 'constant', ratePerSecond },
  spacing: 'poisson',
  traffic: [{ chain: 'ingest', weight: 1 }],
});

function inputOf(options: SimulateOptions): EngineInput {
  const devices = Array.from({ length: options.devices ?? 100 }, (_, index) => ({ deviceId: `d-${index}`, token: 'token', secret: '', publishable: '' }));
  return {
    run: 'simulation00',
    seed: options.seed ?? 1,
    target: { host: 'scripted', port: 80, pathPrefix: '' },
    operationsModule: '',
    workers: options.workers ?? 1,
    connection: options.connection ?? { kind: 'per-device-group', connections: 16 },
    devices,
    eventsPerBatch: 1,
    timeoutMs: options.timeoutMs ?? 10_000,
    ...(options.retry === undefined ? {} : { retry: options.retry }),
    goodWithinMs: options.goodWithinMs ?? 10_000,
    chains: options.chains ?? { ingest: ['ingest'] },
    thinkTimes: options.thinkTimes,
    phases: options.phases,
    spoiledAboveMs: options.spoiledAboveMs ?? 30,
    lateAboveMs: options.lateAboveMs ?? 100,
  };
}

const phaseRecords = (phases: readonly ArrivalPhase[], first: readonly number[]): readonly PhaseRecord[] => {
  let atSeconds = startMs / 1000;
  return phases.map((phase, index) => {
    const startSeconds = atSeconds;
    atSeconds += phase.durationSeconds;
    return { name: phase.name, measured: phase.measured, startSeconds, endSeconds: atSeconds, planned: first[index + 1]! - first[index]! };
  });
};

/** The generator's threads: each takes a turn when an arrival is due, and every few milliseconds. */
function startTurns(core: EngineCore, queue: EventQueue, seenAt: (atMs: number) => number): void {
  const turn = (): void => {
    core.turn();
    queue.at(seenAt(Math.min(Math.max(core.nextDueMs, queue.nowMs), queue.nowMs + sleepMaxMs)), turn);
  };
  turn();
}

export function simulateRun(options: SimulateOptions): SimulatedRun {
  const input = inputOf(options);
  const first = firstArrivals(input.phases);
  const states = new Uint8Array(first.at(-1)!);
  const times = new KeptTimes(keptTimesMemory(first.at(-1)!));
  const queue = new EventQueue();
  const numbers: Numbers = { connections: 0, requests: 0 };
  const stops = options.stops ?? [];
  const seenAt = (atMs: number): number =>
    stops.reduce((seen, stop) => (seen >= stop.atMs && seen < stop.atMs + stop.forMs ? stop.atMs + stop.forMs : seen), atMs);
  const { operationsModule: _module, devices, ...rest } = input;
  const cores = Array.from({ length: input.workers }, (_, worker) => {
    const connectionsMax = Math.max(1, Math.floor((options.connectionsMax ?? 15_000) / input.workers));
    return new EngineCore({
      input: { ...rest, worker, deviceCount: devices.length, devices: devicesOfWorker(devices, worker, input.workers), connectionsMax },
      operations: options.operations ?? ingestOperations,
      states,
      times,
      wire: createScriptedWire({ queue, server: options.server, numbers, seenAt, stampsArrivals: options.stampsArrivals ?? false }),
      nowMs: () => queue.nowMs,
      originWallMs: Date.UTC(2026, 0, 1),
      sleepMaxMs,
      onPhaseEnd: () => {},
    });
  });
  const phases = phaseRecords(input.phases, first);
  for (const core of cores) core.openConnections(0, core.groups);
  for (const core of cores) startTurns(core, queue, seenAt);
  phases.forEach((phase, index) => {
    queue.at(phase.startSeconds * 1000 - 50, () => {
      for (const core of cores) core.drive(index, phase.startSeconds * 1000);
    });
  });
  const { cut } = options;
  if (cut !== undefined)
    queue.at(cut.atMs, () => {
      for (const core of cores) core.cut(cut.phase);
    });
  const deltas: SecondDelta[] = [];
  const takeAll = (): void => {
    for (const core of cores) deltas.push(core.takeDelta({ gcMsTotal: 0, gcMsMax: 0, utilisation: 0 }));
  };
  const loadEndMs = Math.max(phases.at(-1)!.endSeconds * 1000, ...stops.map((stop) => stop.atMs + stop.forMs));
  const endMs = loadEndMs + (options.endsEarly === true ? 1 : 2 * input.timeoutMs);
  for (let atMs = 1000; atMs < endMs; atMs += 1000) {
    queue.runUntil(seenAt(atMs));
    takeAll();
  }
  queue.runUntil(endMs);
  for (const core of cores) core.giveUpAll();
  takeAll();
  const cells = foldCells(deltas);
  // Whatever a test is about: its run has to add up.
  assert.deepEqual(gapsOf(cells), []);
  return {
    cells,
    states,
    evenness: foldEvenness(
      deltas.flatMap((delta) => delta.evenness),
      input.phases.map((phase) => phase.name),
    ),
    workers: deltas.flatMap((delta) => delta.lag ?? []),
    phases,
    queuedUntilMs: phases.map((_phase, index) => Math.max(...cores.map((core) => core.queuedUntilMs[index]!))),
    phaseFirstArrival: first.slice(0, -1),
    seen: numbers,
  };
}
