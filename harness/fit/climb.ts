/** Drives one rate after another until the search is over: each with an engine of its own, so that no rung inherits another's queue. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { ArrivalPhase, Engine, EngineInput, EngineRun } from '#harness/engine/engine.ts';
import { InterruptedError } from '#harness/interrupted-error.ts';
import { foldCells } from '#harness/metrics/fold.ts';
import { sumOf } from '#harness/metrics/prometheus-text.ts';
import { scrape } from '#harness/metrics/watch.ts';
import { arrivalCount } from '#harness/pacing/rate.ts';
import type { Cell, SecondDelta } from '#harness/run-result.ts';
import { metricNames } from '#system/protocol/metric-names.ts';
import { brokenBy } from './rung.ts';
import { nextRung, type Rung } from './search.ts';
import type { ShedsByPlan } from './shedding.ts';

export type Climbing = {
  readonly engine: Engine;
  readonly inputOf: (phases: readonly ArrivalPhase[]) => EngineInput;
  /** Whose traffic is climbed. */
  readonly busiest: ArrivalPhase;
  readonly peakPerSecond: number;
  readonly shedsByPlan: ShedsByPlan;
  readonly metricsUrls: readonly string[];
  readonly signal: AbortSignal;
  readonly onKill: (kill: () => void) => void;
  readonly onTry: (ratePerSecond: number) => void;
  readonly onRung: (rung: Rung, number: number) => void;
};

/** New threads meet their load for the first time: what their compilers take is not judged. */
const leadSeconds = 1;
/** The first rungs only have to find the range; near the limit a queue needs longer to show. */
const rungSeconds = { rough: 2, fine: 3 } as const;
/** A phase is announced this long ahead. */
const announceMs = 200;
/** Threads hand over once a second. */
const handOverMs = 1200;
const finishMsMax = 1000;
const drainMs = { held: 3000, failed: 15_000 } as const;
const drainPollMs = 200;

export async function climb(climbing: Climbing): Promise<readonly Rung[]> {
  const rungs: Rung[] = [];
  for (;;) {
    const next = nextRung(rungs, climbing.peakPerSecond);
    if (next.kind !== 'try') return rungs;
    climbing.onTry(next.ratePerSecond);
    const why = await tryRung(climbing, next.ratePerSecond, rungs.some(({ held }) => !held) ? rungSeconds.fine : rungSeconds.rough);
    if (climbing.signal.aborted) throw new InterruptedError('stopped while the rate that fits was looked for: nothing was measured');
    const rung: Rung = { ratePerSecond: next.ratePerSecond, held: why === undefined, why: why ?? '' };
    rungs.push(rung);
    climbing.onRung(rung, rungs.length);
  }
}

/** What broke it; undefined: it held. */
async function tryRung(climbing: Climbing, ratePerSecond: number, seconds: number): Promise<string | undefined> {
  const { engine, inputOf, busiest, shedsByPlan, signal, onKill } = climbing;
  const rung: ArrivalPhase = { ...busiest, name: 'rung', measured: false, durationSeconds: seconds, rate: { kind: 'constant', ratePerSecond } };
  const lead: ArrivalPhase = {
    ...rung,
    name: 'lead',
    durationSeconds: leadSeconds,
    rate: { kind: 'ramp', fromPerSecond: ratePerSecond / 4, toPerSecond: ratePerSecond },
  };
  const deltas: SecondDelta[] = [];
  const run = await engine.prepare(inputOf([lead, rung]), { onDelta: (delta) => deltas.push(delta) });
  onKill(() => void run.kill());
  const fromSecond = await driveRung(run, seconds, signal);
  if (signal.aborted) return undefined;
  const cells: readonly Cell[] = foldCells(deltas).filter(({ phase }) => phase === 1);
  const broken = brokenBy({ cells, fromSecond, seconds, arrivals: arrivalCount(rung), shedsByPlan });
  const drained = await waitForDrain(climbing, broken === undefined ? drainMs.held : drainMs.failed);
  return broken ?? (drained ? undefined : `the pipeline behind the acknowledgement was not done ${drainMs.held / 1000} s later`);
}

/** Resolves with the whole second of the run in which the rung began, once the engine has said what it saw and has ended. */
async function driveRung(run: EngineRun, seconds: number, signal: AbortSignal): Promise<number> {
  const nowMs = (): number => Number(process.hrtime.bigint() - run.originNs) / 1e6;
  const fromSecond = Math.ceil((nowMs() + announceMs) / 1000) + leadSeconds;
  const aborted = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
  try {
    const done = Promise.all([run.drive(0, (fromSecond - leadSeconds) * 1000), run.drive(1, fromSecond * 1000)]);
    // An engine that breaks is heard of at once; one that is behind its plan is not waited for.
    await Promise.race([
      Promise.all([done, sleep((fromSecond + seconds) * 1000 - nowMs())]),
      sleep((fromSecond + seconds) * 1000 + announceMs - nowMs()),
      aborted,
    ]);
    run.cut(0);
    run.cut(1);
    await Promise.race([sleep(handOverMs), aborted]);
    await Promise.race([run.finish(), sleep(finishMsMax)]);
  } finally {
    await run.kill();
  }
  return fromSecond;
}

/** True once every node says that nothing is pending; a service that says nothing of it is taken to be done. */
async function waitForDrain({ metricsUrls, signal }: Climbing, limitMs: number): Promise<boolean> {
  const untilMs = performance.now() + limitMs;
  while (performance.now() < untilMs && !signal.aborted) {
    const scraped = await Promise.all(metricsUrls.map((url) => scrape(url, 0, limitMs)));
    const pending = scraped.map(({ ok, values }) => (ok ? (sumOf(values, metricNames.eventsPending) ?? 0) : Number.POSITIVE_INFINITY));
    if (pending.every((count) => count === 0)) return true;
    await sleep(drainPollMs);
  }
  return false;
}
