/** The load itself: engine, probe and watch around the phases of a scenario. */
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ArrivalPhase, Engine, EngineOutcome, EngineRun } from '#harness/engine/engine.ts';
import { type Probe, type ProbeOutcome, startProbe } from '#harness/engine/probe/probe.ts';
import { CellFold, timesOf } from '#harness/metrics/fold.ts';
import { EvennessFold } from '#harness/metrics/fold-evenness.ts';
import { quantileMicros } from '#harness/metrics/histogram.ts';
import { sumOf } from '#harness/metrics/prometheus-text.ts';
import { isSettled, type WarmSecond } from '#harness/metrics/settle.ts';
import { Watch, type Watched } from '#harness/metrics/watch.ts';
import { arrivalCount } from '#harness/pacing/rate.ts';
import type { Cell, Evenness, PhaseRecord, WorkerLag } from '#harness/run-result.ts';
import type { Scenario } from '#harness/scenario.ts';
import type { DeviceCredentials } from '#harness/target/operation.ts';
import { metricNames } from '#system/protocol/metric-names.ts';
import { engineTargetOf, type Target } from './topology/target.ts';

export type DriveInput = {
  readonly scenario: Scenario;
  readonly seed: number;
  readonly run: string;
  readonly probeRun: string;
  readonly target: Target;
  readonly engine: Engine;
  readonly devices: readonly DeviceCredentials[];
  readonly probeDevice: DeviceCredentials;
  readonly phases: readonly ArrivalPhase[];
  readonly operationsModule: string;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  readonly onKill: (kill: () => void) => void;
  readonly onSecond: (second: DrivenSecond) => void;
  /** Asked once a second: the metric of an abort threshold that cannot hold any more. */
  readonly abortedBy: (cells: () => readonly Cell[], phases: readonly PhaseRecord[]) => string | undefined;
};

export type DrivenSecond = {
  readonly elapsedSeconds: number;
  readonly phase: number;
  readonly phaseElapsedSeconds: number;
  /** Of the last whole second. */
  readonly cells: readonly Cell[];
  readonly allCells: () => readonly Cell[];
  readonly generatorCores: number | undefined;
  readonly systemCores: number | undefined;
  readonly stealShare: number | undefined;
};

export type Driven = {
  readonly outcome: EngineOutcome;
  readonly phases: readonly PhaseRecord[];
  readonly cells: readonly Cell[];
  readonly evenness: readonly Evenness[];
  readonly workers: readonly WorkerLag[];
  readonly probe: ProbeOutcome;
  readonly watched: Watched;
  readonly pipelineDrainSeconds: number | undefined;
  readonly abortedBy: string | undefined;
};

const probeRatePerSecond = 20;
// A phase is announced this long before its first arrival, so that no worker hears of it late.
const leadMs = 200;
const spoiledAboveMs = 50;
const lateAboveMs = 100;
const drainPollMs = 200;
const drainLimitMs = 60_000;

export async function driveLoad(input: DriveInput): Promise<Driven> {
  const fold = new CellFold();
  const evenness = new EvennessFold();
  const workers: WorkerLag[] = [];
  const { scenario, target, phases } = input;
  const engineTarget = engineTargetOf(target.url);
  const run = await input.engine.prepare(
    {
      run: input.run,
      seed: input.seed,
      target: engineTarget,
      operationsModule: input.operationsModule,
      workers: scenario.generator?.workers ?? 1,
      connection: scenario.fleet.connection,
      devices: input.devices,
      eventsPerBatch: scenario.fleet.eventsPerBatch ?? 1,
      timeoutMs: input.timeoutMs,
      goodWithinMs: scenario.fleet.goodWithinMs ?? input.timeoutMs,
      chains: { ingest: ['ingest'], ...scenario.chains },
      phases,
      spoiledAboveMs,
      lateAboveMs,
    },
    {
      onDelta: (delta) => {
        fold.add(delta);
        evenness.add(delta.evenness);
        workers.push(delta.lag);
      },
    },
  );
  input.onKill(() => void run.kill());
  const sinceOriginMs = () => Number(process.hrtime.bigint() - run.originNs) / 1e6;
  const probe = startProbe({
    run: input.probeRun,
    target: engineTarget,
    operationsModule: '#harness/target/operations.ts',
    operation: 'ingest',
    device: input.probeDevice,
    eventsPerBatch: scenario.fleet.eventsPerBatch ?? 1,
    ratePerSecond: probeRatePerSecond,
    timeoutMs: input.timeoutMs,
    arrivalsMax: 10_000_000,
    originNs: String(run.originNs),
  });
  input.onKill(probe.kill);
  const watch = new Watch({
    sinceOriginMs,
    processes: () => [{ name: 'generator', role: 'generator', pid: process.pid }, { name: 'probe', role: 'probe', pid: probe.pid }, ...target.processes()],
    metricsUrl: `${target.url}/metrics`,
    targetPort: engineTarget.port,
    scrapeTimeoutMs: 2000,
  });
  try {
    return await drivePhases({ input, run, fold, evenness, workers, probe, watch, sinceOriginMs });
  } catch (error) {
    await Promise.allSettled([run.kill(), watch.stop()]);
    probe.kill();
    throw error;
  }
}

type Driving = {
  readonly input: DriveInput;
  readonly run: EngineRun;
  readonly fold: CellFold;
  readonly evenness: EvennessFold;
  readonly workers: WorkerLag[];
  readonly probe: Probe;
  readonly watch: Watch;
  readonly sinceOriginMs: () => number;
};

