/** From signals to the part of each lane that is let in. Pure but for its own state: time comes as ticks. */
import { type Lane, type LaneName, lanes } from './lanes.ts';

/** Each as a ratio to its setting: 1 is where the lowest lane begins to be shed. */
export type Signals = {
  readonly loopDelay: number;
  readonly logAge: number;
  readonly heap: number;
  readonly pendingBytes: number;
  /** What ingest itself waits. Those below it give way for that; it does not. */
  readonly ingestWait: number;
};

export type Pressure = {
  /** Every `tickMs`. */
  readonly tick: (signals: Signals) => void;
  /** Of [0.02, 1]; beside it each lane has its share. */
  readonly letIn: (lane: Lane) => number;
  /** True while the lane has not had its share of this tick: so few come in whatever the pressure. */
  readonly takeShare: (lane: Lane) => boolean;
};

export const tickMs = 100;
const partMin = 0.02;
const growth = 0.05;
/** For each percent of a lane's share: registrations have a hundred a second, which cost a core about 2 %. */
const requestsPerPercent = 2;

export function createPressure(): Pressure {
  const parts = Object.fromEntries(lanes.map(({ name }) => [name, 1])) as Record<LaneName, number>;
  const taken = Object.fromEntries(lanes.map(({ name }) => [name, 0])) as Record<LaneName, number>;
  let smoothedDelay = 0;
  return {
    letIn: ({ name }) => parts[name],
    takeShare: ({ name, sharePercent }) => taken[name]++ < sharePercent * requestsPerPercent,
    tick: ({ loopDelay, logAge, heap, pendingBytes, ingestWait }) => {
      // One long stop, as a collection of garbage, is no overload yet.
      smoothedDelay = (smoothedDelay + Math.max(loopDelay, ingestWait)) / 2;
      const others = Math.max(logAge, heap, pendingBytes);
      for (const { name, endures, enduresDelay } of lanes) {
        taken[name] = 0;
        const load = Math.max(smoothedDelay / enduresDelay, others / endures);
        if (load > 1) parts[name] = Math.max(partMin, parts[name] / 2);
        else if (load < 0.5) parts[name] = Math.min(1, parts[name] + growth);
      }
    },
  };
}

/** What is left decides, not what is used: 1 at nine tenths, 5 at 98 %, 20 at 99.5 %. */
export const ofRoom = (used: number, limit: number): number => (used >= limit ? Number.POSITIVE_INFINITY : 0.1 / (1 - used / limit));
