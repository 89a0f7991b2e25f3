/**
 * A spike as data, for tests of what shows runs: 10 s of warm-up, 10 s calm, 30 s at 10,000/s, 15 s calm. Seeded, so it is the same
 * to the byte. `troubled`: the generator stands still in one second, collects, is robbed in another, and some requests fail.
 */
import { judge } from '#harness/gates/judge.ts';
import { type ParsedThreshold, parseThreshold } from '#harness/gates/threshold.ts';
import { noCounts } from '#harness/metrics/fold.ts';
import { Histogram } from '#harness/metrics/histogram.ts';
import { createRandom } from '#harness/pacing/random.ts';
import type { Cell, MachineSecond, PhaseRecord, ProcessRecord, RunResult, TimeHistograms, Verdict, WorkerLag } from '#harness/run-result.ts';
import type { Scenario } from '#harness/scenario.ts';

const troubledSecond = { stop: 27, gc: 23, steal: 34, failures: 31 } as const;
const kinds = [
  ['warm-up', false, 10, 6000],
  ['calm', true, 10, 1000],
  ['spike', true, 30, 10_000],
  ['calm-again', true, 15, 1000],
] as const;

const scenario: Scenario = {
  name: 'spike',
  description: '10,000 devices, one event a request: calm at 1,000/s, 30 s at 10,000/s, and back to calm.',
  fleet: { accounts: 10, devices: 10_000, connection: { kind: 'per-device-group', connections: 1000 }, eventsPerBatch: 1, timeoutMs: 10_000 },
  phases: kinds.map(([name, measured, durationSeconds, ratePerSecond]) => ({ name, measured, durationSeconds, rate: { kind: 'constant', ratePerSecond } })),
  thresholds: [
    { metric: 'response_ms{phase:spike,operation:ingest}', expression: 'p(99)<250' },
    { metric: 'failed', expression: 'rate<0.001' },
    { metric: 'events_lost', expression: 'count==0' },
    { metric: 'events_duplicated', expression: 'count==0' },
    { metric: 'recovery_seconds{phase:spike,baseline:calm}', expression: 'value<=15' },
    { metric: 'pipeline_drain_seconds', expression: 'value<=10' },
  ],
};

type Chance = () => number;

const normal = (chance: Chance): number => Math.sqrt(-2 * Math.log(chance())) * Math.cos(2 * Math.PI * chance());
const noise = (chance: Chance, around: number, spread: number): number => around * Math.exp(spread * normal(chance));

type Sampled = { readonly service: number; readonly delay: number };

/** Milliseconds. Each sample stands for ten requests. */
function histogramsOf(samples: readonly Sampled[], spoiled: boolean): Cell['times'] {
  const of = (value: (sample: Sampled) => number): TimeHistograms => {
    const histogram = new Histogram();
    for (const sample of samples) histogram.record(value(sample) * 1000, 10);
    const empty = new Histogram().toSparse();
    return spoiled ? { clean: empty, spoiled: histogram.toSparse() } : { clean: histogram.toSparse(), spoiled: empty };
  };
  const response = of((one) => one.service + one.delay);
  return { dispatch_delay: of((one) => one.delay), service: of((one) => one.service), response, chain: response };
}

function cellOf(second: number, phase: number, chance: Chance, troubled: boolean): Cell {
  const ratePerSecond = kinds[phase]?.[3] ?? 0;
  const planned = Math.round((ratePerSecond + normal(chance) * Math.sqrt(ratePerSecond)) / 10) * 10;
  const isSpike = ratePerSecond > 9000;
  const stopped = troubled && second === troubledSecond.stop;
  const failed = troubled && second >= troubledSecond.failures && second < troubledSecond.failures + 3 ? 40 : 0;
  const samples = Array.from({ length: (planned - failed) / 10 }, () => ({
    service: noise(chance, isSpike ? 12 : 1.2, isSpike ? 0.7 : 0.5),
    delay: noise(chance, 0.1, 0.8) + (stopped ? chance() * 400 : 0) + (chance() < 0.01 ? chance() * 2 : 0),
  }));
  return {
    second,
    phase,
    operation: 'ingest',
    counts: { ...noCounts, planned, fired: planned, answered: planned - failed / 2, good: planned - failed, failed, timedOut: failed / 2 },
    times: histogramsOf(samples, stopped),
    reasons: failed === 0 ? {} : { 'status 503 </script><b>': failed / 2, timeout: failed / 2 },
  };
}

function processOf(name: string, role: ProcessRecord['role'], microsPerRequest: number, cells: readonly Cell[], chance: Chance): ProcessRecord {
  const seconds = cells.map(({ second, counts }) => ({
    second,
    cpuMicros: Math.round((noise(chance, 15_000, 0.3) + counts.fired * noise(chance, microsPerRequest, 0.05)) / 10_000) * 10_000,
    residentBytes: 180_000_000,
    runQueueWaitMs: 3,
    descriptors: 1032,
  }));
  return { name, role, pid: 1000, seconds };
}

