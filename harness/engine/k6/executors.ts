/**
 * A phase's rate curve as an executor of k6. Its own count is not to be trusted to the last arrival: a period is cut to whole nanoseconds,
 * and an arrival that is due at the very end may lose against the end. So an executor runs on for a second at its last rate, and the script
 * lets pass what the plan does not have. Pure.
 */
import type { ArrivalPhase } from '#harness/pacing/plan.ts';
import { ratePieces } from '#harness/pacing/rate.ts';

type Common = {
  readonly startTime: string;
  readonly gracefulStop: string;
  readonly preAllocatedVUs: number;
  readonly maxVUs: number;
  readonly timeUnit: string;
  readonly tags: { readonly phase: string };
};
export type Executor =
  | (Common & { readonly executor: 'constant-arrival-rate'; readonly rate: number; readonly duration: string })
  | (Common & {
      readonly executor: 'ramping-arrival-rate';
      readonly startRate: number;
      readonly stages: readonly { readonly target: number; readonly duration: string }[];
    });

export const tailSeconds = 1;
/** k6 takes whole numbers: of arrivals in a thousand seconds, so that a rate is right to a thousandth. */
const unitSeconds = 1000;

type Placing = { readonly startMs: number; readonly vus: number; readonly gracefulStopMs: number };

export function executorOf(phase: Pick<ArrivalPhase, 'name' | 'rate' | 'durationSeconds'>, { startMs, vus, gracefulStopMs }: Placing): Executor {
  const common: Common = {
    startTime: duration(startMs / 1000),
    gracefulStop: duration(gracefulStopMs / 1000 + 1),
    preAllocatedVUs: vus,
    maxVUs: vus,
    timeUnit: `${unitSeconds}s`,
    tags: { phase: phase.name },
  };
  if (phase.rate.kind === 'constant') {
    return {
      executor: 'constant-arrival-rate',
      ...common,
      // The plan's first arrival comes half a period after the phase's start, and k6's at once.
      startTime: duration(startMs / 1000 + 0.5 / phase.rate.ratePerSecond),
      rate: unitRate(phase.rate.ratePerSecond),
      duration: duration(phase.durationSeconds + tailSeconds),
    };
  }
  const pieces = ratePieces(phase.rate, phase.durationSeconds);
  const stages = pieces.flatMap(({ fromSeconds, untilSeconds, fromPerSecond, toPerSecond }) => [
    // A jump takes no time.
    { target: unitRate(fromPerSecond), duration: '0s' },
    { target: unitRate(toPerSecond), duration: duration(untilSeconds - fromSeconds) },
  ]);
  const tailRate = Math.max(unitSeconds, unitRate(pieces.at(-1)?.toPerSecond ?? 0));
  const tail = [
    { target: tailRate, duration: '0s' },
    { target: tailRate, duration: duration(tailSeconds) },
  ];
  return { executor: 'ramping-arrival-rate', ...common, startRate: unitRate(pieces[0]?.fromPerSecond ?? 0), stages: [...stages, ...tail] };
}

const unitRate = (perSecond: number): number => Math.round(perSecond * unitSeconds);
const duration = (seconds: number): string => `${Math.round(seconds * 1e6)}us`;
