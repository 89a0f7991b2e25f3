/** One phase after another: announced ahead, watched once a second, ended in time, settled or stopped. */
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ArrivalPhase } from '#harness/engine/engine.ts';
import { withBacklogs } from '#harness/metrics/backlog.ts';
import { timesOf } from '#harness/metrics/fold.ts';
import { quantileMicros } from '#harness/metrics/histogram.ts';
import { sumOf } from '#harness/metrics/prometheus-text.ts';
import { isSettled, type WarmSecond } from '#harness/metrics/settle.ts';
import type { Watch } from '#harness/metrics/watch.ts';
import { arrivalCount } from '#harness/pacing/rate.ts';
import type { Cell, PhaseRecord } from '#harness/run-result.ts';
import { metricNames } from '#system/protocol/metric-names.ts';
import type { DrivenStreams } from './drive-streams.ts';
import type { Driven, Driving } from './driving.ts';

// A phase is announced this long before its first arrival, so that no worker hears of it late.
const leadMs = 200;
const drainPollMs = 200;
const drainLimitMs = 60_000;

export async function drivePhases(driving: Driving): Promise<Driven> {
  const { input, run, fold, evenness, workers, probe, streams, faults, watch, sinceOriginMs } = driving;
  const records: PhaseRecord[] = [];
  const fired: Promise<void>[] = [];
  let abortedBy: string | undefined;
  let unfit: string | undefined;
  let startMs = sinceOriginMs() + leadMs;
  for (const [index, phase] of input.phases.entries()) {
    if (input.signal.aborted || abortedBy !== undefined || unfit !== undefined) break;
    streams?.phase(index, startMs);
    input.webhooks?.phase(index, startMs);
    faults.phase(phase.name, startMs);
    const driven = run.drive(index, startMs);
    fired.push(driven);
    const ended = await watchPhase({ ...driving, index, startMs, records, driven });
    abortedBy = ended.abortedBy;
    unfit = ended.unfit;
    records.push({
      ...recordOf(phase, { startMs, endMs: ended.endMs }),
      ...(input.scenario.phases[index]?.untilSettled === true ? { settled: ended.settled } : {}),
    });
    // The next phase begins where this one ended, or as soon as it can be announced.
    startMs = Math.max(ended.endMs, sinceOriginMs() + leadMs);
  }
  if (unfit !== undefined) return abandon(driving, { records, unfit });
  await Promise.all(fired);
  const loadEndedMs = Math.min(sinceOriginMs(), (records.at(-1)?.endSeconds ?? 0) * 1000);
  const outcome = await run.finish();
  const probed = await probe?.finish(records);
  const performed = await faults.finish();
  const pipelineDrainSeconds = await waitForPipeline(driving, loadEndedMs);
  const watched = await watch.stop();
  return {
    outcome,
    phases: withBacklogs(records, outcome.queuedUntilMs),
    cells: fold.cells(),
    evenness: evenness.finish(input.phases.map(({ name }) => name)),
    workers,
    probe: probed,
    streams,
    faults: performed,
    watched,
    pipelineDrainSeconds,
    abortedBy,
    unfit: undefined,
  };
}

/** Answers of what was fired that may still be counted; a machine that has collapsed would take the whole timeout for them. */
const abandonMsMax = 2000;

/** A run of which nothing will be judged: nobody is waited for, and nothing is read back. */
async function abandon(
  { run, fold, evenness, workers, probe, streams, faults, watch, input }: Driving,
  { records, unfit }: { readonly records: readonly PhaseRecord[]; readonly unfit: string },
): Promise<Driven> {
  const nothing = { states: new Uint8Array(), phaseFirstArrival: [], queuedUntilMs: [], wire: 'not known' };
  const outcome = await Promise.race([run.finish(), sleep(abandonMsMax).then(() => nothing)]);
  await run.kill();
  probe?.kill();
  streams?.fleet.kill();
  return {
    outcome,
    phases: records,
    cells: fold.cells(),
    evenness: evenness.finish(input.phases.map(({ name }) => name)),
    workers,
    probe: undefined,
    streams: undefined,
    faults: await faults.finish(),
    watched: await watch.stop(),
    pipelineDrainSeconds: undefined,
    abortedBy: undefined,
    unfit,
  };
}

const recordOf = (phase: ArrivalPhase, { startMs, endMs }: { readonly startMs: number; readonly endMs: number }): PhaseRecord => ({
  name: phase.name,
  measured: phase.measured,
  startSeconds: startMs / 1000,
  endSeconds: endMs / 1000,
  planned: arrivalCount(phase),
});

function recordsToCome(phases: readonly ArrivalPhase[], fromMs: number): readonly PhaseRecord[] {
  let startMs = fromMs;
  return phases.map((phase) => {
    const endMs = startMs + phase.durationSeconds * 1000;
    const record = recordOf(phase, { startMs, endMs });
    startMs = endMs;
    return record;
  });
}

type Phasing = Driving & { readonly index: number; readonly startMs: number; readonly records: readonly PhaseRecord[]; readonly driven: Promise<void> };
type PhaseEnd = { readonly endMs: number; readonly settled: boolean; readonly abortedBy: string | undefined; readonly unfit: string | undefined };

