/** What a worker feels: how late its timers are, how old its oldest append is, how full its heap, how many bytes wait in bodies. */
import { getHeapStatistics } from 'node:v8';
import { ofRoom, type Signals } from './pressure.ts';

export type SignalLimits = { readonly shedDelayMs: number; readonly shedLogAgeMs: number; readonly pendingBytesMax: number };

export type SignalSource = {
  /** Everything since the last reading. */
  readonly read: (pendingBytes: number) => Signals;
  readonly appendBegan: () => () => void;
  readonly close: () => void;
};

const sampleMs = 20;

export function createSignals({ shedDelayMs, shedLogAgeMs, pendingBytesMax }: SignalLimits, monotonicMs: () => number): SignalSource {
  let delayMsMax = 0;
  let lastMs = monotonicMs();
  const appends = new Set<{ readonly beganMs: number }>();
  const timer = setInterval(() => {
    const nowMs = monotonicMs();
    delayMsMax = Math.max(delayMsMax, nowMs - lastMs - sampleMs);
    lastMs = nowMs;
  }, sampleMs).unref();
  return {
    close: () => clearInterval(timer),
    appendBegan: () => {
      const append = { beganMs: monotonicMs() };
      appends.add(append);
      return () => void appends.delete(append);
    },
    read: (pendingBytes) => {
      // A set keeps the order of insertion: the first is the oldest.
      const [oldest] = appends;
      const heap = getHeapStatistics();
      const signals = {
        loopDelay: delayMsMax / shedDelayMs,
        logAge: oldest === undefined ? 0 : (monotonicMs() - oldest.beganMs) / shedLogAgeMs,
        heap: ofRoom(heap.used_heap_size, heap.heap_size_limit),
        pendingBytes: ofRoom(pendingBytes, pendingBytesMax),
      };
      delayMsMax = 0;
      return signals;
    },
  };
}
