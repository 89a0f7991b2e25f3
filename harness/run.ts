/** A whole run on one screen: start, calibrate, provision, drive, drain, verify, judge, write. */

import { readdirSync, rmdirSync } from 'node:fs';
import { resolve } from 'node:path';
import type { RunOptions } from '#harness/command/run-options.ts';
import type { Engine } from '#harness/engine/engine.ts';
import { createK6Engine } from '#harness/engine/k6/k6-engine.ts';
import { createNativeEngine } from '#harness/engine/native/native-engine.ts';
import { mostOf } from '#harness/engine/streams/plan.ts';
import { calibrateAt } from '#harness/fit/can-fire.ts';
import { fitCheckOf, tryGenerator, wireOf } from '#harness/fit/fit-of-run.ts';
import { titleOf } from '#harness/gates/fit-words.ts';
import { judge } from '#harness/gates/judge.ts';
import { canStillHold } from '#harness/gates/observe.ts';
import { createLiveView, type LiveView } from '#harness/live/live.ts';
import { messageOf } from '#harness/message-of.ts';
import type { ArrivalPhase } from '#harness/pacing/plan.ts';
import { arrivalCount, peakPerSecond } from '#harness/pacing/rate.ts';
import { requirePart } from '#harness/parts/find.ts';
import { writeEvidence } from '#harness/run-folder/evidence-file.ts';
import { makeRunFolder, runFolderName, writeRun } from '#harness/run-folder/run-folder.ts';
import type { CalibrationRecord, LedgerRecord, RunResult, Verdict } from '#harness/run-result.ts';
import { type Scenario, timeoutMsOf } from '#harness/scenario.ts';
import { probeNameOf } from '#harness/target/event-ids.ts';
import { driveLoad } from './drive.ts';
import { type DrivenWebhooks, startWebhooks } from './drive-webhooks.ts';
import type { Driven } from './driving.ts';
import { InterruptedError } from './interrupted-error.ts';
import { type Interrupts, watchInterrupts } from './interrupts.ts';
import { phasesFor, randomName } from './run-phases.ts';
import { provision } from './run-provision.ts';
import { recordOf } from './run-record.ts';
import { runningScenario, scaleOf } from './scenario-clock.ts';
import { openTarget } from './topology/open-target.ts';
import type { Target } from './topology/target.ts';
import { reaching, reportUnmeasured, UnmeasuredError } from './unmeasured.ts';
import { contractLoad, namelessFleet, nothingVerified, urlLoad } from './url/url-load.ts';
import { UsageError } from './usage-error.ts';
import { verify } from './verify.ts';

const calibrationSecondsAfter = 1;

/** Rejects only where there is nothing to report: the command was wrong, the folder cannot be written, the user ended it before the load. */
export async function runScenario(options: RunOptions): Promise<Verdict> {
  if (options.engine === 'k6') checkK6();
  const startedAt = new Date();
  const { scenario } = options;
  const folder = makeRunFolder(resolve(options.out ?? 'reports'), runFolderName(startedAt, scenario.name));
  const view = createLiveView({
    stream: process.stderr,
    isTerminal: process.stderr.isTTY === true,
    columns: process.stderr.columns ?? 100,
    quiet: options.quiet,
  });
  const interrupts = watchInterrupts((line) => view.note(line));
  let target: Target | undefined;
  let webhooks: DrivenWebhooks | undefined;
  try {
    view.note(`${titleOf(scenario.name, options.fit)}: ${scenario.description}`);
    // One that is there already is asked at once whether it answers; our own is not started for a plan that the generator cannot fire.
    if (options.target !== undefined || options.request !== undefined) target = await reaching(() => openTarget(options, folder));
    const generator = await tryGenerator(options, { note: view.note, signal: interrupts.signal });
    if (generator.unfit !== undefined) return await endUnfit({ options, folder, startedAt, view, target, ...generator, unfit: generator.unfit });
    target ??= await reaching(() => openTarget(options, folder));
    interrupts.onKill(target.kill);
    const onWebhooks = (started: DrivenWebhooks): void => {
      webhooks = started;
    };
    const calibration = [...generator.calibration];
    const result = await measure({ options, folder, startedAt, target, view, interrupts, calibration, onWebhooks });
    // Nothing is asked of it any more, and draining what has piled up may take it long.
    if (result.interrupted.kind === 'unfit') target.kill();
    await webhooks?.stop();
    await target.stop();
    const verdict = judge(result, options.thresholds);
    await writeRun(folder, result, verdict);
    view.end(verdict, folder);
    return verdict;
  } catch (error) {
    if (error instanceof UnmeasuredError) return await reportUnmeasured(error, { options, folder, startedAt, view });
    // Of a command that was wrong there is nothing to keep.
    if (readdirSync(folder).length === 0) rmdirSync(folder);
    throw error;
  } finally {
    await webhooks?.stop();
    await target?.stop();
    view.close();
    interrupts.release();
  }
}

