/** How long the event loop was kept from its work. */
import { monitorEventLoopDelay } from 'node:perf_hooks';

const resolutionMs = 10;

/** The longest delay since it was last taken, in seconds. */
export function watchLoopDelay(): () => number {
  const delay = monitorEventLoopDelay({ resolution: resolutionMs });
  delay.enable();
  return () => {
    const longestNs = delay.max;
    delay.reset();
    return delaySecondsOf(longestNs, resolutionMs);
  };
}

/** The runtime's figure is the time between two rounds of a timer of its own, the timer's wait among it: an idle loop would be 10 ms late. */
export const delaySecondsOf = (longestNs: number, ofTimerMs: number): number => Math.max(0, longestNs / 1e9 - ofTimerMs / 1000);
