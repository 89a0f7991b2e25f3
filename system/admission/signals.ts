/**
 * What a worker feels: how late its timers are, how old its oldest append is, how full its heap, how many bytes wait in
 * bodies, and what the lane that all others give way to sees of that, against the budget of its answers.
 */
import { getHeapStatistics } from 'node:v8';
import { ofRoom, type Signals } from './pressure.ts';

export type SignalLimits = {
  readonly shedDelayMs: number;
  readonly shedLogAgeMs: number;
  readonly pendingBytesMax: number;
  /** What an answer to ingest may take within this service. */
  readonly ingestBudgetMs: number;
};

export type SignalSource = {
  /** Every `sampleMs`, so that it is noticed when it is late. */
  readonly sample: () => void;
  /** Everything since the last reading. */
  readonly read: (pendingBytes: number) => Signals;
  /** Until what it returns is called, an append is in work. */
  readonly appendBegan: () => () => void;
};

export const sampleMs = 20;
/** The lowest lanes give way from here on: what is let in by then is still to be done within the rest of the budget. */
export const budgetShare = 0.4;

export function createSignals(limits: SignalLimits, monotonicMs: () => number): SignalSource {
  let delayMsMax = 0;
  let appendMsMax = 0;
  let lastMs = monotonicMs();
  const appends = new Set<{ readonly beganMs: number }>();
  return {
    sample: () => {
      const nowMs = monotonicMs();
      delayMsMax = Math.max(delayMsMax, nowMs - lastMs - sampleMs);
      lastMs = nowMs;
    },
    appendBegan: () => {
      const append = { beganMs: monotonicMs() };
      appends.add(append);
      return () => {
        appends.delete(append);
        appendMsMax = Math.max(appendMsMax, monotonicMs() - append.beganMs);
      };
    },
    read: (pendingBytes) => {
      // A set keeps the order of insertion: the first is the oldest.
      const [oldest] = appends;
      const ageMs = oldest === undefined ? 0 : monotonicMs() - oldest.beganMs;
      const heap = getHeapStatistics();
      const signals = {
        loopDelay: delayMsMax / limits.shedDelayMs,
        logAge: ageMs / limits.shedLogAgeMs,
        heap: ofRoom(heap.used_heap_size, heap.heap_size_limit),
        pendingBytes: ofRoom(pendingBytes, limits.pendingBytesMax),
        // A request waits for the loop before it is read, and then for its append.
        ingestWait: (delayMsMax + Math.max(ageMs, appendMsMax)) / (limits.ingestBudgetMs * budgetShare),
      };
      delayMsMax = 0;
      appendMsMax = 0;
      return signals;
    },
  };
}
