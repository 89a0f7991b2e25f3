// Time as an argument: rooms take a Clock, so that a test decides what time it is.

export type Clock = {
  /** Wall clock, milliseconds since the Unix epoch. For timestamps that leave the process. */
  readonly wallMs: () => number;
  /** Monotonic, milliseconds from an arbitrary origin. For intervals. */
  readonly monotonicMs: () => number;
};

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
