/** Which devices of a fleet walk, stand still, or have a wrong clock: by their index, spread evenly, so that any part of a fleet is like all of it. Pure. */
import type { DeviceHabits } from './operation.ts';

export type Habits = {
  /** Shares of the devices; the others drive. */
  readonly motion?: { readonly walking: number; readonly still: number } | undefined;
  /** A share of the devices, whose clock is ahead by so much. */
  readonly clock?: { readonly wrong: number; readonly aheadMs: number } | undefined;
};

/** Steps of two low-discrepancy sequences (golden and plastic ratio): how a device moves says nothing about its clock. */
const motionStep = 0.6180339887498949;
const clockStep = 0.7548776662466927;
const fraction = (index: number, step: number): number => (index * step) % 1;

/** Undefined: it drives, and its clock is right. */
export function habitsOf(index: number, { motion, clock }: Habits): DeviceHabits | undefined {
  const moving = motionOf(fraction(index, motionStep), motion);
  const isWrong = clock !== undefined && fraction(index, clockStep) < clock.wrong;
  if (moving === undefined && !isWrong) return undefined;
  return { ...(moving === undefined ? {} : { motion: moving }), ...(isWrong ? { clockAheadMs: clock.aheadMs } : {}) };
}

function motionOf(place: number, motion: Habits['motion']): DeviceHabits['motion'] {
  if (motion === undefined) return undefined;
  if (place < motion.walking) return 'walk';
  return place < motion.walking + motion.still ? 'still' : undefined;
}
