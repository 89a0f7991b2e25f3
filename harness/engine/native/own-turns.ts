import type { TurnsOptions } from './called-turns.ts';
import { Density } from './density.ts';
import { sleepMaxMs } from './shared-pace.ts';
import type { Wires } from './wire/wire.ts';

/** An answer that is read late keeps its connection that much longer. */
const deafMaxMs = 0.25;

/**
 * Where arrivals are dense, what is due within this time after a turn is fired together: the longest that keeps the dispatch delay's p99 below 0.2 ms, but not more than
 * so many mean gaps, which keeps the arrivals' dispersion below 1.3. Measured: see README, "What a wake-up costs".
 */
const togetherMsMax = 0.12;
const gapsTogetherMax = 1.1;

export type OwnTurnsOptions = TurnsOptions & { readonly sleep: NonNullable<Wires['sleep']>; readonly stampsArrivals: boolean };

/**
 * Turns for the core where the thread sleeps in its own sockets. Where arrivals are rare, bytes wake it too. Where they are dense and the kernel says when bytes
 * came, only arrivals wake it, since an answer that is read at the next of them was there when the kernel says: that halves the wake-ups. The runtime's own loop (messages, collections'
 * observers) has its turn every few milliseconds.
 */
export function takeOwnTurns({ core, nowMs, rest, afterTurn, sleepMinMs = togetherMsMax, napBelowMs, sleep, stampsArrivals }: OwnTurnsOptions): void {
  const density = new Density(stampsArrivals ? napBelowMs : 0);
  const turns = (): void => {
    const untilMs = nowMs() + sleepMaxMs;
    let atMs: number;
    do {
      core.turn();
      atMs = nowMs();
      afterTurn(atMs);
      const isDense = density.look(atMs, core.arrivalsFired);
      const togetherMs = Math.min(sleepMinMs, gapsTogetherMax * density.gapMs);
      if (isDense) rest.ms += sleep(Math.min(Math.max(core.nextDueMs, atMs + togetherMs), atMs + deafMaxMs), 'deaf');
      else rest.ms += sleep(Math.min(core.nextDueMs, untilMs), 'until-bytes');
    } while (nowMs() < untilMs);
    setImmediate(turns);
  };
  turns();
}
