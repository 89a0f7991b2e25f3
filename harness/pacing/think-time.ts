// How long is thought between two steps: pure, so that every engine, and whoever reads its samples, draws the same for the same arrival.
import type { ThinkTime, ThinkTimes } from '#harness/scenario.ts';
import { chanceOf, purposes } from './random.ts';

/** Of the mean: what is above it (1 in 22,000) is cut off, so that no chain is without an end. */
const exponentialMeansMax = 10;

/** Milliseconds that arrival `arrival` thinks before its step `step` (from 0). */
export function thinkMsOf(time: ThinkTime, { seed, arrival, step }: { readonly seed: number; readonly arrival: number; readonly step: number }): number {
  const chance = chanceOf(seed, arrival, purposes.think + step);
  switch (time.kind) {
    case 'fixed':
      return time.ms;
    case 'uniform':
      return time.fromMs + chance * (time.untilMs - time.fromMs);
    case 'exponential':
      return Math.min(exponentialMeansMax, -Math.log(1 - chance)) * time.meanMs;
  }
}

/** Milliseconds that are thought on average, within a twentieth of a thousandth. */
export function thinkMsMean(time: ThinkTime): number {
  if (time.kind === 'fixed') return time.ms;
  return time.kind === 'uniform' ? (time.fromMs + time.untilMs) / 2 : time.meanMs;
}

/** Milliseconds that nobody's thinking is longer than. */
export function thinkMsMax(time: ThinkTime): number {
  if (time.kind === 'fixed') return time.ms;
  return time.kind === 'uniform' ? time.untilMs : exponentialMeansMax * time.meanMs;
}

/** Of a whole chain, by what is asked of each of its think times. */
export const thinkMsOfChain = (times: ThinkTimes | undefined, chain: string, of: (time: ThinkTime, step: number) => number): number =>
  Object.entries(times?.[chain] ?? {}).reduce((sum, [step, time]) => sum + of(time, Number(step)), 0);
