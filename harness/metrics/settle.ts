/** When is a warm-up warm? When the last seconds look alike. */

export type WarmSecond = {
  readonly p50Ms: number | undefined;
  readonly p99Ms: number | undefined;
  readonly cpuMicrosPerRequest: number | undefined;
  readonly planned: number;
};

/** Compilers of both sides own the p99 of the first seconds, so three that agree are asked for. */
const secondsAlike = 3;

/**
 * True once the last three whole seconds had the same rate (±10 %), and their p50 lay within 15 % (or 0.3 ms) of one another,
 * their CPU a request within 15 % and their p99 within a factor of two (a p99 of one second is a handful of samples). What
 * cannot be measured is left out; a second without samples is never settled.
 */
export function isSettled(seconds: readonly WarmSecond[]): boolean {
  const last = seconds.slice(-secondsAlike);
  if (last.length < secondsAlike) return false;
  return (
    spread(last, (second) => second.planned, 0.1, 0) &&
    spread(last, (second) => second.p50Ms, 0.15, 0.3) &&
    spread(last, (second) => second.p99Ms, 1, 2) &&
    (last.some(({ cpuMicrosPerRequest }) => cpuMicrosPerRequest === undefined) || spread(last, (second) => second.cpuMicrosPerRequest, 0.15, 0))
  );
}

function spread(seconds: readonly WarmSecond[], pick: (second: WarmSecond) => number | undefined, share: number, slack: number): boolean {
  const values = seconds.map(pick);
  if (values.some((value) => value === undefined || !Number.isFinite(value))) return false;
  const low = Math.min(...(values as number[]));
  const high = Math.max(...(values as number[]));
  return high - low <= Math.max(low * share, slack);
}
