/** A whole run on one screen: start, calibrate, provision, drive, drain, verify, judge, write. */
import { execFileSync } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { mkdirSync, readdirSync, rmdirSync } from 'node:fs';
import { release, totalmem } from 'node:os';
import { join, resolve } from 'node:path';
import type { RunOptions } from '#harness/command/run-options.ts';
import { calibrate } from '#harness/engine/native/calibrate.ts';
import { createNativeEngine } from '#harness/engine/native/native-engine.ts';
import { judge } from '#harness/gates/judge.ts';
import { canStillHold } from '#harness/gates/observe.ts';
import { Audit } from '#harness/ledger/audit.ts';
import { conservationError } from '#harness/ledger/conservation.ts';
import { readBack } from '#harness/ledger/read-back.ts';
import { createLiveView, type LiveView } from '#harness/live/live.ts';
import { describeMachine } from '#harness/metrics/proc.ts';
import type { ArrivalPhase } from '#harness/pacing/plan.ts';
import { planHash } from '#harness/pacing/plan-hash.ts';
import { arrivalCount, peakPerSecond } from '#harness/pacing/rate.ts';
import { runFolderName, writeRun } from '#harness/run-folder/run-folder.ts';
import type { CalibrationRecord, LedgerRecord, RunResult, Verdict } from '#harness/run-result.ts';
import type { Scenario } from '#harness/scenario.ts';
import { eventIdOf, parseEventId, probeNameOf } from '#harness/target/event-ids.ts';
import { type Driven, driveLoad } from './drive.ts';
import { type Interrupts, watchInterrupts } from './interrupts.ts';
import { provisionFleet, secretAuthorization } from './topology/provision.ts';
import { attachTarget, startTarget, type Target } from './topology/target.ts';

const timeoutMsDefault = 10_000;
const exportBudgetMs = 120_000;
const calibrationSecondsBefore = 3;
const calibrationSecondsAfter = 1;

/** Rejects only where there is nothing to report: the service did not start, the target does not answer, the folder cannot be written. */
export async function runScenario(options: RunOptions): Promise<Verdict> {
  const startedAt = new Date();
  const { scenario } = options;
  const folder = resolve(options.out ?? 'reports', runFolderName(startedAt, scenario.name));
  mkdirSync(folder, { recursive: true });
  const view = createLiveView({
    stream: process.stderr,
    isTerminal: process.stderr.isTTY === true,
    columns: process.stderr.columns ?? 100,
    quiet: options.quiet,
  });
  const interrupts = watchInterrupts((line) => view.note(line));
  let target: Target | undefined;
  try {
    view.note(`${scenario.name}: ${scenario.description}`);
    target = await openTarget(options, folder);
    interrupts.onKill(target.kill);
    const result = await measure({ options, folder, startedAt, target, view, interrupts });
    await target.stop();
    const verdict = judge(result, options.thresholds);
    await writeRun(folder, result, verdict);
    view.end(verdict, folder);
    return verdict;
  } catch (error) {
    // Of a target that never answered there is nothing to keep.
    if (readdirSync(folder).length === 0) rmdirSync(folder);
    throw error;
  } finally {
    await target?.stop();
    view.close();
    interrupts.release();
  }
}

function openTarget({ scenario, target }: RunOptions, folder: string): Promise<Target> {
  if (target !== undefined) return attachTarget(target);
  const workers = scenario.system?.workers ?? 1;
  return startTarget({ workers, accounts: scenario.fleet.accounts, folder: join(folder, 'data'), logFile: join(folder, 'service.log') });
}

type Measuring = {
  readonly options: RunOptions;
  readonly folder: string;
  readonly startedAt: Date;
  readonly target: Target;
  readonly view: LiveView;
  readonly interrupts: Interrupts;
};

async function measure({ options, startedAt, target, view, interrupts, folder }: Measuring): Promise<RunResult> {
  const { scenario, seed } = options;
  const { signal } = interrupts;
  const run = randomName(12);
  const phases = phasesOf(scenario);
  const withTokens = Object.values({ ingest: ['ingest'], ...scenario.chains }).some((chain) => chain[0] !== 'authenticate');
  const calibration: CalibrationRecord[] = [];
  await calibrateOnce({ scenario, seed, phases, when: 'before', view, signal, calibration });
  const devices = await provisionFleet({
    url: target.url,
    accounts: target.accounts,
    run,
    devices: scenario.fleet.devices,
    withTokens,
    onProgress: (done) => view.progress(`registering devices: ${done} of ${scenario.fleet.devices}`),
    signal,
  });
  const probeRun = probeNameOf(run);
  const [probeDevice] = await provisionFleet({
    url: target.url,
    accounts: [target.probeAccount],
    run: probeRun,
    devices: 1,
    withTokens: true,
    onProgress: () => undefined,
    signal: new AbortController().signal,
  });
  if (probeDevice === undefined || signal.aborted) throw new Error('stopped before anything was measured');
  view.note(`registered ${devices.length} devices; driving ${phases.reduce((sum, phase) => sum + arrivalCount(phase), 0)} arrivals`);
  const plannedByPhase = new Map(phases.map((phase) => [phase.name, arrivalCount(phase)]));
  const abortable = options.thresholds.filter((threshold) => threshold.abort);
  const timeoutMs = scenario.fleet.timeoutMs ?? timeoutMsDefault;
  const driven = await driveLoad({
    scenario,
    seed,
    run,
    probeRun,
    target,
    engine: createNativeEngine(),
    devices,
    probeDevice,
    phases,
    operationsModule: '#harness/target/operations.ts',
    timeoutMs,
    signal,
    onKill: interrupts.onKill,
    onSecond: (second) => view.update({ ...second, scenario, phases, thresholds: options.thresholds }),
    abortedBy: (cellsNow, records) => {
      if (abortable.length === 0) return undefined;
      const soFar = { ...nothingElse, run: { scenario }, cells: cellsNow(), phases: records };
      return abortable.find((threshold) => !canStillHold(soFar, threshold, plannedByPhase))?.source.metric;
    },
  });
  view.note('reading everything back');
  const ledger = await verify({ driven, target, run, probeRun, scenario });
  await calibrateOnce({ scenario, seed, phases, when: 'after', view, signal, calibration });
  return assemble({ options, folder, startedAt, target, run, phases, driven, ledger, calibration, interrupted: signal.aborted });
}

