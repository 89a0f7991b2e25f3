/** Says where the wall clock was put: what lasts does not follow it, but instants that somebody reads do. */
import { type Clock, storeMsOf } from '#system/clock.ts';

export type ClockWatch = {
  /** How far the wall clock is ahead of real time since the data were begun. */
  readonly offsetSeconds: () => number;
};

type Watching = { readonly clock: Clock; readonly onStep: (text: string) => void };

/** Less is what two readings differ by on a busy machine. */
const stepMsMin = 1000;
const lookEveryMs = 1000;

export function watchClock({ clock, onStep }: Watching): ClockWatch {
  const offsetMs = (): number => clock.wallMs() - storeMsOf(clock);
  let knownMs = offsetMs();
  const look = (): void => {
    const stepMs = offsetMs() - knownMs;
    if (Math.abs(stepMs) < stepMsMin) return;
    knownMs += stepMs;
    const seconds = (Math.abs(stepMs) / 1000).toFixed(1);
    onStep(`the wall clock was put ${stepMs < 0 ? 'back' : 'forward'} by ${seconds} s; what is kept, leased or due follows real time, as before`);
  };
  setInterval(look, lookEveryMs).unref();
  return { offsetSeconds: () => offsetMs() / 1000 };
}
