/**
 * Whether a group of appends waits for company before it goes to the writing thread. A transaction costs the same for
 * one event as for dozens: at a high rate a few milliseconds halve what an event costs, at a low one they would only
 * be waited. Pure but for its own counts: time comes in as an argument.
 */

export type WaitingGroup = {
  readonly commands: number;
  readonly begunAtMs: number;
  readonly nowMs: number;
};

export type Company = {
  /** Told of each command that comes. */
  readonly came: (nowMs: number) => void;
  /** Asked at the end of the turn that began the group, then every millisecond while the answer is true. */
  readonly isWorthWaiting: (group: WaitingGroup) => boolean;
};

/** No group waits for longer, and none of this many commands waits at all. */
export const groupWaitMsMax = 5;
export const groupCommandsMax = 64;
/** At this rate the longest wait brings four commands; below it waiting buys too little. */
const commandsPerSecondMin = 800;
/** The rate is that of the last full window. */
const windowMs = 50;

export function createCompany(): Company {
  let window = { begunAtMs: Number.NEGATIVE_INFINITY, commands: 0 };
  let commandsPerSecond = 0;
  let lookedAt: WaitingGroup = { commands: 0, begunAtMs: Number.NaN, nowMs: 0 };
  return {
    came: (nowMs) => {
      const lastedMs = nowMs - window.begunAtMs;
      if (lastedMs >= windowMs) {
        commandsPerSecond = (window.commands * 1000) / lastedMs;
        window = { begunAtMs: nowMs, commands: 0 };
      }
      window.commands++;
    },
    isWorthWaiting: (group) => {
      const { commands, begunAtMs, nowMs } = group;
      // A few clients that all wait for their answers send nothing: a group that has stopped growing goes.
      const isGrowing = begunAtMs !== lookedAt.begunAtMs || commands > lookedAt.commands;
      lookedAt = group;
      if (commands >= groupCommandsMax || nowMs - begunAtMs >= groupWaitMsMax) return false;
      return isGrowing && commandsPerSecond >= commandsPerSecondMin;
    },
  };
}
