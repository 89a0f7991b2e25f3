// Runs of one plan at one service, with and without noise, judged by the gates: does a bound in noise lie below what there was without?
import { exampleRun, exampleScenario, thresholdOf } from '#harness/gates/example-run.ts';
import { defaultLimits, noiseOf as gatesNoiseOf, withNoise } from '#harness/gates/noise.ts';
import { observe } from '#harness/gates/observe.ts';
import type { Figure } from '#harness/gates/samples.ts';
import { noCounts } from '#harness/metrics/fold.ts';
import { Histogram } from '#harness/metrics/histogram.ts';
import { createRandom } from '#harness/pacing/random.ts';
import type { Cell, RunResult, TimeName } from '#harness/run-result.ts';
import { type Chance, type Noise, noiseOf, noNoise } from './noise.ts';
import { type MarkedTry, type Model, marked, type Plan, spoiledAboveMs, triesOf } from './noisy-run.ts';
import { cached, groupCommit, inOrder, processorSharing } from './services.ts';

const seconds = 5;
const cores = 2;

/** `workPerMs`: how much of a plan's work it does, about. `loadMost`: of that, planned at most. */
type Kind = { readonly modelOf: (chance: Chance) => { readonly model: Model; readonly workPerMs: number }; readonly loadMost: number };
const serves = (service: ReturnType<typeof inOrder>, workPerMs = 1): { readonly model: Model; readonly workPerMs: number } => ({
  model: { kind: 'serves', service },
  workPerMs,
});

export const kinds = {
  'first come, first served': { modelOf: () => serves(inOrder(1)), loadMost: 0.95 },
  'several servers': {
    modelOf: (chance) => {
      const servers = 2 + Math.floor(chance() * 7);
      return serves(inOrder(servers), servers);
    },
    loadMost: 0.95,
  },
  'processor sharing': { modelOf: () => serves(processorSharing), loadMost: 0.95 },
  'group commit': { modelOf: (chance) => serves(groupCommit(1 + chance() * 15)), loadMost: 0.95 },
  cache: { modelOf: (chance) => serves(cached(100 + chance() * 2000), 2), loadMost: 0.95 },
  'sheds and is retried': {
    modelOf: (chance) => {
      const model = { kind: 'sheds', thereMax: 5 + Math.floor(chance() * 60), retryAfterMs: 200 + chance() * 1000, triesMax: 4 } as const;
      return { model, workPerMs: 1 };
    },
    loadMost: 1.2,
  },
} satisfies Readonly<Record<string, Kind>>;
export type KindName = keyof typeof kinds;

const exponential = (chance: Chance): number => -Math.log(chance());
/** Constant, exponential, or one in ten eleven times as long as the others: each 1 on average. */
const workShapes: readonly ((chance: Chance) => number)[] = [() => 1, exponential, (chance) => (chance() < 0.1 ? 5.5 : 0.5)];

function planOf(chance: Chance, perMs: number): Plan {
  const meanMs = 2 + 6 * chance();
  const dueMs: number[] = [];
  for (let atMs = 0; atMs < seconds * 1000; atMs += (exponential(chance) * meanMs) / perMs) dueMs.push(atMs);
  const shape = workShapes[Math.floor(chance() * workShapes.length)]!;
  return {
    dueMs: Float64Array.from(dueMs),
    workMs: Float64Array.from(dueMs, () => shape(chance) * meanMs),
    keys: Int32Array.from(dueMs, () => Math.floor(chance() ** 2 * 200)),
  };
}

type Recorders = { readonly clean: Histogram; readonly spoiled: Histogram };
type Building = { readonly counts: { -readonly [name in keyof Cell['counts']]: number }; readonly times: Map<TimeName, Recorders> };

/** As the engine counts them: a try in the second in which it was due, a chain in that of its first. */
function cellsOf(tries: readonly MarkedTry[], dueMs: Float64Array): readonly Cell[] {
  const bySecond = new Map<number, Building>();
  const at = (ms: number): Building => {
    const second = Math.floor(ms / 1000);
    const known = bySecond.get(second) ?? { counts: { ...noCounts }, times: new Map() };
    bySecond.set(second, known);
    return known;
  };
  const time = (cell: Building, name: TimeName, ms: number, spoiled: boolean): void => {
    const both = cell.times.get(name) ?? { clean: new Histogram(), spoiled: new Histogram() };
    cell.times.set(name, both);
    both[spoiled ? 'spoiled' : 'clean'].record(ms * 1000);
  };
  const touched = new Set<number>();
  for (const one of tries) {
    const cell = at(one.dueMs);
    if (one.spoiled) touched.add(one.arrival);
    cell.counts.planned++;
    cell.counts.fired++;
    if (one.tries === 1 && one.sentMs - one.dueMs > 100) cell.counts.firedLate++;
    cell.counts[one.isShed ? 'shed' : 'good']++;
    if (one.isShed && one.spoiled) cell.counts.spoiledFailed++;
    if (one.isShed) continue;
    if (one.tries === 1) time(cell, 'response', one.overMs - one.dueMs, one.spoiled);
    time(cell, 'service', Math.max(0, one.overMs - one.sentMs), one.spoiled);
    time(at(dueMs[one.arrival]!), 'chain', one.overMs - dueMs[one.arrival]!, touched.has(one.arrival));
  }
  return [...bySecond].map(([second, { counts, times }]) => ({
    second,
    phase: 0,
    operation: 'ingest',
    counts,
    reasons: {},
    times: Object.fromEntries([...times].map(([name, { clean, spoiled }]) => [name, { clean: clean.toSparse(), spoiled: spoiled.toSparse() }])),
  }));
}

