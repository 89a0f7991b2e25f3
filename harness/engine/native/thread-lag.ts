// What a thread knows of its own stops: garbage collection and how busy its event loop was.
import { PerformanceObserver, performance } from 'node:perf_hooks';
import type { ThreadLag } from './core.ts';

/** How long the thread slept so far inside its event loop, which the loop takes for work. */
export type Rest = { ms: number };

/** Answers for the time since the last call. */
export function watchThread(rest: Rest): () => ThreadLag {
  let gcMsTotal = 0;
  let gcMsMax = 0;
  let utilisationBefore = performance.eventLoopUtilization();
  let restedBeforeMs = 0;
  const observer = new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) {
      gcMsTotal += entry.duration;
      gcMsMax = Math.max(gcMsMax, entry.duration);
    }
  });
  observer.observe({ entryTypes: ['gc'] });
  return () => {
    const now = performance.eventLoopUtilization();
    const { active, idle } = performance.eventLoopUtilization(now, utilisationBefore);
    const restedMs = rest.ms;
    const workedMs = Math.max(0, active - (restedMs - restedBeforeMs));
    const lag = { gcMsTotal, gcMsMax, utilisation: active + idle > 0 ? workedMs / (active + idle) : 0 };
    restedBeforeMs = restedMs;
    utilisationBefore = now;
    gcMsTotal = 0;
    gcMsMax = 0;
    return lag;
  };
}