async function drivePhases(driving: Driving): Promise<Driven> {
  const { input, run, fold, evenness, workers, probe, watch, sinceOriginMs } = driving;
  const records: PhaseRecord[] = [];
  const fired: Promise<void>[] = [];
  let abortedBy: string | undefined;
  let startMs = sinceOriginMs() + leadMs;
  for (const [index, phase] of input.phases.entries()) {
    if (input.signal.aborted || abortedBy !== undefined) break;
    const driven = run.drive(index, startMs);
    fired.push(driven);
    const ended = await watchPhase({ ...driving, index, startMs, records, driven });
    abortedBy = ended.abortedBy;
    records.push({
      name: phase.name,
      measured: phase.measured,
      startSeconds: startMs / 1000,
      endSeconds: ended.endMs / 1000,
      planned: arrivalCount(phase),
      ...(input.scenario.phases[index]?.untilSettled === true ? { settled: ended.settled } : {}),
    });
    // The next phase begins where this one ended, or as soon as it can be announced.
    startMs = Math.max(ended.endMs, sinceOriginMs() + leadMs);
  }
  await Promise.all(fired);
  const loadEndedMs = Math.min(sinceOriginMs(), (records.at(-1)?.endSeconds ?? 0) * 1000);
  const outcome = await run.finish();
  const probed = await probe.finish(records);
  const pipelineDrainSeconds = await waitForPipeline(driving, loadEndedMs);
  const watched = await watch.stop();
  return {
    outcome,
    phases: records,
    cells: fold.cells(),
    evenness: evenness.finish(input.phases.map(({ name }) => name)),
    workers,
    probe: probed,
    watched,
    pipelineDrainSeconds,
    abortedBy,
  };
}

type Phasing = Driving & { readonly index: number; readonly startMs: number; readonly records: readonly PhaseRecord[]; readonly driven: Promise<void> };
type PhaseEnd = { readonly endMs: number; readonly settled: boolean; readonly abortedBy: string | undefined };

/** Looks on once a second until the phase has ended, settled, or was stopped. */
async function watchPhase({ input, run, fold, watch, sinceOriginMs, index, startMs, records, driven }: Phasing): Promise<PhaseEnd> {
  const phase = input.phases[index] as ArrivalPhase;
  const untilSettled = input.scenario.phases[index]?.untilSettled === true;
  const plannedEndMs = startMs + phase.durationSeconds * 1000;
  const warm: WarmSecond[] = [];
  const cutNow = async (abortedBy?: string): Promise<PhaseEnd> => {
    run.cut();
    await driven;
    return { endMs: Math.max(sinceOriginMs(), startMs), settled: abortedBy === undefined && !input.signal.aborted, abortedBy };
  };
  const aborted = new Promise<void>((resolve) => input.signal.addEventListener('abort', () => resolve(), { once: true }));
  for (;;) {
    const leftMs = plannedEndMs - sinceOriginMs();
    if (leftMs <= leadMs + 50) break;
    await Promise.race([sleep(Math.min(leftMs - leadMs, 1000 - (sinceOriginMs() % 1000) + 150)), aborted]);
    if (input.signal.aborted) return cutNow();
    // Workers hand over a second once it is past, and answers of it are still coming: the one before is whole.
    const second = Math.floor(sinceOriginMs() / 1000) - 2;
    const cells = fold.cellsOfSecond(second);
    const generatorCores = watch.coresOf('generator');
    input.onSecond({
      elapsedSeconds: sinceOriginMs() / 1000,
      phase: index,
      phaseElapsedSeconds: (sinceOriginMs() - startMs) / 1000,
      cells,
      allCells: () => fold.cells(),
      generatorCores,
      systemCores: watch.coresOf('system'),
      stealShare: watch.lastMachine()?.stealShare,
    });
    if (untilSettled) {
      warm.push(warmSecond(cells, watch.coresOf('system')));
      if (isSettled(warm)) return cutNow();
    }
    const soFar = [
      ...records,
      { name: phase.name, measured: phase.measured, startSeconds: startMs / 1000, endSeconds: sinceOriginMs() / 1000, planned: arrivalCount(phase) },
    ];
    const metric = input.abortedBy(() => fold.cells(), soFar);
    if (metric !== undefined) return cutNow(metric);
  }
  // Not awaited to its last arrival: the next phase is announced before this one ends, so that they join without a gap.
  void driven.catch(() => undefined);
  return { endMs: plannedEndMs, settled: false, abortedBy: undefined };
}

function warmSecond(cells: readonly Cell[], systemCores: number | undefined): WarmSecond {
  const histogram = timesOf(cells, 'response');
  const failed = cells.reduce((sum, { counts }) => sum + counts.failed, 0);
  const fired = cells.reduce((sum, { counts }) => sum + counts.fired, 0);
  const millis = (q: number) => {
    const micros = quantileMicros(histogram, q, failed);
    return micros === undefined ? undefined : micros / 1000;
  };
  return {
    p50Ms: millis(0.5),
    p99Ms: millis(0.99),
    cpuMicrosPerRequest: systemCores === undefined || fired === 0 ? undefined : (systemCores * 1e6) / fired,
    planned: cells.reduce((sum, { counts }) => sum + counts.planned, 0),
  };
}

/** Seconds from the load's end until the service says that nothing is pending; undefined: it never said so within the limit. */
async function waitForPipeline({ watch, sinceOriginMs, input }: Driving, loadEndedMs: number): Promise<number | undefined> {
  const deadline = performance.now() + drainLimitMs;
  while (performance.now() < deadline) {
    const { ok, values } = await watch.scrapeNow();
    const pending = ok ? sumOf(values, metricNames.eventsPending) : undefined;
    if (pending === 0) return Math.max(0, (sinceOriginMs() - loadEndedMs) / 1000);
    if (input.signal.aborted && !ok) return undefined;
    await sleep(drainPollMs);
  }
  return undefined;
}
