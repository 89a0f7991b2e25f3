/**
 * A phase's rate curve as an executor of k6 that begins exactly as many iterations as the plan has arrivals: each is run, or said to be dropped,
 * and none comes after them in whose place a dropped one could hide. Pure.
 */
import type { ArrivalPhase } from '#harness/pacing/plan.ts';
import { arrivalCount, arrivalsExpected, ratePieces } from '#harness/pacing/rate.ts';

type Stage = { readonly target: number; readonly duration: string };
export type Executor = {
  /** For a constant rate too: constant-arrival-rate has no end but its time's, and no way to wait for its start with all its VUs. */
  readonly executor: 'ramping-arrival-rate';
  readonly startTime: string;
  readonly gracefulStop: string;
  readonly preAllocatedVUs: number;
  readonly maxVUs: number;
  readonly timeUnit: string;
  readonly tags: { readonly phase: string };
  readonly startRate: number;
  readonly stages: readonly Stage[];
};

/** k6 lets go of what is due and not begun when its stages are over, and says nothing of it: so they last that long after the phase, at no rate. */
export const tailSeconds = 1;
/** k6 takes whole numbers: of arrivals in a million seconds, so that what is cut off a rate is no arrival in the longest phase. */
const unitSeconds = 1_000_000;
const headSeconds = 1e-6;

type Placing = { readonly startMs: number; readonly vus: number; readonly gracefulStopMs: number };

export function executorOf(phase: Pick<ArrivalPhase, 'name' | 'rate' | 'durationSeconds'>, { startMs, vus, gracefulStopMs }: Placing): Executor {
  const pieces = ratePieces(phase.rate, phase.durationSeconds);
  // k6 begins an iteration at each whole number of the rate's integral, the plan in the middle between two: half an arrival ahead, they agree.
  // Where the integral is no whole number it is more or less than half, so that k6 rounds as the plan does.
  const headArrivals = arrivalCount(phase) + 0.5 - arrivalsExpected(pieces);
  return {
    executor: 'ramping-arrival-rate',
    // All phases' VUs are taken while nothing runs, and wait: k6 stands still while it takes them, and counts the phase from then on.
    startTime: duration(0),
    gracefulStop: duration(gracefulStopMs / 1000 + 1),
    preAllocatedVUs: vus,
    maxVUs: vus,
    timeUnit: `${unitSeconds}s`,
    tags: { phase: phase.name },
    startRate: 0,
    stages: [
      ...stagesAt(0, 0, startMs / 1000),
      ...stagesAt(headArrivals / headSeconds, headArrivals / headSeconds, headSeconds),
      ...pieces.flatMap(({ fromSeconds, untilSeconds, fromPerSecond, toPerSecond }) => stagesAt(fromPerSecond, toPerSecond, untilSeconds - fromSeconds)),
      ...stagesAt(0, 0, tailSeconds),
    ],
  };
}

/** From any rate before: a jump takes no time. */
const stagesAt = (fromPerSecond: number, toPerSecond: number, seconds: number): readonly Stage[] => [
  { target: unitRate(fromPerSecond), duration: duration(0) },
  { target: unitRate(toPerSecond), duration: duration(seconds) },
];

const unitRate = (perSecond: number): number => Math.round(perSecond * unitSeconds);
const duration = (seconds: number): string => `${Math.round(seconds * 1e6)}us`;
