// The instants of one phase, one after the other, in constant memory.
import type { ArrivalPhase } from './plan.ts';
import { createRandom } from './random.ts';
import { arrivalsExpected, createInverse, ratePieces } from './rate.ts';

export type Schedule = {
  readonly count: number;
  /** Milliseconds from the phase's start, never decreasing; Infinity after the last. */
  readonly next: () => number;
};

type SchedulePhase = Pick<ArrivalPhase, 'rate' | 'durationSeconds' | 'spacing'>;

/** The k-th smallest of n uniforms, k = 1 … n: given those before, what is left of the interval shrinks by V^(1/(n − k)). */
function createSortedUniforms(count: number, random: () => number): () => number {
  let logOfRest = 0;
  let left = count;
  return () => {
    logOfRest += Math.log(random()) / left;
    left--;
    return -Math.expm1(logOfRest);
  };
}

function createEvenUniforms(count: number): () => number {
  let index = 0;
  return () => (index++ + 0.5) / count;
}

export function createSchedule(phase: SchedulePhase, seed: number, phaseIndex: number): Schedule {
  const pieces = ratePieces(phase.rate, phase.durationSeconds);
  const total = arrivalsExpected(pieces);
  const count = Math.round(total);
  const uniform = phase.spacing === 'uniform' ? createEvenUniforms(count) : createSortedUniforms(count, createRandom(seed, phaseIndex));
  const inverse = createInverse(pieces);
  let given = 0;
  const next = (): number => {
    if (given === count) return Number.POSITIVE_INFINITY;
    given++;
    return inverse(uniform() * total);
  };
  return { count, next };
}
