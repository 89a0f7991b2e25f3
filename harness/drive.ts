import type { EngineInput, EngineRun } from '#harness/engine/engine.ts';
import { type Probe, startProbe } from '#harness/engine/probe/probe.ts';
import { CellFold } from '#harness/metrics/fold.ts';
import { EvennessFold } from '#harness/metrics/fold-evenness.ts';
import { Watch, type WatchedProcess } from '#harness/metrics/watch.ts';
import { connectionOf } from '#harness/pacing/fleet-connections.ts';
import type { WorkerLag } from '#harness/run-result.ts';
import { chainsOf, thinkTimesOf } from '#harness/scenario.ts';
import type { DeviceCredentials } from '#harness/target/operation.ts';
import { createFaults } from './drive-faults.ts';
import { drivePhases } from './drive-phases.ts';
import { type DrivenStreams, startStreams } from './drive-streams.ts';
import type { DriveInput, Driven } from './driving.ts';
import { engineTargetOf, type Target } from './topology/target.ts';

const probeRatePerSecond = 20;
/** At its rate, answers of 12.8 s: longer than any scenario waits. */
const probeOpenMax = 256;
/** As the SDK of the platform does it (research/service.md): a second later. */
const retryAfterMsDefault = 1000;
const spoiledAboveMs = 50;
const lateAboveMs = 100;

export async function driveLoad(input: DriveInput): Promise<Driven> {
  const fold = new CellFold();
  const evenness = new EvennessFold();
  const workers: WorkerLag[] = [];
  const { scenario, target } = input;
  let streams: DrivenStreams | undefined;
  const run = await input.engine.prepare(engineInputOf(input), {
    onDelta: (delta) => {
      fold.add(delta);
      evenness.add(delta.evenness);
      if (delta.lag !== undefined) workers.push(delta.lag);
      streams?.acknowledged(delta.acknowledged);
    },
  });
  input.onKill(() => void run.kill());
  const sinceOriginMs = () => Number(process.hrtime.bigint() - run.originNs) / 1e6;
  const originWallMs = Date.now() - sinceOriginMs();
  const probe = input.probeDevice === undefined ? undefined : startProbeOf(input, input.probeDevice, run.originNs);
  if (probe !== undefined) input.onKill(probe.kill);
  try {
    streams = await startStreamsOf(input, run.originNs);
  } catch (error) {
    await run.kill();
    probe?.kill();
    throw error;
  }
  if (streams !== undefined) input.onKill(streams.fleet.kill);
  input.webhooks?.begin(run.originNs);
  const watch = new Watch({
    sinceOriginMs,
    processes: () => processesOf({ target, run, probe, streams, webhooks: input.webhooks }),
    metricsUrls: target.nodeUrls.map((url) => `${url}/metrics`),
    targetPorts: [...new Set(target.urls.map((url) => engineTargetOf(url).port))],
    targetAddresses: target.urls.length,
    scrapeTimeoutMs: 2000,
  });
  const faults = createFaults({ faults: scenario.faults ?? [], act: target.act, sinceOriginMs });
  try {
    return { ...(await drivePhases({ input, run, fold, evenness, workers, probe, streams, faults, watch, sinceOriginMs })), originWallMs };
  } catch (error) {
    await Promise.allSettled([run.kill(), watch.stop()]);
    probe?.kill();
    streams?.fleet.kill();
    throw error;
  }
}

type ForEngine = Pick<
  DriveInput,
  'run' | 'seed' | 'target' | 'operationsModule' | 'operationsData' | 'scenario' | 'devices' | 'listening' | 'timeoutMs' | 'phases'
>;

export function engineInputOf({ scenario, target, phases, listening, ...input }: ForEngine): EngineInput {
  const { fleet } = scenario;
  return {
    run: input.run,
    seed: input.seed,
    target: engineTargetOf(target.url),
    operationsModule: input.operationsModule,
    operationsData: input.operationsData,
    workers: scenario.generator?.workers ?? 1,
    connection: connectionOf(fleet, phases),
    devices: input.devices,
    eventsPerBatch: fleet.eventsPerBatch ?? 1,
    ...(listening === undefined ? {} : { items: listening.items }),
    timeoutMs: input.timeoutMs,
    ...(fleet.retry === undefined ? {} : { retry: { ...fleet.retry, afterMs: fleet.retry.afterMs ?? retryAfterMsDefault } }),
    goodWithinMs: fleet.goodWithinMs ?? input.timeoutMs,
    chains: chainsOf(scenario.chains),
    thinkTimes: thinkTimesOf(scenario.chains),
    phases,
    spoiledAboveMs,
    lateAboveMs,
  };
}

function startProbeOf(input: DriveInput, device: DeviceCredentials, originNs: bigint): Probe {
  const startMs = Number(process.hrtime.bigint() - originNs) / 1e6;
  return startProbe({
    run: input.probeRun,
    target: engineTargetOf(input.target.url),
    operationsModule: input.operationsModule,
    operationsData: input.operationsData,
    operation: input.probeOperation,
    device,
    eventsPerBatch: input.scenario.fleet.eventsPerBatch ?? 1,
    plan: { seed: input.seed, ratePerSecond: probeRatePerSecond, startMs },
    timeoutMs: input.timeoutMs,
    openMax: probeOpenMax,
    originNs: String(originNs),
  });
}

async function startStreamsOf(
  { scenario, scale, run, seed, target, devices, listening, wire }: DriveInput,
  originNs: bigint,
): Promise<DrivenStreams | undefined> {
  if (listening === undefined || scenario.streams === undefined) return undefined;
  return startStreams({
    wire,
    scenario,
    scale,
    run,
    seed,
    originNs,
    targets: target.urls.map(engineTargetOf),
    items: listening.items,
    devices: devices.map(({ token }) => `Bearer ${token}`),
    users: listening.users,
    accounts: listening.accounts,
  });
}

type Watching = {
  readonly target: Target;
  readonly run: EngineRun;
  readonly probe: Probe | undefined;
  readonly streams: DrivenStreams | undefined;
  readonly webhooks: DriveInput['webhooks'];
};

function processesOf({ target, run, probe, streams, webhooks }: Watching): readonly WatchedProcess[] {
  const ours = (name: string, pids: readonly number[] = []): readonly WatchedProcess[] =>
    pids.map((pid, i, { length }) => ({ name: length === 1 ? name : `${name}-${i + 1}`, role: 'generator', pid }));
  return [
    ...ours('generator', [process.pid]),
    ...ours('k6', run.pids),
    ...ours('listeners', streams?.fleet.pids),
    ...ours('receiver', webhooks && [webhooks.pid]),
    ...(probe === undefined ? [] : [{ name: 'probe', role: 'probe' as const, pid: probe.pid }]),
    ...target.processes(),
  ];
}
