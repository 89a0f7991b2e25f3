// Time as an argument: rooms take a Clock, so that a test decides what time it is.

export type Clock = {
  /** Wall clock, milliseconds since the Unix epoch. For timestamps that leave the process. */
  readonly wallMs: () => number;
  /** Monotonic, milliseconds from an arbitrary origin. For intervals. */
  readonly monotonicMs: () => number;
  /** The store's time. Missing: the wall clock's. */
  readonly storeMs?: (() => number) | undefined;
};

/** For what lasts or is due, as commands of the store take it: no step of the wall clock moves it. */
export const storeMsOf = (clock: Clock): number => (clock.storeMs ?? clock.wallMs)();
/** Such a time as somebody reads it: by what the wall clock was put by, in steps, so that it is the same with each look. */
export const shownMs = (clock: Clock, storeMs: number): number => storeMs + Math.round((clock.wallMs() - storeMsOf(clock)) / shownStepMs) * shownStepMs;
const shownStepMs = 10_000;

/** When by the store's time, where the wall clock said so a moment ago; never later than now. */
export const storeMsAgo = (clock: Clock, wallMs: number, agoMsMax: number): number =>
  storeMsOf(clock) - Math.max(0, Math.min(agoMsMax, clock.wallMs() - wallMs));

/** A pause of a loop that can be ended before its time, as when the loop has to stop. */
export type Pause = { readonly for: (ms: number) => Promise<void>; readonly end: () => void };

export function createPause(): Pause {
  let end: () => void = () => undefined;
  return {
    for: (ms) =>
      new Promise((resolve) => {
        const timer = setTimeout(resolve, ms);
        end = () => {
          clearTimeout(timer);
          resolve();
        };
      }),
    end: () => end(),
  };
}

export const systemClock: Clock = {
  wallMs: () => Date.now(),
  monotonicMs: () => performance.now(),
};