const load = { name: 'load', measured: true, durationSeconds: seconds, rate: { kind: 'constant', ratePerSecond: 1 } } as const;
const scenario = { ...exampleScenario, phases: [load] };
export const figures = [
  { metric: 'response_ms', expression: 'p(50)<1' },
  { metric: 'response_ms', expression: 'p(99)<1' },
  { metric: 'service_ms', expression: 'p(50)<1' },
  { metric: 'service_ms', expression: 'p(99)<1' },
  { metric: 'chain_ms', expression: 'p(99)<1' },
];
const thresholds = figures.map(({ metric, expression }) => thresholdOf(metric, expression, scenario));

function resultOf(cells: readonly Cell[], { generator, stolenMs }: Noise): RunResult {
  const workers = generator
    .filter(({ fromMs, untilMs }) => untilMs - fromMs > spoiledAboveMs)
    .map(({ fromMs, untilMs }) => ({ second: Math.floor(untilMs / 1000), stopMsTotal: untilMs - fromMs }))
    .map((stop) => ({ worker: 0, loopDelayMaxMs: stop.stopMsTotal, gcMsTotal: 0, gcMsMax: 0, utilisation: 0, ...stop }));
  const machine = stolenMs.map((ms, second) => ({ second, stealShare: ms / (cores * 1000), busyShare: undefined, cpuPressureShare: 0, throttledPeriods: 0 }));
  return exampleRun({ cells, workers, machine }, scenario);
}

/** By figure. `margin`: false takes the stop's length away from the gate. */
function observedOf(result: RunResult, margin: boolean): readonly Figure[] {
  const noise = gatesNoiseOf(result, defaultLimits);
  const cells = withNoise(result.cells, margin ? noise : { ...noise, stoppedMs: new Map() });
  return thresholds.map((threshold) => observe({ ...result, cells }, threshold).figure ?? { seen: 0, low: 0, high: Number.POSITIVE_INFINITY });
}

export type Compared = {
  /** Milliseconds, by figure: as it was without noise, and the bounds of it that the gates gave in noise. */
  readonly quiet: readonly number[];
  readonly noisy: readonly Figure[];
  /** Within a factor of two of the quiet figure, by a chance that knows nothing of the noise. */
  readonly limits: readonly number[];
};

/** `margin`: false takes the stop's length away from the gate. `loadLeast`: of what the service can do. */
export type Comparing = { readonly margin: boolean; readonly loadLeast?: number };

export function compare(name: KindName, seed: number, { margin, loadLeast = 0.3 }: Comparing): Compared {
  const chance = createRandom(seed, 7);
  const { modelOf, loadMost }: Kind = kinds[name];
  const { model, workPerMs } = modelOf(chance);
  const plan = planOf(chance, workPerMs * (loadLeast + (loadMost - loadLeast) * chance()));
  const stamped = chance() < 0.5;
  const judged = (noise: Noise): readonly Figure[] => {
    const tries = marked(triesOf(plan, model, { noise, stamped }), noise.generator);
    return observedOf(resultOf(cellsOf(tries, plan.dueMs), noise), margin);
  };
  const quiet = judged(noNoise).map(({ seen }) => seen);
  return { quiet, noisy: judged(noiseOf(chance, seconds, seed)), limits: quiet.map((ms) => ms * 2 ** (2 * chance() - 1)) };
}

export type Tally = {
  readonly runs: number;
  /** Of the figure that had most of them: runs whose upper bound lies below the quiet figure, so that a limit between would be passed wrongly; and by how much at most, as a share. */
  readonly below: number;
  readonly belowShareMax: number;
  /** Runs that passed a limit which the quiet run would have broken; and failed one that it would have kept. */
  readonly falsePasses: number;
  readonly falseFails: number;
};

/** `seedStep`: 3 for those whose noise is stops of the generator alone. */
export function tally(name: KindName, runs: number, { seedStep = 1, ...comparing }: Comparing & { readonly seedStep?: number }): Tally {
  const below = figures.map(() => 0);
  const falsePasses = figures.map(() => 0);
  const falseFails = figures.map(() => 0);
  let belowShareMax = 0;
  for (let seed = seedStep; seed <= seedStep * runs; seed += seedStep) {
    const { quiet, noisy, limits } = compare(name, seed, comparing);
    quiet.forEach((ms, i) => {
      const { low, high } = noisy[i]!;
      const limit = limits[i]!;
      if (high < ms) {
        below[i]!++;
        belowShareMax = Math.max(belowShareMax, 1 - high / ms);
      }
      if (high < limit && ms >= limit) falsePasses[i]!++;
      if (low >= limit && ms < limit) falseFails[i]!++;
    });
  }
  return { runs, below: Math.max(...below), belowShareMax, falsePasses: Math.max(...falsePasses), falseFails: Math.max(...falseFails) };
}
