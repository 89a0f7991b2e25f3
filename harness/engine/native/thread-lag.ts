// What a thread knows of its own stops: garbage collection and how busy its event loop was.
import { PerformanceObserver } from 'node:perf_hooks';
import type { ThreadLag } from './core.ts';

/** Answers for the time since the last call. `nappedMs`: slept so far inside the loop, which the loop takes for work. */
export function watchThread(nappedMs: () => number): () => ThreadLag {
  let gcMsTotal = 0;
  let gcMsMax = 0;
  let utilisationBefore = performance.eventLoopUtilization();
  let nappedBeforeMs = 0;
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
    const nappedNowMs = nappedMs();
    const workedMs = Math.max(0, active - (nappedNowMs - nappedBeforeMs));
    const lag = { gcMsTotal, gcMsMax, utilisation: active + idle > 0 ? workedMs / (active + idle) : 0 };
    nappedBeforeMs = nappedNowMs;
    utilisationBefore = now;
    gcMsTotal = 0;
    gcMsMax = 0;
    return lag;
  };
}
