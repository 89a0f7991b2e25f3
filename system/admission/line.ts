/** Those who wait in one lane: who is next, who has waited too long, and how long clients of late were willing to. */
import type { Lane } from './lanes.ts';

export type Job = {
  readonly run: () => void;
  /** Instead, where it has waited for as long as its lane does. */
  readonly refuse: () => void;
  /** Instead, where whoever asked has gone while it waited. */
  readonly drop: () => void;
  readonly isGone: () => boolean;
};

export type Waiting = { readonly job: Job; readonly sinceMs: number };

export type Taken = { readonly job: Job; readonly isLate: boolean; readonly isGone: boolean };

export type Line = {
  readonly lane: Lane;
  readonly waiting: () => number;
  readonly add: (waiting: Waiting) => void;
  /** Whether the oldest has gone, or is late. */
  readonly isOver: (nowMs: number) => boolean;
  /** Undefined where nobody waits; without room, where nobody is over. `areLeaving`: of those who came to their turn lately many had gone. */
  readonly take: (nowMs: number, now: { readonly hasRoom: boolean; readonly areLeaving: boolean }) => Taken | undefined;
};

/**
 * Where some wait for longer than this and clients are leaving, the newest is next, whose client is there for the longest time to come.
 * Where nobody leaves it is the oldest: patient clients are all served, each as late as the others.
 */
const standingMs = 100;
/**
 * A line that has been empty within this time is a burst, which is worked off: nobody is refused for it who has waited for less,
 * since on a machine that others use even a small burst may take longer than a lane waits.
 */
const burstMs = 3000;
/** Where clients leave, those who come after them are refused after this part of the time that they gave: a refusal keeps the connection. */
const patienceShare = 0.5;
/** So long after the last one left, the others may wait for twice as long again. */
const relaxMs = 5000;
const compactFrom = 1024;

export function createLine(lane: Lane): Line {
  let all: Waiting[] = [];
  let first = 0;
  /** When the line was empty last. */
  let emptyMs = 0;
  const limitMs = (nowMs: number): number => {
    const waitsMs = patience.waitsMs(nowMs);
    const isBurst = waitsMs === lane.waitsMs && nowMs - emptyMs < burstMs;
    return isBurst ? Math.max(waitsMs, burstMs) : waitsMs;
  };
  const patience = createPatience(lane.waitsMs);
  const remove = (isNewest: boolean): Waiting | undefined => {
    if (isNewest) return all.pop();
    const oldest = all[first++];
    if (first >= all.length || (first >= compactFrom && first * 2 >= all.length)) {
      all = all.slice(first);
      first = 0;
    }
    return oldest;
  };
  return {
    lane,
    waiting: () => all.length - first,
    add: (waiting) => {
      if (all.length === first) emptyMs = waiting.sinceMs;
      all.push(waiting);
    },
    isOver: (nowMs) => {
      const oldest = all[first];
      return oldest !== undefined && (nowMs - oldest.sinceMs > limitMs(nowMs) || oldest.job.isGone());
    },
    take: (nowMs, { hasRoom, areLeaving }) => {
      const oldest = all[first];
      if (oldest === undefined) return undefined;
      const waitedMs = nowMs - oldest.sinceMs;
      const isLate = waitedMs > limitMs(nowMs);
      const hasLeft = oldest.job.isGone();
      // Who had gone before he was here for long says how long others waited in the kernel, and nothing of the time here.
      if (hasLeft && areLeaving && waitedMs > standingMs) patience.left(nowMs, waitedMs);
      if (!isLate && !hasLeft && !hasRoom) return undefined;
      const taken = remove(!isLate && !hasLeft && areLeaving && waitedMs > standingMs);
      return taken && { job: taken.job, isLate, isGone: taken.job.isGone() };
    },
  };
}

type Patience = { readonly waitsMs: (nowMs: number) => number; readonly left: (nowMs: number, waitedMs: number) => void };

/** How long a request may wait: as long as its lane lets it, and less while clients are leaving. */
function createPatience(usualMs: number): Patience {
  let waitsMs = usualMs;
  let changedMs = 0;
  return {
    waitsMs: (nowMs) => {
      if (waitsMs < usualMs && nowMs - changedMs > relaxMs) {
        waitsMs = Math.min(usualMs, 2 * waitsMs);
        changedMs = nowMs;
      }
      return waitsMs;
    },
    left: (nowMs, waitedMs) => {
      waitsMs = Math.max(standingMs, Math.min(waitsMs, waitedMs * patienceShare));
      changedMs = nowMs;
    },
  };
}
