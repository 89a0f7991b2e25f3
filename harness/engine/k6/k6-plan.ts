/**
 * An arrival plan as k6 can drive it: one scenario of k6 for each phase, and what its script has to know. k6 spaces arrivals evenly; it
 * has no other spacing, so a Poisson plan keeps its counts and loses its instants. Pure.
 */
import type { EngineInput } from '#harness/engine/engine.ts';
import { firstArrivals } from '#harness/pacing/arrivals.ts';
import type { ArrivalPhase } from '#harness/pacing/plan.ts';
import { arrivalCount, peakPerSecond } from '#harness/pacing/rate.ts';
import { type Executor, executorOf } from './executors.ts';

export type K6Phase = {
  readonly name: string;
  /** Since the first phase's start. */
  readonly startMs: number;
  readonly durationMs: number;
  readonly firstArrival: number;
  readonly count: number;
  readonly traffic: ArrivalPhase['traffic'];
};

/** Everything the script knows, as JSON within it. */
export type K6Plan = {
  readonly run: string;
  readonly seed: number;
  readonly baseUrl: string;
  readonly deviceCount: number;
  readonly eventsPerBatch: number;
  readonly items: EngineInput['items'];
  readonly timeoutMs: number;
  readonly goodWithinMs: number;
  readonly chains: EngineInput['chains'];
  readonly connectionPerRequest: boolean;
  readonly phases: readonly K6Phase[];
};

export type K6Options = Readonly<Record<string, unknown>> & { readonly scenarios: Readonly<Record<string, Executor>> };

/**
 * k6 drops an arrival that finds no free VU, and makes new ones only after that: so there are enough from the start for answers as slow as this,
 * or for a stop as long. For the timeout's ten seconds there cannot be: k6 takes all VUs in turn, each with its own memory and connection.
 */
const coveredMs = 200;
const vusMin = 100;
/** A VU takes 0.3 to 0.4 MB. */
const vusMax = 4000;

type Covered = Pick<EngineInput, 'chains' | 'timeoutMs'>;

/** Rate × how long an arrival may keep its VU: each step of its chain waits for an answer. */
export function vusOf(phase: Pick<ArrivalPhase, 'rate' | 'durationSeconds' | 'traffic'>, { chains, timeoutMs }: Covered): number {
  const weight = phase.traffic.reduce((sum, share) => sum + share.weight, 0);
  const steps = phase.traffic.reduce((sum, share) => sum + share.weight * (chains[share.chain]?.length ?? 0), 0) / weight;
  const keptSeconds = (steps * Math.min(coveredMs, timeoutMs)) / 1000;
  return Math.min(vusMax, Math.max(vusMin, Math.ceil(peakPerSecond(phase) * keptSeconds)));
}

type PlanInput = Omit<EngineInput, 'operationsModule' | 'workers' | 'devices' | 'spoiledAboveMs' | 'lateAboveMs' | 'target'> & {
  readonly baseUrl: string;
  readonly deviceCount: number;
};

export function k6PlanOf(input: PlanInput): K6Plan {
  const { run, seed, baseUrl, deviceCount, eventsPerBatch, timeoutMs, goodWithinMs, chains, connection, phases } = input;
  const first = firstArrivals(phases);
  let startMs = 0;
  const planned = phases.map((phase, index): K6Phase => {
    const durationMs = phase.durationSeconds * 1000;
    startMs += durationMs;
    return { name: phase.name, startMs: startMs - durationMs, durationMs, firstArrival: first[index] ?? 0, count: arrivalCount(phase), traffic: phase.traffic };
  });
  return {
    run,
    seed,
    baseUrl,
    deviceCount,
    eventsPerBatch,
    items: input.items,
    timeoutMs,
    goodWithinMs,
    chains,
    connectionPerRequest: connection.kind === 'per-request',
    phases: planned,
  };
}

/** The `options` that the script exports. A phase without arrivals is no scenario of k6. */
export function k6OptionsOf(plan: K6Plan, phases: readonly ArrivalPhase[]): K6Options {
  const scenarios: Record<string, Executor> = {};
  for (const [index, phase] of phases.entries()) {
    const planned = plan.phases[index];
    if (planned === undefined || planned.count === 0) continue;
    scenarios[phase.name] = executorOf(phase, { startMs: planned.startMs, vus: vusOf(phase, plan), gracefulStopMs: plan.timeoutMs });
  }
  return {
    scenarios,
    noConnectionReuse: plan.connectionPerRequest,
    // Every further tag is a column of every sample.
    systemTags: ['scenario', 'status', 'error_code'],
    setupTimeout: '3600s',
    summaryTrendStats: ['min', 'med', 'p(90)', 'p(99)', 'max'],
    // A redirect is an answer, and no reason to ask again.
    maxRedirects: 0,
    insecureSkipTLSVerify: false,
    userAgent: 'headroom-k6',
  };
}
