/**
 * What can this generator do here, and what does the instrument itself add? Drives a multiple of the plan's peak at the null target,
 * whose delays resemble the service's, so that about as many requests are in flight, and compares with what the target wrote down.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { ArrivalPhase, Engine, EngineInput, EngineRun } from '#harness/engine/engine.ts';
import { foldCells, timesOf } from '#harness/metrics/fold.ts';
import { quantileMicros, type SparseHistogram } from '#harness/metrics/histogram.ts';
import type { CalibrationRecord, Cell, SecondDelta } from '#harness/run-result.ts';
import { type DelayPeak, type NullTarget, type NullTargetReport, startNullTarget } from './start-null-target.ts';

export type CalibrateOptions = {
  /** Give the native one `connectionsMax` (1024, say): a machine that cannot keep up must not open 15,000 connections to learn it. */
  readonly engine: Engine;
  readonly when: CalibrationRecord['when'];
  /** Of the plan; what is driven is `factor` times that. */
  readonly peakPerSecond: number;
  readonly factor?: number;
  /** Measured, after a second of start. */
  readonly seconds: number;
  readonly workers: number;
  readonly connections: number;
  readonly seed: number;
  readonly eventsPerBatch?: number;
  /** By default 2 ms for each, about a durable ingest's. */
  readonly delays?: readonly DelayPeak[];
  readonly operationsModule?: string;
};

const rampSeconds = 1;
const delaysDefault: readonly DelayPeak[] = [{ delayMs: 2, weight: 1 }];
const timeoutMs = 2000;

function phasesOf(ratePerSecond: number, seconds: number): readonly ArrivalPhase[] {
  const common = { measured: false, spacing: 'poisson' as const, traffic: [{ chain: 'ingest', weight: 1 }] };
  return [
    { ...common, name: 'start', durationSeconds: rampSeconds, rate: { kind: 'ramp', fromPerSecond: ratePerSecond / 4, toPerSecond: ratePerSecond } },
    { ...common, name: 'peak', durationSeconds: seconds, rate: { kind: 'constant', ratePerSecond } },
  ];
}

function inputOf(options: CalibrateOptions, target: NullTarget, ratePerSecond: number): EngineInput {
  const token = 't'.repeat(200);
  return {
    run: 'calibration0',
    seed: options.seed,
    target: { host: target.host, port: target.port, pathPrefix: '' },
    operationsModule: options.operationsModule ?? '#harness/engine/native/calibration-operations.ts',
    workers: options.workers,
    connection: { kind: 'per-device-group', connections: options.connections },
    devices: Array.from({ length: 1000 }, (_, index) => ({ deviceId: `calibration-${index}`, token, secret: token, publishable: token })),
    eventsPerBatch: options.eventsPerBatch ?? 1,
    timeoutMs,
    goodWithinMs: timeoutMs,
    chains: { ingest: ['ingest'] },
    phases: phasesOf(ratePerSecond, options.seconds),
    spoiledAboveMs: 50,
    lateAboveMs: 100,
  };
}

/** A generator that is this far behind its plan at the end will not be in time: what it owes is given up, since it may take it a minute. */
const behindMsMax = 300;
/** A thread hands over once a second. */
const handOverMs = 1100;

type Driven = { readonly cpuMicros: number; readonly peakMs: number; readonly inTime: boolean };

/** Drives both phases without a gap, and waits for their ends, but not for a generator that cannot keep up. */
async function drive(run: EngineRun, target: NullTarget, seconds: number): Promise<Driven> {
  const nowMs = (): number => Number(process.hrtime.bigint() - run.originNs) / 1e6;
  const startMs = nowMs() + 100;
  const peakMs = startMs + rampSeconds * 1000;
  const done = Promise.all([run.drive(0, startMs), run.drive(1, peakMs)]);
  // An engine that breaks meanwhile is heard of at once, and not by nobody.
  await Promise.race([sleep(peakMs - nowMs()), done]);
  target.reset();
  const before = process.cpuUsage();
  const endMs = peakMs + seconds * 1000;
  const inTime = await Promise.race([Promise.all([done, sleep(endMs - nowMs())]).then(() => true), sleep(endMs + behindMsMax - nowMs()).then(() => false)]);
  const { user, system } = process.cpuUsage(before);
  return { cpuMicros: user + system, peakMs, inTime };
}

