/**
 * How many events may be on their way to the disk at once: as many as it takes in some 100 ms, by what it took lately. More would
 * only wait there, where nobody looks whether its client is still there. Where the loop has nothing to do while the room is full,
 * it is too small: the next group is to be ready when one is written. Pure but for its own counts.
 */

export type AppendRoom = {
  /** Until what it returns is called, so many events are on their way. */
  readonly began: (events: number) => () => void;
  readonly isFree: () => boolean;
};

export type AppendRoomOptions = {
  readonly monotonicMs: () => number;
  /** How long the loop has waited in all, with nothing to do. */
  readonly idleMs: () => number;
};

const aheadMs = 100;
/** However idle the loop is: what a disk that stops for a moment keeps from those who come. */
const aheadMsMax = 250;
/** So many are let on their way whatever the disk says: one that flushes slowly takes more only where it is given more. */
const eventsMin = 1000;
/** Before anything is known of it. Fewer than there are places: a disk that stops for a moment leaves those who come a line to wait in. */
const eventsFirst = 2000;
/** The rate is that of the last full window; a quarter more is tried, so that a rate that only followed the limit grows. */
const windowMs = 500;
const tries = 1.25;
/** Beyond the one of a window the room grows, below the other it shrinks to what 100 ms take, a tenth at a time. */
const idleShareMax = 0.1;
const idleShareMin = 0.03;
const shrinks = 0.9;
/** Of the best rate, in each window: what was taken a minute ago says nothing of now. */
const fades = 0.98;

export function createAppendRoom({ monotonicMs, idleMs }: AppendRoomOptions): AppendRoom {
  const begin = () => ({ sinceMs: monotonicMs(), idleMs: idleMs(), events: 0, wasFull: false });
  let underway = 0;
  let eventsMax = eventsFirst;
  let bestPerMs = 0;
  let window = begin();
  const ended = (events: number): void => {
    underway -= events;
    window.events += events;
    const lastedMs = monotonicMs() - window.sinceMs;
    if (lastedMs < windowMs) return;
    const perMs = window.events / lastedMs;
    bestPerMs = Math.max(perMs, bestPerMs * fades);
    const idleShare = (idleMs() - window.idleMs) / lastedMs;
    // What came slowly says nothing of how fast it might have gone.
    if (window.wasFull) eventsMax = Math.max(eventsMin, Math.min(bestPerMs * aheadMsMax, nextMax(eventsMax, perMs, idleShare)));
    window = begin();
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

function nextMax(eventsMax: number, perMs: number, idleShare: number): number {
  const usual = perMs * aheadMs * tries;
  if (idleShare > idleShareMax) return Math.max(usual, eventsMax * tries);
  return idleShare < idleShareMin ? Math.max(usual, eventsMax * shrinks) : eventsMax;
}
