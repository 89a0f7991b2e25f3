/**
 * What is begun in one turn of the event loop. A turn is short whatever came, so that connections are accepted (the loop takes one a
 * turn), timers are on time, and the highest lane is next: what waits, waits here, where it can be looked at, and not in sockets.
 */
import { type Lane, type LaneName, lanes } from './lanes.ts';

export type Job = {
  readonly run: () => void;
  /** Instead, where it has waited for as long as its lane does. */
  readonly refuse: () => void;
  /** Instead, where whoever asked has gone while it waited. */
  readonly drop: () => void;
  readonly isGone: () => boolean;
};

export type Turns = {
  /** Runs it at once where this turn has room and nobody waits, and in one of the next turns otherwise. `isLater`: in any case. */
  readonly add: (lane: Lane, job: Job, isLater?: boolean) => void;
  /** One was accepted: others may wait for the turns to come. */
  readonly connectionCame: () => void;
  /** How many wait. */
  readonly waiting: () => number;
  /** Runs all that wait. */
  readonly close: () => void;
};

export type TurnsOptions = {
  readonly monotonicMs: () => number;
  /** How long the loop has been at work in all, without its waiting. */
  readonly busyMs: () => number;
  /** Calls back in the next turn. */
  readonly soon: (callback: () => void) => void;
};

/** What a turn is to take, with all that is begun in it and that goes on. */
const turnMs = 4;
/** While connections come: a turn then accepts one for each request or two that it begins. */
const crowdedTurnMs = 0.5;
/** Of what a request takes: the weight of what was before this turn. */
const memory = 0.9;
/** Who waits for longer than this waits in a crowd that does not go away: then the newest is next, whose client is there for the longest time to come. */
const standingMs = 100;

type Waiting = { readonly job: Job; readonly sinceMs: number };

export function createTurns({ monotonicMs, busyMs, soon }: TurnsOptions): Turns {
  const lines = lanes.map((lane) => createLine(lane.waitsMs));
  const lineOf = Object.fromEntries(lanes.map(({ name }, i) => [name, lines[i]])) as Record<LaneName, Line>;
  const costMs = createCost(busyMs);
  /** How many may still begin in this turn. */
  let room = 1;
  let begun = 0;
  let isCrowded = false;
  let isSoon = false;
  let waiting = 0;

  /** The next of a line; false where nobody waits in it. */
  const take = (line: Line, nowMs: number): boolean => {
    const taken = line.take(nowMs);
    if (taken === undefined) return false;
    waiting--;
    begun++;
    const { job, isLate } = taken;
    if (job.isGone()) job.drop();
    else if (isLate) job.refuse();
    else job.run();
    return true;
  };

  const turn = (): void => {
    isSoon = false;
    const nowMs = monotonicMs();
    const isShort = isCrowded && !lineOf.ingest.isStanding(nowMs);
    room = Math.max(1, Math.round((isShort ? crowdedTurnMs : turnMs) / costMs(begun)));
    isCrowded = false;
    begun = 0;
    if (waiting === 0) return;
    // One of each, whatever waits above it: no lane starves.
    for (const line of lines) take(line, nowMs);
    for (const line of lines) while (begun < room && take(line, nowMs));
    later();
  };

  const later = (): void => {
    if (isSoon) return;
    isSoon = true;
    soon(turn);
  };

  return {
    waiting: () => waiting,
    connectionCame: () => {
      isCrowded = true;
    },
    add: (lane, job, isLater = false) => {
      if (lane.waitsMs === 0) return job.run();
      later();
      if (!isLater && waiting === 0 && begun < room) {
        begun++;
        return job.run();
      }
      waiting++;
      lineOf[lane.name].add({ job, sinceMs: monotonicMs() });
    },
    close: () => {
      for (const line of lines) while (take(line, Number.NEGATIVE_INFINITY));
    },
  };
}

/** What one that is begun takes of the loop in all, by the turns before: everything else that the loop does counts as theirs. */
function createCost(busyMs: () => number): (begun: number) => number {
  let beforeMs = busyMs();
  let [tookMs, jobs] = [0, 0];
  return (begun) => {
    const nowMs = busyMs();
    tookMs = tookMs * memory + nowMs - beforeMs;
    jobs = jobs * memory + begun;
    beforeMs = nowMs;
    return tookMs / jobs;
  };
}

type Line = {
  readonly add: (waiting: Waiting) => void;
  readonly isStanding: (nowMs: number) => boolean;
  readonly take: (nowMs: number) => { readonly job: Job; readonly isLate: boolean } | undefined;
};

const compactFrom = 1024;

/** Those who wait in one lane, the oldest at `first`. */
function createLine(waitsMs: number): Line {
  let all: Waiting[] = [];
  let first = 0;
  return {
    add: (waiting) => void all.push(waiting),
    isStanding: (nowMs) => nowMs - (all[first]?.sinceMs ?? nowMs) > standingMs,
    take: (nowMs) => {
      const oldest = all[first];
      if (oldest === undefined) return undefined;
      const waitedMs = nowMs - oldest.sinceMs;
      const isLate = waitedMs > waitsMs;
      const isNewest = !isLate && waitedMs > standingMs;
      const { job } = isNewest ? (all.pop() as Waiting) : oldest;
      if (!isNewest) first++;
      if (first >= all.length || (first >= compactFrom && first * 2 >= all.length)) {
        all = all.slice(first);
        first = 0;
      }
      return { job, isLate };
    },
  };
}
