/** Our engine in the overload: everything on, in this process, as a scenario has it. */
import { setTimeout as sleep } from 'node:timers/promises';
import { engineInput, phaseOf } from '#harness/bench/engine-load.ts';
import type { EngineInput, EngineRun } from '#harness/engine/engine.ts';
import { createNativeEngine } from '#harness/engine/native/native-engine.ts';
import { gapsOf } from '#harness/gates/identities.ts';
import { CellFold, timesOf } from '#harness/metrics/fold.ts';
import { quantileMicros } from '#harness/metrics/histogram.ts';
import { connectionOf } from '#harness/pacing/fleet-connections.ts';
import type { Cell, CellCounts, WorkerLag } from '#harness/run-result.ts';
import type { BucketReport } from './bucket-target.ts';
import { connectionsMax, type OverloadPlan, plannedOf, settleMs, startBucket, timeoutMs } from './plan.ts';

/** The compiler's, at the start. */
const warmSeconds = 2;
const devices = 10_000;
const connections = 256;
const watchEveryMs = 200;

export type OwnOverload = {
  readonly counts: Readonly<Record<'planned' | 'fired' | 'firedLate' | 'neverFired' | 'timedOut', number>>;
  readonly unaccounted: number;
  readonly seen: BucketReport;
  /** Of a planned arrival. */
  readonly cpuMicros: Readonly<Record<'before' | 'over' | 'whole', number>>;
  readonly cpuMicrosTotal: { readonly over: number };
  readonly stopMaxMs: number;
  readonly opened: number;
  readonly p99Ms: { readonly before: number; readonly after: number };
  readonly bytesInFlight: number;
};

type Options = {
  readonly plan: OverloadPlan;
  readonly seed: number;
  readonly say: (line: string) => void;
  readonly signal: AbortSignal;
};

function inputOf(plan: OverloadPlan, seed: number, port: number): EngineInput {
  const base = engineInput({ host: '127.0.0.1', port, seed, connections, ratePerSecond: 1, phases: {} });
  const phases = plan.map(({ name, seconds, ratePerSecond }) => phaseOf(name, seconds, ratePerSecond));
  const fleet = { devices, connection: { kind: 'per-device-group', connections, openMax: connectionsMax } } as const;
  return { ...base, timeoutMs, goodWithinMs: timeoutMs, phases, connection: connectionOf(fleet, phases) };
}

const cpuNow = (): number => {
  const { user, system } = process.cpuUsage();
  return user + system;
};

/** What this process and the target had come to at an instant. */
type Mark = { readonly cpuMicros: number; readonly connections: number; readonly residentMax: number };

