/** What a run was: its scenario, seed and plan, the machine and the code it ran on. */
import { execFileSync } from 'node:child_process';
import { release, totalmem } from 'node:os';
import { basename } from 'node:path';
import type { RunOptions } from '#harness/command/run-options.ts';
import { describeMachine } from '#harness/metrics/proc.ts';
import type { ArrivalPhase } from '#harness/pacing/plan.ts';
import { planHash } from '#harness/pacing/plan-hash.ts';
import type { RunRecord } from '#harness/run-result.ts';
import { chainsOf, thinkTimesOf } from '#harness/scenario.ts';
import type { Target } from '#harness/topology/target.ts';
import { shownUrl } from '#harness/url/url-scenario.ts';

type Described = Pick<Target, 'url' | 'owned' | 'durability' | 'workers' | 'nodes' | 'balancer'>;

type Recorded = {
  readonly options: RunOptions;
  readonly folder: string;
  readonly startedAt: Date;
  /** Nothing where it was not started. */
  readonly target: Described | undefined;
  /** The name that its events have. */
  readonly run: string;
  readonly phases: readonly ArrivalPhase[];
  readonly wire: string;
};

export function recordOf({ options, folder, startedAt, target, run, phases, wire }: Recorded): RunRecord {
  const { scenario, seed } = options;
  return {
    id: basename(folder),
    run,
    startedAt: startedAt.toISOString(),
    scenario,
    ...(options.fit === undefined ? {} : { fit: options.fit }),
    seed,
    planHash: planHash({ seed, devices: scenario.fleet.devices, phases, chains: chainsOf(scenario.chains), thinkTimes: thinkTimesOf(scenario.chains) }),
    gitRevision: gitRevision(),
    runtime: `node ${process.versions.node}`,
    machine: describeMachine(totalmem(), release()),
    target: describeTarget(target),
    ...(options.request === undefined ? {} : { request: { method: options.request.method, url: shownUrl(options.request) } }),
    engine: options.engine ?? 'native',
    wire,
  };
}

function describeTarget(target: Described | undefined): RunRecord['target'] {
  if (target === undefined) return { url: 'not started', owned: true, durability: undefined, workers: undefined };
  const { url, owned, durability, workers, nodes, balancer } = target;
  return { url, owned, durability, workers, ...(nodes > 1 ? { nodes } : {}), ...(balancer === undefined ? {} : { balancer }) };
}

function gitRevision(): string {
  try {
    const args = ['describe', '--always', '--dirty', '--exclude=*'];
    return execFileSync('git', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  } catch {
    return 'unknown';
  }
}
