/** A small run as data, for tests of whatever reads results: 10 s calm, 5 s spike, 5 s after, all answered in 5 ms. */
import { noCounts } from '#harness/metrics/fold.ts';
import { Histogram, type SparseHistogram } from '#harness/metrics/histogram.ts';
import type { Cell, CellCounts, LedgerRecord, PhaseRecord, ProcessRecord, RunResult } from '#harness/run-result.ts';
import type { Scenario } from '#harness/scenario.ts';
import { formatThresholdError, type ParsedThreshold, parseThreshold } from './threshold.ts';

const phase = (name: string, measured: boolean, durationSeconds: number, ratePerSecond: number): Scenario['phases'][number] => ({
  name,
  measured,
  durationSeconds,
  rate: { kind: 'constant', ratePerSecond },
});

export const exampleScenario: Scenario = {
  name: 'example',
  description: 'A run as data.',
  fleet: { accounts: 1, devices: 100, connection: { kind: 'per-device-group', connections: 10 }, timeoutMs: 10_000 },
  phases: [phase('warm-up', false, 2, 100), phase('calm', true, 10, 100), phase('spike', true, 5, 1000), phase('after', true, 5, 100)],
  thresholds: [{ metric: 'response_ms', expression: 'p(99)<250' }],
};

export function histogramOfMs(samples: readonly (readonly [ms: number, times: number])[]): SparseHistogram {
  const histogram = new Histogram();
  for (const [ms, times] of samples) if (times > 0) histogram.record(ms * 1000, times);
  return histogram.toSparse();
}

export type CellParts = Partial<Omit<Cell, 'counts' | 'times'>> & {
  readonly clean?: readonly (readonly [ms: number, times: number])[];
  readonly spoiled?: readonly (readonly [ms: number, times: number])[];
  readonly counts?: Partial<CellCounts>;
};

/** Response, service and chain alike; planned and fired follow from the samples and counts unless given. */
export function exampleCell({ clean = [], spoiled = [], counts = {}, ...rest }: CellParts): Cell {
  const sum = (samples: readonly (readonly [number, number])[]): number => samples.reduce((total, [, times]) => total + times, 0);
  const good = sum(clean) + sum(spoiled);
  const fired = counts.fired ?? good + (counts.failed ?? 0) + (counts.shed ?? 0);
  const unanswered = (counts.timedOut ?? 0) + (counts.cut ?? 0) + (counts.inFlightAtEnd ?? 0);
  const both = { clean: histogramOfMs(clean), spoiled: histogramOfMs(spoiled) };
  return {
    second: 0,
    phase: 0,
    operation: 'ingest',
    reasons: {},
    ...rest,
    counts: { ...noCounts, planned: fired + (counts.neverFired ?? 0), fired, answered: fired - unanswered, good, ...counts },
    times: good > 0 ? { response: both, service: both, chain: both } : {},
  };
}

function phaseRecords(scenario: Scenario): readonly PhaseRecord[] {
  let at = 0;
  return scenario.phases.map(({ name, measured, durationSeconds, rate }) => {
    const startSeconds = at;
    at += durationSeconds;
    return { name, measured, startSeconds, endSeconds: at, planned: rate.kind === 'constant' ? rate.ratePerSecond * durationSeconds : 0 };
  });
}

/** One cell a second, as planned and quick. */
function plannedCells(scenario: Scenario): readonly Cell[] {
  return phaseRecords(scenario).flatMap((record, index) =>
    Array.from({ length: record.endSeconds - record.startSeconds }, (_, i) =>
      exampleCell({ second: record.startSeconds + i, phase: index, clean: [[5, record.planned / (record.endSeconds - record.startSeconds)]] }),
    ),
  );
}

export const exampleLedger: LedgerRecord = {
  acknowledged: 6700,
  refused: 0,
  unknown: 0,
  lost: 0,
  duplicated: 0,
  reordered: 0,
  unknownFound: 0,
  refusedFound: 0,
  foreign: 0,
  conservationError: 0,
  readSeconds: 1,
  examples: [],
};

export const exampleSecond = { residentBytes: 1, runQueueWaitMs: 0, descriptors: 1, cpuMicros: 1 };

export const exampleProcess = (role: ProcessRecord['role'], cpuMicros: number): ProcessRecord => ({
  name: role,
  role,
  pid: 1,
  seconds: Array.from({ length: 22 }, (_, second) => ({ ...exampleSecond, second, cpuMicros })),
});

export function exampleRun(changes: Partial<RunResult> = {}, scenario: Scenario = exampleScenario): RunResult {
  return {
    version: 1,
    run: {
      id: 'example-1',
      run: '0123456789ab',
      startedAt: '2026-01-01T00:00:00.000Z',
      scenario,
      seed: 1,
      planHash: '0',
      gitRevision: '0',
      runtime: 'v26',
      machine: { cpu: 'any', cores: 2, memoryBytes: 1, kernel: '6' },
      target: { url: 'http://127.0.0.1:1', owned: true, durability: 'fsync', workers: 1 },
      engine: 'native',
      wire: 'net',
    },
    phases: phaseRecords(scenario),
    cells: plannedCells(scenario),
    evenness: [{ phase: 'spike', binMs: 1, planned: 1, fired: 1.3 }],
    workers: [],
    processes: [exampleProcess('generator', 100_000), exampleProcess('system', 200_000)],
    machine: [],
    scrapes: Array.from({ length: 24 }, (_, second) => ({ second, ok: true, values: { headroom_events_pending: 0 } })),
    ledger: exampleLedger,
    probe: undefined,
    calibration: [],
    pipelineDrainSeconds: 0.5,
    limits: { descriptorsMax: 1000, descriptorsUsedMax: 50, portsMax: 28_232, portsUsedMax: 20 },
    interrupted: { kind: 'no' },
    ...changes,
  };
}

export function thresholdOf(metric: string, expression: string, scenario: Scenario = exampleScenario): ParsedThreshold {
  const readers = scenario.streams?.readers.map((one) => one.name) ?? [];
  const receivers = scenario.webhooks?.map((one) => one.name) ?? [];
  const names = { phases: scenario.phases.map((one) => one.name), operations: ['ingest', 'authenticate'], readers, receivers };
  const parsed = parseThreshold({ metric, expression }, names);
  if (parsed.kind === 'error') throw new Error(formatThresholdError(parsed));
  return parsed.threshold;
}
