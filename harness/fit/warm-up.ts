/**
 * Does a warm-up show that this machine cannot hold the plan? Pure: seconds in, what it holds out. The room's README says how
 * each figure was chosen; the dearest mistake is to end a run that would have held, so all that is in doubt goes on.
 */
import type { ArrivalPhase } from '#harness/pacing/plan.ts';
import { arrivalsExpected, peakPerSecond, ratePieces } from '#harness/pacing/rate.ts';
import type { Cell } from '#harness/run-result.ts';

/** One whole second of a warm-up, in arrivals. */
export type WarmUpSecond = { readonly planned: number; readonly answered: number };

/** The first seconds belong to compilers and to connections that open. */
const coldSeconds = 2;
const growingSeconds = 3;
/** Another program may be gone in a moment. */
const growingSecondsBesideOthers = 6;
/** Of what was planned: chance alone leaves no second of a hundred arrivals so far behind, three times in a row. */
const answeredShareMax = 0.9;
/** Of what was missing before: a system that makes up for more of it is still getting faster, and not at its end. */
const madeUpShareMax = 0.2;
/** Fewer say nothing of a rate. */
const plannedMin = 50;

export type Holding = { readonly kind: 'holds' } | { readonly kind: 'cannot'; readonly heldPerSecond: number };
const holds: Holding = { kind: 'holds' };

/** `seconds` from the warm-up's start on, without the ones that are not over yet. */
export function judgeWarmUp(seconds: readonly WarmUpSecond[], { besideOthers }: { readonly besideOthers: boolean }): Holding {
  const window = besideOthers ? growingSecondsBesideOthers : growingSeconds;
  if (growsEverySecond(seconds, window)) return { kind: 'cannot', heldPerSecond: bestOf(seconds, growingSeconds) };
  return growsInLumps(seconds, window) ? { kind: 'cannot', heldPerSecond: bestOf(seconds, 2 * window) } : holds;
}

function growsEverySecond(seconds: readonly WarmUpSecond[], window: number): boolean {
  const last = seconds.slice(coldSeconds).slice(-window);
  const [first, newest] = [last[0], last.at(-1)];
  if (last.length < window || first === undefined || newest === undefined) return false;
  const offset = seconds.length - window;
  const behind = last.every((second, index) => isBehind(second, seconds[offset + index - 1] ?? second));
  // A service that takes seconds for each answer gives none at first, and then all: that is no queue.
  return behind && last.every(({ answered }) => answered > 0) && !getsFaster(first, newest);
}

/** A system that has collapsed answers in lumps, with seconds of nothing between them: two windows, of which neither keeps up nor the later one does better, and a queue of a whole window's arrivals. */
function growsInLumps(seconds: readonly WarmUpSecond[], window: number): boolean {
  const last = seconds.slice(coldSeconds).slice(-2 * window);
  if (last.length < 2 * window) return false;
  const [before, now] = [sumOf(last.slice(0, window)), sumOf(last.slice(window))];
  const all = sumOf(seconds);
  const behind = [before, now].every(({ planned, answered }) => planned >= plannedMin * window && answered > 0 && answered < answeredShareMax * planned);
  return behind && !getsFaster(before, now) && all.planned - all.answered >= now.planned;
}

const getsFaster = (before: WarmUpSecond, now: WarmUpSecond): boolean => now.answered - before.answered > madeUpShareMax * (before.planned - before.answered);

const sumOf = (seconds: readonly WarmUpSecond[]): WarmUpSecond =>
  seconds.reduce((sum, { planned, answered }) => ({ planned: sum.planned + planned, answered: sum.answered + answered }), { planned: 0, answered: 0 });

/** Answers of a second belong to arrivals of it and of the one before, whichever were fewer. */
function isBehind({ planned, answered }: WarmUpSecond, before: WarmUpSecond): boolean {
  const due = Math.min(planned, before.planned);
  return due >= plannedMin && answered < answeredShareMax * due;
}

/** Of a second's arrivals: fewer are on their way at any time. */
const standingShareMin = 0.15;
/** Of what was planned meanwhile: a queue that grows by less may be chance. */
const grownShareMin = 0.01;

/**
 * At the end of a warm-up: a queue that stands and has grown in each of its last seconds, at a rate that is steady. It is too
 * small to be seen before, and a phase of the same rate that lasts for longer would be told by it alone.
 */