type Assembling = Pick<Measuring, 'options' | 'folder' | 'startedAt' | 'target'> & {
  readonly run: string;
  readonly phases: readonly ArrivalPhase[];
  readonly driven: Driven;
  readonly ledger: LedgerRecord;
  readonly calibration: readonly CalibrationRecord[];
  readonly interrupted: boolean;
};

function assemble({ options, folder, startedAt, target, run, phases, driven, ledger, calibration, interrupted }: Assembling): RunResult {
  const { scenario, seed } = options;
  const machine = describeMachine(totalmem(), release());
  return {
    version: 1,
    run: {
      id: folder.split('/').at(-1) as string,
      run,
      startedAt: startedAt.toISOString(),
      scenario,
      seed,
      planHash: planHash({ seed, devices: scenario.fleet.devices, phases, chains: { ingest: ['ingest'], ...scenario.chains } }),
      gitRevision: gitRevision(),
      runtime: `node ${process.versions.node}`,
      machine,
      target: { url: target.url, owned: target.owned, durability: target.durability, workers: target.workers },
      engine: 'native',
      wire: driven.outcome.wire,
    },
    phases: driven.phases,
    cells: driven.cells,
    evenness: driven.evenness,
    workers: driven.workers,
    processes: driven.watched.processes,
    machine: driven.watched.machine,
    scrapes: driven.watched.scrapes,
    ledger,
    probe: driven.probe.record,
    calibration,
    pipelineDrainSeconds: driven.pipelineDrainSeconds,
    limits: driven.watched.limits,
    interrupted: interrupted ? { kind: 'user' } : driven.abortedBy === undefined ? { kind: 'no' } : { kind: 'abort', metric: driven.abortedBy },
  };
}

/** What an abort threshold is judged by while the run goes on: requests only. */
const nothingElse = { processes: [], scrapes: [], ledger: undefined, pipelineDrainSeconds: undefined, interrupted: { kind: 'no' } } as const;

const phasesOf = (scenario: Scenario): readonly ArrivalPhase[] =>
  scenario.phases.map(({ name, measured, durationSeconds, rate, spacing, traffic }) => ({
    name,
    measured,
    durationSeconds,
    rate,
    spacing: spacing ?? 'poisson',
    traffic: traffic ?? [{ chain: 'ingest', weight: 1 }],
  }));

type Calibrating = {
  readonly scenario: Scenario;
  readonly seed: number;
  readonly phases: readonly ArrivalPhase[];
  readonly when: CalibrationRecord['when'];
  readonly view: LiveView;
  readonly signal: AbortSignal;
  readonly calibration: CalibrationRecord[];
};

/** Without more connections than the null target needs at the plan's peak: it has to measure the instrument, not a pool. */
async function calibrateOnce({ scenario, seed, phases, when, view, signal, calibration }: Calibrating): Promise<void> {
  if (signal.aborted) return;
  view.note(`calibrating the generator (${when} the run)`);
  const record = await calibrate({
    engine: createNativeEngine({ connectionsMax: 1024 }),
    when,
    peakPerSecond: Math.max(...phases.map(peakPerSecond)),
    seconds: when === 'before' ? calibrationSecondsBefore : calibrationSecondsAfter,
    workers: scenario.generator?.workers ?? 1,
    connections: 64,
    seed,
  });
  calibration.push(record);
}

type Verifying = { readonly driven: Driven; readonly target: Target; readonly run: string; readonly probeRun: string; readonly scenario: Scenario };

async function verify({ driven, target, run, probeRun, scenario }: Verifying): Promise<LedgerRecord> {
  const eventsPerBatch = scenario.fleet.eventsPerBatch ?? 1;
  const auditOf = (name: string, states: Uint8Array, devices: number) =>
    new Audit({
      states,
      devices,
      eventsPerBatch,
      parseEventId: (id) => parseEventId(name, id),
      eventIdOf: (arrival, index) => eventIdOf(name, arrival, index),
    });
  const accounts = [...new Set([...target.accounts, target.probeAccount])].map((account) => ({ authorization: secretAuthorization(account) }));
  const read = await readBack({
    url: target.url,
    accounts,
    audit: auditOf(run, driven.outcome.states, scenario.fleet.devices),
    probe: { audit: auditOf(probeRun, driven.probe.states, 1), isProbes: (id) => parseEventId(probeRun, id) !== undefined },
    budgetMs: exportBudgetMs,
  });
  return { ...read, conservationError: conservationError(driven.watched.scrapes.findLast(({ ok }) => ok)?.values) };
}

const nameAlphabet = '0123456789abcdefghijklmnopqrstuvwxyz';
const randomName = (length: number): string => Array.from({ length }, () => nameAlphabet[randomInt(nameAlphabet.length)]).join('');

function gitRevision(): string {
  try {
    return execFileSync('git', ['describe', '--always', '--dirty', '--exclude=*'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  } catch {
    return 'unknown';
  }
}
