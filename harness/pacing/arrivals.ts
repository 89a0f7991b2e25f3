// Arrival numbers run over the whole plan; a worker owns the arrivals of its devices.
import type { ArrivalPhase } from './plan.ts';
import { chanceOf, purposes } from './random.ts';
import { arrivalCount } from './rate.ts';
import { createSchedule } from './schedule.ts';

/** Index of the worker that owns a device, and with it all its arrivals. */
export const workerOfDevice = (device: number, workers: number): number => device % workers;

/** First arrival number of each phase; the last entry is the number of all arrivals. */
export function firstArrivals(phases: readonly Pick<ArrivalPhase, 'rate' | 'durationSeconds'>[]): readonly number[] {
  const first = [0];
  for (const phase of phases) first.push(first.at(-1)! + arrivalCount(phase));
  return first;
}

/** The phase of an arrival, and when the plan wants it, from that phase's start. Walks the phase: for a few arrivals. */
export function placeOfArrival(phases: readonly ArrivalPhase[], seed: number, arrival: number): { readonly phase: number; readonly offsetMs: number } {
  const first = firstArrivals(phases);
  const phase = first.findLastIndex((number) => number <= arrival);
  const schedule = createSchedule(phases[phase] as ArrivalPhase, seed, phase);
  for (let before = first[phase] as number; before < arrival; before++) schedule.next();
  return { phase, offsetMs: schedule.next() };
}

export type ArrivalsOptions = {
  readonly phases: readonly ArrivalPhase[];
  readonly phase: number;
  readonly seed: number;
  readonly devices: number;
  readonly worker: number;
  readonly workers: number;
};

/** A cursor instead of an iterator: it makes no object an arrival. */
export type ArrivalCursor = {
  /** Number over the whole run. */
  arrival: number;
  /** From the phase's start; Infinity: there is no further arrival. */
  intendedMs: number;
  readonly advance: () => void;
};

/** The arrivals of one phase that belong to one worker, standing at the first of them. */
export function createArrivals(options: ArrivalsOptions): ArrivalCursor {
  const { devices, worker, workers } = options;
  const schedule = createSchedule(options.phases[options.phase]!, options.seed, options.phase);
  const advance = (): void => {
    do {
      cursor.arrival++;
      cursor.intendedMs = schedule.next();
    } while (cursor.intendedMs !== Number.POSITIVE_INFINITY && (cursor.arrival % devices) % workers !== worker);
  };
  const cursor: ArrivalCursor = { arrival: firstArrivals(options.phases)[options.phase]! - 1, intendedMs: 0, advance };
  advance();
  return cursor;
}

/** Index into `traffic` of the chain that an arrival starts, by weight. */
export function chainOfArrival(traffic: ArrivalPhase['traffic'], seed: number, arrival: number): number {
  if (traffic.length < 2) return 0;
  let total = 0;
  for (const share of traffic) total += share.weight;
  let rest = chanceOf(seed, arrival, purposes.chain) * total;
  for (let i = 0; i < traffic.length - 1; i++) {
    rest -= traffic[i]!.weight;
    if (rest < 0) return i;
  }
  return traffic.length - 1;
}
