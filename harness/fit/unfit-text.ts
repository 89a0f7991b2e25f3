/** The sentences of a run that ends because this machine is too small for it. Each says what to type next. Pure. */

/** Two figures: it is a rate that was seen, and no promise. */
const about = (ratePerSecond: number): string => `${Number(ratePerSecond.toPrecision(2)).toLocaleString('en-US')}/s`;
const whole = (ratePerSecond: number): string => `${Math.round(ratePerSecond).toLocaleString('en-US')}/s`;

export type CannotHold = {
  /** What to type. */
  readonly next: string;
  readonly heldPerSecond: number;
  readonly plannedPerSecond: number;
  readonly cores: number;
  readonly othersCores: number;
};

const othersWorthSaying = 0.2;

export function cannotHoldText({ next, heldPerSecond, plannedPerSecond, cores, othersCores }: CannotHold): string {
  const beside = othersCores > othersWorthSaying ? `, while other programs take ${othersCores.toFixed(1)} cores` : '';
  const room = `generator and service on ${cores === 1 ? 'one core' : `${cores} cores`}${beside}`;
  return `this machine holds about ${about(heldPerSecond)} of this plan (its peak is ${whole(plannedPerSecond)}; ${room}); ${next}`;
}

export type CannotFire = { readonly next: string; readonly firedPerSecond: number; readonly plannedPerSecond: number };

export const cannotFireText = ({ next, firedPerSecond, plannedPerSecond }: CannotFire): string =>
  `this machine holds at most about ${about(firedPerSecond)} of this plan (its peak is ${whole(plannedPerSecond)}; the generator alone fires no more at a target that only answers); ${next}`;