class Watcher {
  #residentMax = 0;
  readonly #timer = setInterval(() => {
    this.#residentMax = Math.max(this.#residentMax, process.memoryUsage.rss());
  }, watchEveryMs);
  readonly #target: { readonly report: () => Promise<BucketReport> };

  constructor(target: { readonly report: () => Promise<BucketReport> }) {
    this.#target = target;
  }

  /** The most memory is that since the mark before. */
  async mark(): Promise<Mark> {
    const cpuMicros = cpuNow();
    const residentMax = this.#residentMax;
    this.#residentMax = process.memoryUsage.rss();
    return { cpuMicros, residentMax, connections: (await this.#target.report()).connections };
  }

  end(): void {
    clearInterval(this.#timer);
  }
}

/** One after the other, without a gap; marks after the compiler's start and at each phase's end. */
async function driveMarked(
  run: EngineRun,
  watcher: Watcher,
  plan: OverloadPlan,
): Promise<{ readonly startsMs: readonly number[]; readonly marks: readonly Mark[] }> {
  const sinceOriginMs = (): number => Number(process.hrtime.bigint() - run.originNs) / 1e6;
  let startMs = sinceOriginMs() + 200;
  const startsMs = plan.map(({ seconds }) => {
    const at = startMs;
    startMs += seconds * 1000;
    return at;
  });
  const [before, over, after] = startsMs as [number, number, number];
  const driven = Promise.all(startsMs.map((at, phase) => run.drive(phase, at)));
  const marks: Mark[] = [];
  for (const atMs of [before + warmSeconds * 1000, over, after]) {
    await Promise.race([sleep(Math.max(0, atMs - sinceOriginMs())), driven]);
    marks.push(await watcher.mark());
  }
  await driven;
  marks.push(await watcher.mark());
  return { startsMs, marks };
}

/** Milliseconds; what failed, or never came to an end, is worse than any time. */
function p99Of(cells: readonly Cell[]): number {
  const bad = cells.reduce((sum, { counts }) => sum + counts.planned - counts.good, 0);
  return (quantileMicros(timesOf(cells, 'response'), 0.99, bad) ?? Number.POSITIVE_INFINITY) / 1000;
}

export async function overloadOurs({ plan, seed, say, signal }: Options): Promise<OwnOverload> {
  const target = await startBucket();
  const watcher = new Watcher(target);
  const fold = new CellFold();
  const lags: WorkerLag[] = [];
  try {
    const run = await createNativeEngine().prepare(inputOf(plan, seed, target.port), {
      onDelta: (delta) => {
        fold.add(delta);
        if (delta.lag !== undefined) lags.push(delta.lag);
      },
    });
    const kill = (): void => void run.kill();
    signal.addEventListener('abort', kill, { once: true });
    try {
      const { startsMs, marks } = await driveMarked(run, watcher, plan);
      await run.finish();
      const result = outcomeOf({ plan, startsMs, marks, cells: fold.cells(), lags, seen: await target.report() });
      say(`round ${seed}: ${JSON.stringify(result)}`);
      return result;
    } finally {
      signal.removeEventListener('abort', kill);
      await run.kill();
    }
  } finally {
    watcher.end();
    await target.stop();
  }
}

type Seen = {
  readonly plan: OverloadPlan;
  readonly startsMs: readonly number[];
  readonly marks: readonly Mark[];
  readonly cells: readonly Cell[];
  readonly lags: readonly WorkerLag[];
  readonly seen: BucketReport;
};

function outcomeOf({ plan, startsMs, marks, cells, lags, seen }: Seen): OwnOverload {
  const sum = (name: keyof CellCounts): number => cells.reduce((total, { counts }) => total + counts[name], 0);
  const [warm, atOver, atAfter, atEnd] = marks as [Mark, Mark, Mark, Mark];
  const [before, over] = plan;
  const [beforeMs, overMs, afterMs] = startsMs as [number, number, number];
  const settledMs = afterMs + timeoutMs + settleMs;
  const planned = plannedOf(plan);
  const cpuOver = atAfter.cpuMicros - atOver.cpuMicros;
  const cellsFrom = (phase: number, fromMs: number): readonly Cell[] => cells.filter((cell) => cell.phase === phase && cell.second * 1000 >= fromMs);
  return {
    counts: {
      planned: sum('planned'),
      fired: sum('fired'),
      firedLate: sum('firedLate'),
      neverFired: sum('neverFired'),
      timedOut: sum('timedOut'),
    },
    unaccounted: Math.abs(planned - sum('planned')) + gapsOf(cells).length,
    seen,
    cpuMicros: {
      before: (atOver.cpuMicros - warm.cpuMicros) / ((before.seconds - warmSeconds) * before.ratePerSecond),
      over: cpuOver / (over.seconds * over.ratePerSecond),
      whole: (atEnd.cpuMicros - warm.cpuMicros) / (planned - warmSeconds * before.ratePerSecond),
    },
    cpuMicrosTotal: { over: cpuOver },
    stopMaxMs: Math.max(...lags.flatMap(({ second, loopDelayMaxMs }) => (second * 1000 >= overMs && second * 1000 < afterMs ? [loopDelayMaxMs] : []))),
    opened: atAfter.connections - atOver.connections,
    p99Ms: { before: p99Of(cellsFrom(0, beforeMs + warmSeconds * 1000)), after: p99Of(cellsFrom(2, settledMs)) },
    // At most so many were waited for at once: each has the timeout's time to be answered.
    bytesInFlight: Math.max(0, atAfter.residentMax - atOver.residentMax) / ((over.ratePerSecond * timeoutMs) / 1000),
  };
}
