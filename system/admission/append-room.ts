/**
 * How many events may be on their way to the disk at once: as many as it takes in some 100 ms, by what it took lately. More would
 * only wait there, where nobody looks whether its client is still there. Pure but for its own counts.
 */

export type AppendRoom = {
  /** Until what it returns is called, so many events are on their way. */
  readonly began: (events: number) => () => void;
  readonly isFree: () => boolean;
};

const aheadMs = 100;
/** So many are let on their way whatever the disk says: one that flushes slowly takes more only where it is given more. */
const eventsMin = 1000;
/** Before anything is known of it. Fewer than there are places: a disk that stops for a moment leaves those who come a line to wait in. */
const eventsFirst = 2000;
/** The rate is that of the last full window; a quarter more is tried, so that a rate that only followed the limit grows. */
const windowMs = 500;
const tries = 1.25;

export function createAppendRoom(monotonicMs: () => number): AppendRoom {
  let underway = 0;
  let eventsMax = eventsFirst;
  let window = { sinceMs: monotonicMs(), events: 0, wasFull: false };
  const ended = (events: number): void => {
    underway -= events;
    window.events += events;
    const nowMs = monotonicMs();
    const lastedMs = nowMs - window.sinceMs;
    if (lastedMs < windowMs) return;
    // What came slowly says nothing of how fast it might have gone.
    if (window.wasFull) eventsMax = Math.max(eventsMin, (window.events / lastedMs) * aheadMs * tries);
    window = { sinceMs: nowMs, events: 0, wasFull: false };
  };
  return {
    began: (events) => {
      underway += events;
      return () => ended(events);
    },
    isFree: () => {
      if (underway < eventsMax) return true;
      window.wasFull = true;
      return false;
    },
  };
}