export function judgeBacklog(seconds: readonly WarmUpSecond[], { besideOthers }: { readonly besideOthers: boolean }): Holding {
  const window = besideOthers ? growingSecondsBesideOthers : growingSeconds;
  const last = seconds.slice(coldSeconds).slice(-window);
  const rates = last.map(({ planned }) => planned);
  if (last.length < window || Math.min(...rates) < plannedMin || !isSteady(rates)) return holds;
  const left = last.map((_, index) => unansweredOf(seconds.slice(0, seconds.length - window + index + 1)));
  const before = unansweredOf(seconds.slice(0, -window));
  const sum = sumOf(last);
  const grows = [before, ...left].every((now, index, all) => index === 0 || now > (all[index - 1] as number));
  const [first, end] = [before, left.at(-1) ?? 0];
  const stands = end > (standingShareMin * sum.planned) / window && end - first > grownShareMin * sum.planned;
  return grows && stands ? { kind: 'cannot', heldPerSecond: sum.answered / window } : holds;
}

export const isSteady = (rates: readonly number[]): boolean => Math.max(...rates) <= 1.1 * Math.min(...rates);

function unansweredOf(seconds: readonly WarmUpSecond[]): number {
  const { planned, answered } = sumOf(seconds);
  return planned - answered;
}

/** The most that was answered over so many seconds in a row: a queue that has collapsed answers less than the machine can. */
function bestOf(seconds: readonly WarmUpSecond[], window: number): number {
  const sums = seconds.slice(window - 1).map((_, index) => sumOf(seconds.slice(index, index + window)).answered);
  return Math.max(0, ...sums) / window;
}

export type WarmUpSeen = {
  readonly phase: ArrivalPhase;
  readonly startMs: number;
  /** Of this phase; may have more than is over. */
  readonly cells: readonly Cell[];
  /** What is over: seconds that end by then are whole. */
  readonly untilSecond: number;
};

/** By the plan, not by what the engine counted: one that stands still has not counted what it owes. Answers of a chain's later steps count in proportion. */
export function warmUpSeconds({ phase, startMs, cells, untilSecond }: WarmUpSeen): readonly WarmUpSecond[] {
  const from = Math.ceil(startMs / 1000);
  return Array.from({ length: Math.max(0, Math.floor(untilSecond) - from) }, (_, index): WarmUpSecond => {
    const own = cells.filter(({ second }) => second === from + index);
    const arrivals = arrivalsUntil(phase, (from + index + 1) * 1000 - startMs) - arrivalsUntil(phase, (from + index) * 1000 - startMs);
    const requests = own.reduce((sum, { counts }) => sum + counts.planned, 0);
    const answered = own.reduce((sum, { counts }) => sum + counts.answered, 0);
    return { planned: arrivals, answered: answered / Math.max(1, requests / Math.max(1, arrivals)) };
  });
}

const arrivalsUntil = ({ rate, durationSeconds }: ArrivalPhase, ms: number): number =>
  arrivalsExpected(ratePieces(rate, Math.min(durationSeconds, Math.max(0, ms / 1000))));

export type WarmUpCost = {
  readonly phases: readonly ArrivalPhase[];
  /** The warm-up's index. */
  readonly warmUp: number;
  /** Over its last seconds. */
  readonly requestsPerSecond: number;
  /** Of generator and service together, on a machine that has so many. */
  readonly coresUsed: number;
  readonly cores: number;
};

/** Without this much more than the machine has, an estimate is none: see the README, "The estimate at the warm-up's end". */
const clearlyTooMuch = 1.5;
/** Below it what the processes take anyway (timers, scrapes, each second's folding) may be most of what was used. */
const usedShareMin = 0.5;
/** What a request costs falls as the rate rises, by no more than this power of it. */
const cheaperByPower = 0.5;

/** What the busiest later phase would take, by what a request took. Only where it sends the same: what a refusal or another operation costs is not known. */
export function judgeCost({ phases, warmUp, requestsPerSecond, coresUsed, cores }: WarmUpCost): Holding {
  const own = phases[warmUp];
  if (own === undefined || requestsPerSecond < plannedMin || coresUsed < usedShareMin * cores) return holds;
  const alike = phases.slice(warmUp + 1).filter(({ traffic }) => JSON.stringify(traffic) === JSON.stringify(own.traffic));
  const growth = Math.max(0, ...alike.map(peakPerSecond)) / requestsPerSecond;
  if (growth <= 1) return holds;
  const coresLeast = coresUsed * growth ** (1 - cheaperByPower);
  if (coresLeast <= clearlyTooMuch * cores) return holds;
  return { kind: 'cannot', heldPerSecond: requestsPerSecond * (cores / coresUsed) ** (1 / (1 - cheaperByPower)) };
}
