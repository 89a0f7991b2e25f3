// Time as an argument: rooms take a Clock, so that a test decides what time it is.

export type Clock = {
  /** Wall clock, milliseconds since the Unix epoch. For timestamps that leave the process. */
  readonly wallMs: () => number;
  /** Monotonic, milliseconds from an arbitrary origin. For intervals. */
  readonly monotonicMs: () => number;
};

export const systemClock: Clock = {
  wallMs: () => Date.now(),
  monotonicMs: () => performance.now(),
};
