/** Bounds on time, as a machine that others share can judge them. Pure: the ruler and the clock come in. */
import { Broken, Untold } from './rule.ts';
import type { Ruler } from './ruler.ts';

export type Timing = {
  /** What the stated bound means on this machine, by what it did since the rule began: it grows while the machine stops or is slow. */
  readonly boundMs: (statedMs: number) => number;
  /** `late`: beyond the bound, and the machine may be why; `too-late`: whatever the machine did. */
  readonly judge: (tookMs: number, statedMs: number) => 'in-time' | 'late' | 'too-late';
  /** Throws Untold where `tookMs` is late, and Broken where it is too late. */
  readonly holdTime: (time: { readonly what: string; readonly tookMs: number; readonly statedMs: number; readonly came?: unknown }) => void;
  /** Whether this machine is quick and quiet enough to accuse somebody by a share or a rate that time decides. */
  readonly canTell: () => boolean;
  /** Throws Untold where the machine stopped longer than this since the rule began: what follows would have needed it not to. */
  readonly neededNoStop: (what: string, longestMs: number) => void;
};

/** Without --strict: a process that is one of many has its turn a little later. */
const slack = 2;
/** From here on a machine is too slow or too busy to say who was late. */
const slownessToTell = 3;
/** No machine explains a time so many times as long as the bound that has its slowness in it already. */
const beyondAnyNoise = 2;
/** More slowness than this stretches no bound: a machine that is slower tells nothing, and a fault has to be longer than any noise. */
const slownessMax = 8;

export function timingOf(ruler: Ruler, { sinceMs, strict }: { readonly sinceMs: number; readonly strict: boolean }): Timing {
  const canTell = (): boolean => ruler.slownessSince(sinceMs) < slownessToTell;
  const stretchedMs = (statedMs: number): number => (strict ? statedMs : slack * statedMs * Math.min(slownessMax, ruler.slownessSince(sinceMs)));
  const stoppedMs = (): number => (strict ? 0 : ruler.stoppedMsSince(sinceMs));
  const boundMs = (statedMs: number): number => Math.round(stretchedMs(statedMs) + stoppedMs());
  const machine = (): string =>
    `this machine was ${ruler.slownessSince(sinceMs).toFixed(1)} times as slow as one that has time, and stopped for up to ${Math.round(ruler.stoppedMsSince(sinceMs))} ms`;
  const judge: Timing['judge'] = (tookMs, statedMs) => {
    if (tookMs <= boundMs(statedMs)) return 'in-time';
    return canTell() || tookMs > beyondAnyNoise * stretchedMs(statedMs) + stoppedMs() ? 'too-late' : 'late';
  };
  return {
    boundMs,
    canTell,
    judge,
    holdTime: ({ what, tookMs, statedMs, came = `${Math.round(tookMs)} ms` }) => {
      const judged = judge(tookMs, statedMs);
      if (judged === 'in-time') return;
      const sentence = `expected ${what} within ${boundMs(statedMs)} ms; came ${typeof came === 'string' ? came : JSON.stringify(came).slice(0, 400)}`;
      if (judged === 'too-late') throw new Broken(sentence);
      throw new Untold(`${sentence}; ${machine()}`);
    },
    neededNoStop: (what, longestMs) => {
      if (ruler.stoppedMsSince(sinceMs) > longestMs || !canTell()) throw new Untold(`${what} takes a machine that does not stop; ${machine()}`);
    },
  };
}