/** What is in flight may end; a generator that is behind only says what it has done so far. */
async function end(run: EngineRun, inTime: boolean): Promise<void> {
  if (inTime) return void (await run.finish());
  run.cut(0);
  run.cut(1);
  await sleep(handOverMs);
  await run.kill();
}

/** Quantile against quantile: what was measured beyond what the target did. */
function addedMs(measured: SparseHistogram, real: SparseHistogram, q: number): number | null {
  const ours = quantileMicros(measured, q);
  const theirs = quantileMicros(real, q);
  return ours === undefined || theirs === undefined ? null : (ours - theirs) / 1000;
}

type Figures = {
  readonly options: CalibrateOptions;
  readonly ratePerSecond: number;
  readonly cells: readonly Cell[];
  readonly seen: NullTargetReport;
  readonly cpuMicros: number;
};

function recordOf({ options, ratePerSecond, cells, seen, cpuMicros }: Figures): CalibrationRecord {
  const total = (count: 'fired' | 'firedLate'): number => cells.reduce((sum, cell) => sum + cell.counts[count], 0);
  const fired = total('fired');
  const dispatchMicros = quantileMicros(timesOf(cells, 'dispatch_delay'), 0.99);
  return {
    when: options.when,
    targetRatePerSecond: ratePerSecond,
    achievedRatePerSecond: Math.max(0, fired - total('firedLate')) / options.seconds,
    secondsDriven: options.seconds,
    addedP50Ms: addedMs(timesOf(cells, 'response'), seen.service, 0.5),
    addedP99Ms: addedMs(timesOf(cells, 'response'), seen.service, 0.99),
    dispatchDelayP99Ms: dispatchMicros === undefined ? null : dispatchMicros / 1000,
    cpuMicrosPerRequest: fired === 0 ? undefined : cpuMicros / fired,
  };
}

/** `firedPerSecond`: late ones too, so that of a generator that was asked for too much something is known. */
export type Calibrated = { readonly record: CalibrationRecord; readonly firedPerSecond: number };

export const calibrate = async (options: CalibrateOptions): Promise<CalibrationRecord> => (await calibrateWhole(options)).record;

/** The most that was fired in a whole second of the peak. */
function mostFired(cells: readonly Cell[], { fromMs, seconds }: { readonly fromMs: number; readonly seconds: number }): number {
  const from = Math.ceil(fromMs / 1000);
  const bySecond = Array.from({ length: seconds }, (_, index) =>
    cells.reduce((sum, { second, counts }) => sum + (second === from + index ? counts.fired : 0), 0),
  );
  return Math.max(0, ...bySecond);
}

export async function calibrateWhole(options: CalibrateOptions): Promise<Calibrated> {
  const ratePerSecond = options.peakPerSecond * (options.factor ?? 2);
  const target = await startNullTarget({ delays: options.delays ?? delaysDefault, accepted: options.eventsPerBatch ?? 1, seed: options.seed });
  const deltas: SecondDelta[] = [];
  try {
    const run = await options.engine.prepare(inputOf(options, target, ratePerSecond), { onDelta: (delta) => deltas.push(delta) });
    try {
      const { cpuMicros, peakMs, inTime } = await drive(run, target, options.seconds);
      const seen = await target.report();
      await end(run, inTime);
      const all = foldCells(deltas);
      const record = recordOf({ options, ratePerSecond, cells: all.filter(({ phase }) => phase === 1), seen, cpuMicros });
      return { record, firedPerSecond: mostFired(all, { fromMs: peakMs, seconds: options.seconds }) };
    } catch (error) {
      await run.kill();
      throw error;
    }
  } finally {
    await target.stop();
  }
}
