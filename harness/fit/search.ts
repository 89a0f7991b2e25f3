/** Which rate is tried next, and when the search is over. Pure: the answers so far are all it knows. */

export type Rung = { readonly ratePerSecond: number; readonly held: boolean; readonly why: string };

export type Next =
  | { readonly kind: 'try'; readonly ratePerSecond: number }
  | { readonly kind: 'found'; readonly heldPerSecond: number }
  | { readonly kind: 'none' };

/** From a thirty-second on up: by the time that it matters, both sides' compilers have seen the load. */
const startShare = 1 / 32;
const stepUp = 2;
const stepDown = 8;
/** Below it there is no load worth a run. */
export const rateMin = 2;
/** The search ends once what held and what did not are so near to each other. */
const ratioEnough = 1.2;
export const rungsMax = 20;

/** A rate that failed is tried again at once: a cold compiler or another program's moment is no limit of the machine. */
const triesOf = (rungs: readonly Rung[], ratePerSecond: number): readonly Rung[] => rungs.filter((rung) => rung.ratePerSecond === ratePerSecond);

export function nextRung(rungs: readonly Rung[], peakPerSecond: number): Next {
  const last = rungs.at(-1);
  if (last === undefined) return { kind: 'try', ratePerSecond: Math.max(rateMin, peakPerSecond * startShare) };
  if (!last.held && triesOf(rungs, last.ratePerSecond).length === 1 && rungs.length < rungsMax) return { kind: 'try', ratePerSecond: last.ratePerSecond };
  const held = Math.max(0, ...rungs.filter((rung) => rung.held).map((rung) => rung.ratePerSecond));
  const failed = Math.min(...rungs.filter((rung) => !rung.held && rung.ratePerSecond > held).map((rung) => rung.ratePerSecond));
  if (held >= peakPerSecond || (held > 0 && (failed <= held * ratioEnough || rungs.length >= rungsMax))) return { kind: 'found', heldPerSecond: held };
  if (held === 0 && (failed <= rateMin || rungs.length >= rungsMax)) return { kind: 'none' };
  return { kind: 'try', ratePerSecond: between(held, failed, peakPerSecond) };
}

function between(held: number, failed: number, peakPerSecond: number): number {
  if (held === 0) return Math.max(rateMin, failed / stepDown);
  return failed === Number.POSITIVE_INFINITY ? Math.min(peakPerSecond, held * stepUp) : Math.sqrt(held * failed);
}
