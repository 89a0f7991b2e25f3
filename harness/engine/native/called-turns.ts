import type { EngineCore } from './core.ts';
import { Density } from './density.ts';
import { calledSleepMinMs, type SharedPace, stopWord, turnWord } from './shared-pace.ts';
import type { Rest } from './thread-lag.ts';

/** Answers wait for a nap's end, so it is short even where no arrival ends it. */
const napMaxMs = 0.25;

export type TurnsOptions = {
  readonly core: Pick<EngineCore, 'turn' | 'nextDueMs' | 'arrivalsFired'>;
  readonly nowMs: () => number;
  readonly rest: Rest;
  /** After every turn of the core, with the time. */
  readonly afterTurn: (atMs: number) => void;
  readonly sleepMinMs: number | undefined;
  readonly napBelowMs: number;
};

export type CalledTurnsOptions = TurnsOptions & { readonly pace: SharedPace; readonly worker: number; readonly noteTurn: () => void };

/**
 * Turns for the core where the runtime's event loop has the sockets. Where arrivals are rare, the thread waits at its sockets and the pacing thread calls it: answers are
 * read the moment they come. Where arrivals are dense, it naps itself between two looks at the sockets, because each of the two wake-ups that
 * a call takes costs as much as a request: answers are then read up to a nap later, and `read_uncertainty` says so.
 */
export function takeCalledTurns({ core, nowMs, rest, afterTurn, sleepMinMs = calledSleepMinMs, napBelowMs, pace, worker, noteTurn }: CalledTurnsOptions): void {
  const word = turnWord(worker);
  const density = new Density(napBelowMs);
  let napping = false;
  const bed = new Int32Array(new SharedArrayBuffer(4));
  const turn = (): void => {
    const seen = Atomics.load(pace.words, word);
    noteTurn();
    core.turn();
    const atMs = nowMs();
    afterTurn(atMs);
    if (density.look(atMs, core.arrivalsFired)) {
      pace.dueMs[worker] = Number.POSITIVE_INFINITY;
      setImmediate(nap);
      return;
    }
    pace.dueMs[worker] = core.nextDueMs;
    // The pacing thread may be in a long sleep that began while this one napped.
    if (napping) Atomics.notify(pace.words, stopWord);
    napping = false;
    const next = Atomics.waitAsync(pace.words, word, seen);
    if (next.async) void next.value.then(turn);
    // Called for in the meantime: sockets have their turn first.
    else setImmediate(turn);
  };
  const nap = (): void => {
    const fromMs = nowMs();
    napping = true;
    Atomics.wait(bed, 0, 0, Math.min(Math.max(core.nextDueMs - fromMs, sleepMinMs), napMaxMs));
    rest.ms += nowMs() - fromMs;
    turn();
  };
  turn();
}
