/** What was written by another process's clock, or by this one's before it was put back. */

/** Far more than clocks that a time service keeps differ by, and short enough to be waited for after a step that is smaller. */
export const clockSkewMsMax = 5000;

/**
 * Whether what somebody took for `ttlMs` still is theirs. Nobody takes it for longer: where more is left, the clock was put back since, and
 * whoever it was may be dead for the whole step.
 */
export function isHeld(untilMs: number, { nowMs, ttlMs }: { readonly nowMs: number; readonly ttlMs: number }): boolean {
  return untilMs > nowMs && untilMs - nowMs <= ttlMs + clockSkewMsMax;
}
