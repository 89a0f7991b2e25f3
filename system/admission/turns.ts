/**
 * What is begun in one turn of the event loop. A turn is short whatever came, so that connections are accepted (the loop takes one a
 * turn), timers are on time, and the highest lane is next: what waits, waits here, where it can be looked at, and not in sockets.
 */
import { type Lane, type LaneName, lanes } from './lanes.ts';
import { createLine, type Job, type Line } from './line.ts';

export type Turns = {
  /** Runs it at once where this turn has room and nobody waits, and in one of the next turns otherwise. `isLater`: in any case. */
  readonly add: (lane: Lane, job: Job, isLater?: boolean) => void;
  /** One was accepted: others may wait for the turns to come. */
  readonly connectionCame: () => void;
  /** There may be room again. */
  readonly wake: () => void;
  /** How many wait. */
  readonly waiting: () => number;
  /** Refuses all that wait. */
  readonly close: () => void;
};

export type TurnsOptions = {
  readonly monotonicMs: () => number;
  /** How long the loop has been at work in all, without its waiting. */
  readonly busyMs: () => number;
  /** Whether what a lane needs beside the loop's time is there. Where it is not, all of that lane wait for it, until they are late. */
  readonly hasRoom: (lane: Lane) => boolean;
  /** Calls back in the next turn. */
  readonly soon: (callback: () => void) => void;
};

/** What a turn is to take, with all that is begun in it and that goes on. */
const turnMs = 4;
/** While connections come, of which a turn accepts one: they are not to wait for dear work. */
const crowdedTurnMs = 0.5;
/** However dear: a crowd of so many connections lets one begin. */
const crowdedTurnsMax = 16;
/** Of those who have gone or are late, in each lane and turn: none of them is worth much. */
const endedMax = 64;
/** Where all who come in have gone by then, the others wait too long before they are accepted: nothing else is worth its time. */
const aliveMin = 0.05;
/** Of what a request takes: the weight of what was before this turn. */
const memory = 0.9;
/** Where fewer than this were still there, clients are leaving. */
const aliveUsual = 0.9;

export function createTurns({ monotonicMs, busyMs, hasRoom, soon }: TurnsOptions): Turns {
  const lines = lanes.map(createLine);
  const lineOf = Object.fromEntries(lanes.map(({ name }, i) => [name, lines[i]])) as Record<LaneName, Line>;
  const cost = createCost(busyMs);
  /** How many may still begin in this turn. */
  let room = 1;
  let begun = 0;
  /** Of those that came to their end or their turn lately, how many were still there. */
  let alive = 1;
  let isCrowded = false;
  let isSoon = false;
  let waiting = 0;

  /** The next of a line; false where nobody waits in it. */
  const take = (line: Line, nowMs: number): boolean => {
    const taken = line.take(nowMs, { hasRoom: hasRoom(line.lane), areLeaving: alive < aliveUsual });
    if (taken === undefined) return false;
    waiting--;
    const { job, isLate, isGone } = taken;
    alive = alive * memory + (isGone ? 0 : 1 - memory);
    if (isGone) job.drop();
    else if (isLate) job.refuse();
    else {
      begun++;
      job.run();
    }
    return true;
  };

  const turn = (): void => {
    isSoon = false;
    const costMs = cost.take(begun);
    // What is dear begins in every so many turns of a crowd, and one at least in each of the others.
    const crowdedRoom = Math.max(1 / crowdedTurnsMax, (crowdedTurnMs * Math.max(aliveMin, alive)) / costMs);
    room = isCrowded ? Math.max(0, Math.min(1, room - begun)) + crowdedRoom : Math.max(1, turnMs / costMs);
    isCrowded = false;
    begun = 0;
    if (waiting === 0) return;
    const nowMs = monotonicMs();
    for (const line of lines) for (let i = 0; i < endedMax && line.isOver(nowMs); i++) take(line, nowMs);
    // One of each, whatever waits above it: no lane starves.
    if (room >= 1) for (const line of lines) take(line, nowMs);
    for (const line of lines) while (begun + 1 <= room && take(line, nowMs));
    wake();
  };

  const later = (): void => {
    if (isSoon) return;
    if (waiting === 0) cost.begin();
    isSoon = true;
    soon(turn);
  };

  const wake = (): void => {
    if (lines.some((line) => line.waiting() > 0 && hasRoom(line.lane))) later();
  };

  return {
    wake,
    waiting: () => waiting,
    connectionCame: () => {
      isCrowded = true;
    },
    add: (lane, job, isLater = false) => {
      if (lane.waitsMs === 0) return job.run();
      later();
      // By the next turn it is known who connected, asked and went.
      if (!isLater && !isCrowded && waiting === 0 && begun + 1 <= room && hasRoom(lane)) {
        begun++;
        return job.run();
      }
      waiting++;
      lineOf[lane.name].add({ job, sinceMs: monotonicMs() });
    },
    close: () => {
      for (const line of lines) while (take(line, Number.POSITIVE_INFINITY));
    },
  };
}

type Cost = {
  /** Nobody waited until now: what the loop did meanwhile was for others. */
  readonly begin: () => void;
  /** Milliseconds of each that began, told how many did since the last time. */
  readonly take: (begun: number) => number;
};

/** What one that is begun takes of the loop in all, by the turns before: everything else that the loop does in them counts as theirs. */
function createCost(busyMs: () => number): Cost {
  let beforeMs = busyMs();
  let [tookMs, jobs] = [0, 0];
  return {
    begin: () => {
      beforeMs = busyMs();
    },
    take: (begun) => {
      const nowMs = busyMs();
      tookMs = tookMs * memory + nowMs - beforeMs;
      jobs = jobs * memory + begun;
      beforeMs = nowMs;
      return jobs === 0 ? Number.POSITIVE_INFINITY : tookMs / jobs;
    },
  };
}
