/** What this process counts of accounts' calls and streams, in memory, and writes to the store every so often. */
import type { Clock } from '#system/clock.ts';
import { type Day, dayMs, dayOf, type Store } from '#system/store/store.ts';

export type Meter = {
  readonly call: (account: string) => void;
  readonly streamOpened: (account: string) => void;
  readonly streamEnded: (account: string) => void;
  /** Resolves when all that was counted before is in the store; rejects where it is not, and then it is written with the next. */
  readonly flush: () => Promise<void>;
  /** Accounts that called since this was asked before. */
  readonly takeCallers: () => readonly string[];
  /** Accounts that something is held of in memory. */
  readonly accounts: () => number;
};

export type MeterOptions = { readonly store: Pick<Store, 'putMetered'>; readonly clock: Clock; readonly source: string };

type Total = { readonly account: string; readonly day: Day; calls: number; streamMs: number; isWritten: boolean };
/** `sinceMs`: up to there the time of the streams that are held now is in the total. */
type Running = { total: Total; held: number; sinceMs: number };
/** `lastDay`: the youngest that an account was forgotten on. */
type State = MeterOptions & { readonly running: Map<string, Running>; finished: Total[]; callers: Set<string>; lastDay: Day };

const writesAtOnce = 64;

export function createMeter(options: MeterOptions): Meter {
  const state: State = { ...options, running: new Map(), finished: [], callers: new Set(), lastDay: 0 };
  let flushing: Promise<void> = Promise.resolve();
  const hold = (account: string, by: 1 | -1): void => {
    runningOf(state, account).held += by;
  };
  return {
    call: (account) => {
      const { total } = runningOf(state, account);
      total.calls++;
      total.isWritten = false;
      state.callers.add(account);
    },
    streamOpened: (account) => hold(account, 1),
    streamEnded: (account) => hold(account, -1),
    flush: () => {
      // One behind the other: an older total must not overtake a younger one.
      flushing = flushing.catch(() => undefined).then(() => writeAll(state));
      return flushing;
    },
    takeCallers: () => {
      const taken = [...state.callers];
      state.callers = new Set();
      return taken;
    },
    accounts: () => state.running.size,
  };
}

const emptyTotal = (account: string, day: Day): Total => ({ account, day, calls: 0, streamMs: 0, isWritten: true });

/** With the time of its streams up to now. */
function runningOf(state: State, account: string): Running {
  const nowMs = state.clock.wallMs();
  let running = state.running.get(account);
  if (running === undefined) {
    // By a clock that was set back too: a day that began anew would be written over what it was.
    running = { total: emptyTotal(account, Math.max(dayOf(nowMs), state.lastDay)), held: 0, sinceMs: nowMs };
    state.running.set(account, running);
  }
  settle(state, running, nowMs);
  return running;
}

function settle(state: State, running: Running, nowMs: number): void {
  while (dayOf(nowMs) > running.total.day) {
    const { account, day } = running.total;
    const midnightMs = (day + 1) * dayMs;
    addTime(running, midnightMs);
    if (!running.total.isWritten) state.finished.push(running.total);
    running.total = emptyTotal(account, running.held > 0 ? day + 1 : dayOf(nowMs));
    running.sinceMs = Math.max(running.sinceMs, midnightMs);
  }
  addTime(running, nowMs);
}

/** A clock that was set back stops the count until it is where it was. */
function addTime(running: Running, untilMs: number): void {
  if (untilMs <= running.sinceMs) return;
  if (running.held > 0) {
    running.total.streamMs += running.held * (untilMs - running.sinceMs);
    running.total.isWritten = false;
  }
  running.sinceMs = untilMs;
}

async function writeAll(state: State): Promise<void> {
  const nowMs = state.clock.wallMs();
  for (const [account, running] of state.running) {
    settle(state, running, nowMs);
    const { day, calls, streamMs } = running.total;
    // Not while its day has anything: the total of a day has to be whole.
    if (running.held > 0 || calls > 0 || streamMs > 0) continue;
    state.running.delete(account);
    state.lastDay = Math.max(state.lastDay, day);
  }
  const unwritten = [...state.finished, ...[...state.running.values()].map(({ total }) => total).filter(({ isWritten }) => !isWritten)];
  state.finished = [];
  for (let i = 0; i < unwritten.length; i += writesAtOnce) {
    const written = await Promise.allSettled(unwritten.slice(i, i + writesAtOnce).map((total) => write(state, total)));
    const failed = written.find(({ status }) => status === 'rejected');
    if (failed === undefined) continue;
    const today = new Set([...state.running.values()].map(({ total }) => total));
    state.finished.push(...unwritten.filter((total) => !total.isWritten && !today.has(total)));
    throw (failed as PromiseRejectedResult).reason;
  }
}

async function write({ store, source }: State, total: Total): Promise<void> {
  const { account, day, calls, streamMs } = total;
  total.isWritten = true;
  try {
    await store.putMetered({ account, day, source, calls, streamMs: Math.round(streamMs) });
  } catch (error) {
    total.isWritten = false;
    throw error;
  }
}