const phaseRecords = (cells: readonly Cell[]): readonly PhaseRecord[] =>
  kinds.map(([name, measured, seconds], index) => {
    const startSeconds = kinds.slice(0, index).reduce((sum, kind) => sum + kind[2], 0);
    const planned = cells.reduce((sum, cell) => sum + (cell.phase === index ? cell.counts.planned : 0), 0);
    return { name, measured, startSeconds, endSeconds: startSeconds + seconds, planned, ...(measured ? {} : { settled: true }) };
  });

function workersOf(cells: readonly Cell[], troubled: boolean, chance: Chance): readonly WorkerLag[] {
  return cells.map(({ second }) => ({
    worker: 0,
    second,
    loopDelayMaxMs: troubled && second === troubledSecond.stop ? 412 : noise(chance, 0.6, 0.8),
    stopMsTotal: troubled && second === troubledSecond.stop ? 412 : 0,
    gcMsTotal: noise(chance, 1.5, 0.5),
    gcMsMax: troubled && second === troubledSecond.gc ? 14 : noise(chance, 0.8, 0.4),
    utilisation: 0.2,
  }));
}

const machineOf = (processes: readonly ProcessRecord[], troubled: boolean): readonly MachineSecond[] =>
  (processes[0]?.seconds ?? []).map(({ second }, index) => ({
    second,
    stealShare: troubled && second === troubledSecond.steal ? 0.08 : 0.004,
    busyShare: Math.min(1, processes.reduce((sum, { seconds }) => sum + (seconds[index]?.cpuMicros ?? 0), 0) / 2e6 + 0.04),
    cpuPressureShare: 0.04,
    throttledPeriods: undefined,
  }));

export type ExampleSpike = { readonly result: RunResult; readonly thresholds: readonly ParsedThreshold[]; readonly verdict: Verdict };

export function exampleSpike({ seed = 1, troubled = false }: { readonly seed?: number; readonly troubled?: boolean } = {}): ExampleSpike {
  const chance = createRandom(seed, 0);
  const cells = kinds.flatMap(([, , seconds], phase) => {
    const first = kinds.slice(0, phase).reduce((sum, kind) => sum + kind[2], 0);
    return Array.from({ length: seconds }, (_, i) => cellOf(first + i, phase, chance, troubled));
  });
  const processes = [processOf('generator', 'generator', 26, cells, chance), processOf('worker-1', 'system', 78, cells, chance)];
  const acknowledged = cells.reduce((sum, { counts }) => sum + counts.good, 0);
  const unknown = cells.reduce((sum, { counts }) => sum + counts.timedOut, 0);
  const result: RunResult = {
    version: 1,
    run: {
      id: '2026-01-01T00-00-00-spike',
      run: '0123456789ab',
      startedAt: '2026-01-01T00:00:00.000Z',
      scenario,
      seed,
      planHash: 'af2c2c5ed9980ce3',
      gitRevision: '0000000',
      runtime: 'node 26.10.0',
      machine: { cpu: 'Any Processor', cores: 2, memoryBytes: 8 * 2 ** 30, kernel: '6.1' },
      target: { url: 'http://127.0.0.1:4000', owned: true, durability: 'fsync', workers: 1 },
      engine: 'native',
      wire: 'net',
    },
    phases: phaseRecords(cells),
    cells,
    evenness: kinds.flatMap(([phase]) => [0.2, 1, 10].map((binMs) => ({ phase, binMs, planned: 1, fired: 1 + 1 / (1 + binMs) }))),
    workers: workersOf(cells, troubled, chance),
    processes,
    machine: machineOf(processes, troubled),
    scrapes: cells.map(({ second, counts }) => ({
      second,
      ok: !(troubled && second === 3),
      values:
        troubled && second === 3
          ? {}
          : {
              'headroom_events_pending{worker="1"}': Math.round(noise(chance, counts.fired / 20, 0.6)),
              headroom_pipeline_lag_seconds: noise(chance, 0.05, 0.4),
            },
    })),
    ledger: {
      acknowledged,
      refused: 0,
      unknown,
      lost: 0,
      duplicated: 0,
      reordered: 0,
      unknownFound: unknown / 2,
      refusedFound: 0,
      foreign: 0,
      conservationError: 0,
      readSeconds: 7.5,
      examples: [],
    },
    probe: undefined,
    calibration: (['before', 'after'] as const).map((when) => ({
      when,
      targetRatePerSecond: 20_000,
      achievedRatePerSecond: 20_000,
      secondsDriven: when === 'before' ? 3 : 1,
      addedP50Ms: 0.42,
      addedP99Ms: 3.1,
      dispatchDelayP99Ms: 1.1,
      cpuMicrosPerRequest: 23.8,
    })),
    pipelineDrainSeconds: 0.3,
    limits: { descriptorsMax: 20_000, descriptorsUsedMax: 1043, portsMax: 28_232, portsUsedMax: 1019 },
    interrupted: { kind: 'no' },
  };
  const thresholds = scenario.thresholds.map((threshold) => {
    const parsed = parseThreshold(threshold, { phases: kinds.map(([name]) => name), operations: ['ingest'] });
    if (parsed.kind === 'error') throw new Error(parsed.message);
    return parsed.threshold;
  });
  return { result, thresholds, verdict: judge(result, thresholds) };
}