/** Looks on once a second until the phase has ended, settled, or was stopped. */
async function watchPhase({ input, run, fold, streams, watch, sinceOriginMs, index, startMs, records, driven }: Phasing): Promise<PhaseEnd> {
  const phase = input.phases[index] as ArrivalPhase;
  const untilSettled = input.scenario.phases[index]?.untilSettled === true;
  const plannedEndMs = startMs + phase.durationSeconds * 1000;
  const warm: WarmSecond[] = [];
  let settled = false;
  const cutNow = async (abortedBy?: string): Promise<PhaseEnd> => {
    run.cut(index);
    await driven;
    return { endMs: Math.max(sinceOriginMs(), startMs), settled: abortedBy === undefined && !input.signal.aborted, abortedBy, unfit: undefined };
  };
  /** Not awaited: an engine that stands still would hear of the cut too late. */
  const cutAsUnfit = (unfit: string): PhaseEnd => {
    run.cut(index);
    return { endMs: Math.max(sinceOriginMs(), startMs), settled: false, abortedBy: undefined, unfit };
  };
  const fits = (over: boolean): string | undefined =>
    input.fitCheck?.({
      phase: index,
      startMs,
      nowMs: sinceOriginMs(),
      cells: () => fold.cells(),
      oursCores: oursCoresOf(watch),
      machine: watch.lastMachine(),
      over,
    });
  const aborted = new Promise<void>((resolve) => input.signal.addEventListener('abort', () => resolve(), { once: true }));
  let broken: { readonly error: unknown } | undefined;
  // Heard at once, since nobody awaits a drive while its phase is watched: an unheard rejection would end the process without a word of ours.
  const breaking = new Promise<void>((resolve) => {
    driven.catch((error: unknown) => {
      broken = { error };
      resolve();
    });
  });
  for (;;) {
    const leftMs = plannedEndMs - sinceOriginMs();
    if (leftMs <= leadMs + 50) break;
    await Promise.race([sleep(Math.min(leftMs - leadMs, 1000 - (sinceOriginMs() % 1000) + 150)), aborted, breaking]);
    if (input.signal.aborted) return cutNow();
    const trouble = streams?.trouble() ?? input.webhooks?.trouble();
    if (trouble !== undefined) throw new Error(trouble);
    if (broken !== undefined) throw broken.error;
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
      ...(streams === undefined ? {} : { streams: { cells: streams.cellsOfSecond(second), allCells: streams.cells } }),
      ...(input.webhooks === undefined ? {} : { webhooks: { cells: input.webhooks.cellsOfSecond(second), allCells: input.webhooks.cells } }),
      generatorCores,
      systemCores: watch.coresOf('system'),
      stealShare: watch.lastMachine()?.stealShare,
    });
    const warmNow = untilSettled && !settled && isWarm({ phase, warm, cells, watch, streams });
    const tooMuch = fits(warmNow);
    if (tooMuch !== undefined) return cutAsUnfit(tooMuch);
    if (warmNow) {
      if (run.endsPhasesEarly ?? true) return cutNow();
      settled = true;
    }
    const soFar = [...records, recordOf(phase, { startMs, endMs: sinceOriginMs() }), ...recordsToCome(input.phases.slice(index + 1), plannedEndMs)];
    const told = { cells: () => fold.cells(), streamCells: () => streams?.cells() ?? [], webhookCells: () => input.webhooks?.cells() ?? [] };
    const metric = input.abortedBy(told, soFar);
    if (metric !== undefined) return cutNow(metric);
  }
  // Not awaited to its last arrival: the next phase is announced before this one ends, so that they join without a gap.
  const later = fits(true);
  if (later !== undefined) return cutAsUnfit(later);
  return { endMs: plannedEndMs, settled, abortedBy: undefined, unfit: undefined };
}

/** Of generator and service; a service that runs elsewhere has no processes here. */
function oursCoresOf(watch: Pick<Watch, 'coresOf'>): number | undefined {
  const generator = watch.coresOf('generator');
  return generator === undefined ? undefined : generator + (watch.coresOf('system') ?? 0) + (watch.coresOf('balancer') ?? 0);
}

type Warming = {
  readonly phase: ArrivalPhase;
  readonly warm: WarmSecond[];
  readonly cells: readonly Cell[];
  readonly watch: Pick<Watch, 'coresOf'>;
  readonly streams: DrivenStreams | undefined;
};

/** Everybody who should listen does, and requests, where there are any, have settled. */
function isWarm({ phase, warm, cells, watch, streams }: Warming): boolean {
  const { wanted, live } = streams?.now() ?? { wanted: 0, live: 0 };
  if (live < wanted || (streams !== undefined && wanted === 0)) return false;
  if (arrivalCount(phase) === 0) return true;
  warm.push(warmSecond(cells, watch.coresOf('system')));
  return isSettled(warm);
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
    const scraped = await watch.scrapeNow();
    if (scraped === undefined) return undefined;
    const { ok, values } = scraped;
    const pending = ok ? sumOf(values, metricNames.eventsPending) : undefined;
    if (pending === 0) return Math.max(0, (sinceOriginMs() - loadEndedMs) / 1000);
    if (input.signal.aborted && !ok) return undefined;
    await sleep(drainPollMs);
  }
  return undefined;
}