/** Before anything is started for a run that k6 could not drive. */
function checkK6(): void {
  try {
    requirePart('k6');
  } catch (error) {
    throw new UsageError(messageOf(error));
  }
}

type Unfit = Pick<Measuring, 'options' | 'folder' | 'startedAt' | 'view' | 'calibration'> & { readonly target: Target | undefined; readonly unfit: string };

/** Before anything was driven: the whole run is the sentence. */
async function endUnfit({ unfit, view, ...unfitted }: Unfit): Promise<Verdict> {
  const { options, folder } = unfitted;
  const phases = phasesFor(runningScenario(options.scenario), options.engine);
  const result = assemble({ ...unfitted, run: randomName(12), phases, driven: { ...nothingDriven, unfit }, ledger: undefined, interrupted: false });
  const verdict = judge(result, options.thresholds);
  await writeRun(folder, result, verdict);
  view.end(verdict, folder);
  return verdict;
}

type Measuring = {
  readonly options: RunOptions;
  readonly folder: string;
  readonly startedAt: Date;
  readonly target: Target;
  readonly view: LiveView;
  readonly interrupts: Interrupts;
  /** Of before the run; the one after it is added. */
  readonly calibration: readonly CalibrationRecord[];
  /** As soon as there is something to stop. */
  readonly onWebhooks: (webhooks: DrivenWebhooks) => void;
};

async function measure({ options, startedAt, target, view, interrupts, calibration, folder, onWebhooks }: Measuring): Promise<RunResult> {
  const { seed } = options;
  const scenario = runningScenario(options.scenario);
  const { signal } = interrupts;
  const run = randomName(12);
  const phases = phasesFor(scenario, options.engine);
  const { request } = options;
  const fleet =
    request === undefined ? await reaching(() => provision({ scenario, phases, target, run, view, signal })) : namelessFleet(scenario.fleet.devices);
  // After the fleet: nobody is told of devices that were there before the load.
  const webhooks = await reaching(() => startWebhooks({ scenario, target, view, signal, onKill: interrupts.onKill }));
  if (webhooks !== undefined) onWebhooks(webhooks);
  if (signal.aborted) throw new InterruptedError('stopped before anything was measured');
  const known = request === undefined ? `registered ${fleet.devices.length} devices; ` : '';
  view.note(`${known}driving ${phases.reduce((sum, phase) => sum + arrivalCount(phase), 0)} arrivals${listenersText(scenario)}`);
  const plannedByPhase = new Map(phases.map((phase) => [phase.name, arrivalCount(phase)]));
  const abortable = options.thresholds.filter((threshold) => threshold.abort);
  const timeoutMs = timeoutMsOf(scenario.fleet);
  const driven = await driveLoad({
    scenario,
    scale: scaleOf(options.scenario),
    seed,
    run,
    probeRun: probeNameOf(run),
    target,
    wire: options.wire,
    engine: engineOf(options),
    ...fleet,
    webhooks,
    phases,
    ...(request === undefined ? contractLoad : urlLoad(request)),
    timeoutMs,
    signal,
    onKill: interrupts.onKill,
    onSecond: (second) => view.update({ ...second, scenario: options.scenario, phases, thresholds: options.thresholds }),
    fitCheck: fitCheckOf(options, { phases, owned: target.owned }),
    abortedBy: ({ cells, streamCells, webhookCells }, records) => {
      if (abortable.length === 0) return undefined;
      const streams = scenario.streams === undefined ? {} : { streams: { cells: streamCells(), processes: [] } };
      const webhooksSoFar = webhooks === undefined ? {} : { webhooks: { cells: webhookCells(), processes: [], ledger: undefined } };
      const soFar = { ...nothingElse, run: { scenario: options.scenario }, cells: cells(), phases: records, ...streams, ...webhooksSoFar };
      return abortable.find((threshold) => !canStillHold(soFar, threshold, plannedByPhase))?.source.metric;
    },
  });
  const assembling = { options, folder, startedAt, target, run, phases, driven, calibration, interrupted: signal.aborted };
  if (driven.unfit !== undefined) return assemble({ ...assembling, ledger: undefined });
  if (request === undefined) view.note('reading everything back');
  const told = webhooks && { webhooks, view, signal };
  const verified = request === undefined ? await verify({ driven, target, run, scenario, seed, phases, listening: fleet.listening, told }) : nothingVerified;
  await writeEvidence(folder, 'events', verified.evidence);
  await writeEvidence(folder, 'changes', verified.changes);
  await writeEvidence(folder, 'webhooks', verified.webhookEvents);
  const streams = await driven.streams?.finish();
  const after = await calibrateAfter({ options, phases, view, signal });
  const result = assemble({
    ...assembling,
    ledger: verified.ledger,
    calibration: [...calibration, ...after],
    interrupted: signal.aborted,
  });
  return {
    ...result,
    ...(verified.items === undefined ? {} : { items: withTrouble(verified.items, driven.streams?.trouble()) }),
    ...(streams === undefined ? {} : { streams }),
    ...(webhooks === undefined
      ? {}
      : { webhooks: { ...(await webhooks.finish()), ledger: verified.webhooks && withTrouble(verified.webhooks, webhooks.hole()) } }),
    ...(scenario.faults === undefined ? {} : { faults: driven.faults }),
  };
}

