// What a thread knows of its own stops: garbage collection and how busy its event loop was.
import { PerformanceObserver } from 'node:perf_hooks';
import type { ThreadLag } from './core.ts';

/** Answers for the time since the last call. */
export function watchThread(): () => ThreadLag {
  let gcMsTotal = 0;
  let gcMsMax = 0;
  let utilisationBefore = performance.eventLoopUtilization();
  const observer = new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) {
      gcMsTotal += entry.duration;
      gcMsMax = Math.max(gcMsMax, entry.duration);
    }
  });
  observer.observe({ entryTypes: ['gc'] });
  return () => {
    const now = performance.eventLoopUtilization();
    const { utilization } = performance.eventLoopUtilization(now, utilisationBefore);
    const lag = { gcMsTotal, gcMsMax, utilisation: utilization };
    utilisationBefore = now;
    gcMsTotal = 0;
    gcMsMax = 0;
    return lag;
  };
}
