/**
 * An arrival plan as k6 can drive it: one scenario of k6 for each phase, and what its script has to know. k6 spaces arrivals evenly; it
 * has no other spacing, so a Poisson plan keeps its counts and loses its instants. Pure.
 */
import type { EngineInput } from '#harness/engine/engine.ts';
import { firstArrivals } from '#harness/pacing/arrivals.ts';
import type { ArrivalPhase } from '#harness/pacing/plan.ts';
import { arrivalCount, peakPerSecond } from '#harness/pacing/rate.ts';
import { thinkMsMax, thinkMsMean, thinkMsOfChain } from '#harness/pacing/think-time.ts';
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
  readonly thinkTimes?: EngineInput['thinkTimes'];
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
export const vusMax = 4000;

type Covered = Pick<EngineInput, 'chains' | 'thinkTimes' | 'timeoutMs'>;

type Loading = Pick<ArrivalPhase, 'rate' | 'durationSeconds' | 'traffic'>;

/** Rate × how long an arrival may keep its VU: each step of its chain waits for an answer, and some are thought about. */
export function vusOf(phase: Loading, covered: Covered): number {
  return Math.min(vusMax, Math.max(vusMin, Math.ceil(peakPerSecond(phase) * keptSeconds(phase, covered))));
}

function keptSeconds({ traffic }: Loading, { chains, thinkTimes, timeoutMs }: Covered): number {
  const weight = traffic.reduce((sum, share) => sum + share.weight, 0);
  const keptMs = ({ chain }: Loading['traffic'][number]): number =>
    (chains[chain]?.length ?? 0) * Math.min(coveredMs, timeoutMs) + thinkMsOfChain(thinkTimes, chain, thinkMsMean);
  return traffic.reduce((sum, share) => sum + share.weight * keptMs(share), 0) / weight / 1000;
}

/** How many VUs think at once in the phase in which most do; k6 can do with `vusMax` of them at most. */
export const thinkingMost = (phases: readonly Loading[], thinkTimes: EngineInput['thinkTimes']): number =>
  Math.max(0, ...phases.map((phase) => peakPerSecond(phase) * keptSeconds(phase, { chains: {}, thinkTimes, timeoutMs: 0 })));

/** That nobody's thinking in any chain is longer than, all steps together. */
export const thinkMsMost = ({ chains, thinkTimes }: Pick<EngineInput, 'chains' | 'thinkTimes'>): number =>
  Math.max(0, ...Object.keys(chains).map((chain) => thinkMsOfChain(thinkTimes, chain, thinkMsMax)));

type PlanInput = Omit<EngineInput, 'operationsModule' | 'workers' | 'devices' | 'spoiledAboveMs' | 'lateAboveMs' | 'target'> & {
  readonly baseUrl: string;
  readonly deviceCount: number;
};

export function k6PlanOf(input: PlanInput): K6Plan {
  const { run, seed, baseUrl, deviceCount, eventsPerBatch, timeoutMs, goodWithinMs, chains, thinkTimes, connection, phases } = input;
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
    ...(thinkTimes === undefined ? {} : { thinkTimes }),
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
    // The last one's end is the run's: who still thinks then is let go.
    const thinkMs = index === phases.length - 1 ? 0 : thinkMsMost(plan);
    scenarios[phase.name] = executorOf(phase, { startMs: planned.startMs, vus: vusOf(phase, plan), gracefulStopMs: plan.timeoutMs + thinkMs });
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
