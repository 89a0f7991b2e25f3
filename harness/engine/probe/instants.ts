/** When the probe's arrivals are due: a function of the plan, so that whoever misses a sample still knows when it was due. */
import { createRandom } from '#harness/pacing/random.ts';

export type ProbePlan = {
  readonly seed: number;
  readonly ratePerSecond: number;
  /** Since the run's origin. */
  readonly startMs: number;
};

/** Beside the streams of a run's phases, which count from 0. */
const probeStream = 0x70726f62;

/** The next arrival's instant, since the run's origin: a Poisson process without an end. */
export function createInstants({ seed, ratePerSecond, startMs }: ProbePlan): () => number {
  const random = createRandom(seed, probeStream);
  let dueMs = startMs;
  return () => {
    dueMs -= (Math.log(random()) * 1000) / ratePerSecond;
    return dueMs;
  };
}