/** A process that died after what it saw had been compared, or of which messages are missing, took counts along: what it saw is not whole. */
const withTrouble = <Ledger extends { readonly incomplete?: string }>(ledger: Ledger, trouble: string | undefined): Ledger =>
  trouble === undefined || ledger.incomplete !== undefined ? ledger : { ...ledger, incomplete: trouble };

function listenersText({ streams, phases }: Scenario): string {
  if (streams === undefined) return '';
  const most = Math.max(0, ...streams.readers.map(({ name }) => mostOf(phases, name)));
  return `, holding up to ${most.toLocaleString('en-US')} listeners of a kind`;
}

/** Of a run that was over before it began. */
const nothingDriven: Driven = {
  outcome: { states: new Uint8Array(), phaseFirstArrival: [], queuedUntilMs: [], wire: 'not opened' },
  phases: [],
  cells: [],
  evenness: [],
  workers: [],
  probe: undefined,
  streams: undefined,
  faults: [],
  watched: {
    processes: [],
    machine: [],
    scrapes: [],
    limits: { descriptorsMax: undefined, descriptorsUsedMax: undefined, portsMax: undefined, portsUsedMax: undefined },
  },
  pipelineDrainSeconds: undefined,
  abortedBy: undefined,
  unfit: undefined,
};

type Assembling = Pick<Measuring, 'options' | 'folder' | 'startedAt'> & {
  /** undefined: it was not started. */
  readonly target: Target | undefined;
  readonly run: string;
  readonly phases: readonly ArrivalPhase[];
  readonly driven: Driven;
  readonly ledger: LedgerRecord | undefined;
  readonly calibration: readonly CalibrationRecord[];
  readonly interrupted: boolean;
};

function assemble({ options, folder, startedAt, target, run, phases, driven, ledger, calibration, interrupted }: Assembling): RunResult {
  return {
    version: 1,
    run: recordOf({ options, folder, startedAt, target, run, phases, wire: driven.outcome.wire }),
    phases: driven.phases,
    cells: driven.cells,
    evenness: driven.evenness,
    workers: driven.workers,
    processes: driven.watched.processes,
    machine: driven.watched.machine,
    scrapes: driven.watched.scrapes,
    ledger,
    ...(driven.outcome.k6 === undefined ? {} : { k6: driven.outcome.k6 }),
    probe: driven.probe?.record,
    calibration,
    pipelineDrainSeconds: driven.pipelineDrainSeconds,
    limits: driven.watched.limits,
    interrupted: interruptedBy(driven, interrupted),
  };
}

function interruptedBy({ unfit, abortedBy }: Driven, byUser: boolean): RunResult['interrupted'] {
  if (byUser) return { kind: 'user' };
  if (unfit !== undefined) return { kind: 'unfit', text: unfit };
  return abortedBy === undefined ? { kind: 'no' } : { kind: 'abort', metric: abortedBy };
}

/** What no abort threshold can be judged by while the run goes on. */
const nothingElse = { processes: [], scrapes: [], ledger: undefined, pipelineDrainSeconds: undefined, interrupted: { kind: 'no' } } as const;

const engineOf = ({ engine, wire }: RunOptions): Engine => (engine === 'k6' ? createK6Engine(requirePart('k6')) : createNativeEngine({ wire }));

type After = Pick<Measuring, 'options' | 'view'> & { readonly phases: readonly ArrivalPhase[]; readonly signal: AbortSignal };

async function calibrateAfter({ options, phases, view, signal }: After): Promise<readonly CalibrationRecord[]> {
  const peak = Math.max(...phases.map(peakPerSecond));
  if (options.engine === 'k6' || peak === 0 || signal.aborted) return [];
  view.note('calibrating the generator (after the run)');
  const asked = { wire: wireOf(options), seed: options.seed, workers: options.scenario.generator?.workers ?? 1 };
  const { record } = await calibrateAt(asked, { ratePerSecond: 2 * peak, seconds: calibrationSecondsAfter, when: 'after' });
  return [record];
}
