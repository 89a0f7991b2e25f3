// One monotonic clock over all threads: the system's, as milliseconds since the run's origin.

/**
 * `performance.now` counts from its own thread's start and reads the same clock as hrtime without making a BigInt, so one offset turns it into
 * the run's time. The offset is taken from the tightest of some samples, which is off by well under a microsecond.
 */
export function createRunClock(originNs: bigint): () => number {
  let offsetMs = 0;
  let tightestMs = Number.POSITIVE_INFINITY;
  for (let i = 0; i < 20; i++) {
    const before = performance.now();
    const sinceOriginMs = Number(process.hrtime.bigint() - originNs) / 1e6;
    const after = performance.now();
    if (after - before >= tightestMs) continue;
    tightestMs = after - before;
    offsetMs = sinceOriginMs - (before + after) / 2;
  }
  return () => performance.now() + offsetMs;
}
