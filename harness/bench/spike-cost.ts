/**
 * What a request of the spike costs this build and an earlier one: the same plan on the same machine, one after the
 * other in each round, each build with its own generator and its own service.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { median } from '#harness/metrics/growth.ts';
import type { Verdict } from '#harness/run-result.ts';
import { defineScenario } from '#harness/scenario.ts';
import { atLeast, atMost, type Bench, type BenchOptions, type BenchResult, round } from './bench.ts';
import { askBuild, type Build, baseDefault, thisBuild, withBuildOf } from './build.ts';

const ratePerSecondDefault = 10_000;
const warmSeconds = 10;
/** Below it the rate was not held, and what a request cost says nothing. */
const goodShareMin = 0.999;
/** Of what a machine answered while it had too much: so much it holds without a queue. */
const roomShare = 0.6;
const serviceShareMax = 0.5;
/** Two runs of one build are apart by as much. */
const noise = 1.1;

type Cost = {
  readonly serviceMicros: number;
  readonly generatorMicros: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Of what was planned, answered as it should be. */
  readonly goodShare: number;
};
type Round = { readonly base: Cost; readonly this: Cost };

/** The spike's fleet and connections, its rate held from the end of the warm-up on. */
const scenarioOf = (ratePerSecond: number, seconds: number) =>
  defineScenario({
    name: 'spike-cost',
    description: 'The spike without its calm: what a request costs.',
    fleet: {
      accounts: 10,
      devices: 10_000,
      connection: { kind: 'per-device-group', connections: 1000 },
      eventsPerBatch: 1,
      timeoutMs: 10_000,
    },
    phases: [
      {
        name: 'warm-up',
        measured: false,
        durationSeconds: warmSeconds,
        rate: {
          kind: 'step',
          steps: [0.1, 0.3, 0.6, 0.9, 1].map((share, i) => ({
            atSeconds: (i * warmSeconds) / 5,
            ratePerSecond: Math.ceil(ratePerSecond * share),
          })),
        },
      },
      { name: 'spike', measured: true, durationSeconds: seconds, rate: { kind: 'constant', ratePerSecond } },
    ],
    thresholds: [{ metric: 'events_lost', expression: 'count==0' }],
  });

async function measure(build: Build, ratePerSecond: number, { seconds, signal }: BenchOptions): Promise<Cost> {
  const folder = await mkdtemp(join(tmpdir(), 'headroom-bench-'));
  try {
    const file = join(folder, 'spike-cost.json');
    await writeFile(file, JSON.stringify(scenarioOf(ratePerSecond, seconds)));
    const args = ['scenario', file, '--quiet', '--json', '--out', folder];
    const said = await askBuild(build, args, signal);
    const verdict = verdictIn(said.stdout);
    if (verdict === undefined) throw new Error(`the build ${build.name} gave no verdict (exit code ${said.code}): ${said.stderr.slice(-500)}`);
    return costOf(verdict);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function verdictIn(text: string): Verdict | undefined {
  try {
    return JSON.parse(text) as Verdict;
  } catch {
    return undefined;
  }
}

/** Both builds write their verdicts by the same version of the schema; what one of them does not say is not a number. */
export function costOf({ cpu, latencyMs, totals }: Pick<Verdict, 'cpu' | 'latencyMs' | 'totals'>): Cost {
  const response = latencyMs.spike?.ingest?.response;
  return {
    serviceMicros: cpu.system ?? Number.NaN,
    generatorMicros: cpu.generator ?? Number.NaN,
    p50Ms: response?.p50 ?? Number.NaN,
    p99Ms: response?.p99 ?? Number.NaN,
    goodShare: (totals.acknowledged ?? 0) / totals.planned,
  };
}

/** A sentence where a build did not hold the rate here. */
export function notHeld(name: string, cost: Cost, ratePerSecond: number): string | undefined {
  if (cost.goodShare >= goodShareMin) return undefined;
  const fits = Math.max(100, Math.floor((ratePerSecond * cost.goodShare * roomShare) / 100) * 100);
  const answered = (100 * cost.goodShare).toFixed(1);
  return `this machine does not hold ${ratePerSecond}/s: the build ${name} acknowledged ${answered} % of it; try --rate ${fits}`;
}

export const spikeCostBench: Bench = {
  name: 'spike-cost',
  about: 'CPU a request of the spike: this build ÷ an earlier one (--base), at 10,000/s (--rate)',
  runs: 5,
  seconds: 20,
  run: async (options) => {
    const { base = baseDefault, ratePerSecond = ratePerSecondDefault } = options;
    return await withBuildOf(base, async (build) => {
      const rounds: Round[] = [];
      let worst = 1;
      for (let index = 0; index < options.runs && !options.signal.aborted; index++) {
        // This build first: where it does not hold the rate, an older one would take minutes to say the same.
        const own = await measure(thisBuild, ratePerSecond, options);
        const before = own.goodShare < goodShareMin ? undefined : await measure(build, ratePerSecond, options);
        worst = Math.min(worst, own.goodShare, before?.goodShare ?? 1);
        const reason = notHeld('this', own, ratePerSecond) ?? (before && notHeld('base', before, ratePerSecond));
        if (reason !== undefined) options.say(reason);
        if (reason !== undefined || before === undefined) break;
        rounds.push({ base: before, this: own });
        options.say(`round ${index + 1} of ${options.runs}: ${lineOf({ base: before, this: own })}`);
      }
      return resultOf(rounds, { base, ratePerSecond, worst });
    });
  },
};

const lineOf = ({ base, this: own }: Round): string =>
  `service ${round(base.serviceMicros)} → ${round(own.serviceMicros)} µs, generator ${round(base.generatorMicros)} → ${round(own.generatorMicros)} µs, p99 ${round(base.p99Ms)} → ${round(own.p99Ms)} ms`;

type Asked = { readonly base: string; readonly ratePerSecond: number; readonly worst: number };

function resultOf(rounds: readonly Round[], { base, ratePerSecond, worst }: Asked): BenchResult {
  const name = 'spike-cost';
  const held = atLeast('share of the plan that was acknowledged, at worst', worst, goodShareMin);
  const figures = { base, rate_per_second: ratePerSecond, rounds: rounds.length };
  if (rounds.length === 0) return { name, figures, bars: [held] };
  const ratios = (figure: keyof Cost): readonly number[] => rounds.map((each) => each.this[figure] / each.base[figure]);
  const service = ratios('serviceMicros');
  return {
    name,
    tools: ['base', 'this'],
    figures: {
      ...figures,
      ...figuresOf('base', rounds),
      ...figuresOf('this', rounds),
      service_ratio: round(median(service)),
      service_ratio_least: round(Math.min(...service)),
      service_ratio_most: round(Math.max(...service)),
    },
    bars: [
      held,
      atMost("service CPU a request ÷ the base's", median(service), serviceShareMax),
      atMost("generator CPU a request ÷ the base's", median(ratios('generatorMicros')), noise),
      atMost("response p99 ÷ the base's", median(ratios('p99Ms')), noise),
    ],
  };
}

function figuresOf(name: keyof Round, rounds: readonly Round[]): Readonly<Record<string, number>> {
  const middle = (figure: keyof Cost): number => round(median(rounds.map((each) => each[name][figure])));
  return {
    [`${name}_service_us_a_request`]: middle('serviceMicros'),
    [`${name}_generator_us_a_request`]: middle('generatorMicros'),
    [`${name}_response_p50_ms`]: middle('p50Ms'),
    [`${name}_response_p99_ms`]: middle('p99Ms'),
  };
}
