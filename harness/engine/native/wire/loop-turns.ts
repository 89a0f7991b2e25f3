/**
 * When did the event loop's poll return before this one? A socket that is read now was not yet readable then, so
 * now − that is how long its bytes may have been waiting. The loop does not say it; the first callback of a turn stands for the
 * poll's return, and an immediate, which runs right after the poll's callbacks, ends the turn. What it misses: the time between
 * the poll's return and the turn's first callback of ours (another library's socket), which in an engine thread is none.
 */
export type LoopTurns = {
  /** To be called at the start of every callback; gives the previous turn's start. */
  readonly enter: (nowMs: number) => number;
};

export function createLoopTurns(startMs: number, afterPoll: (callback: () => void) => unknown = setImmediate): LoopTurns {
  let inTurn = false;
  let turnStartMs = startMs;
  let previousTurnStartMs = startMs;
  const leave = (): void => {
    inTurn = false;
  };
  const enter = (nowMs: number): number => {
    if (!inTurn) {
      inTurn = true;
      previousTurnStartMs = turnStartMs;
      turnStartMs = nowMs;
      afterPoll(leave);
    }
    return previousTurnStartMs;
  };
  return { enter };
}
