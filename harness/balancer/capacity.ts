/**
 * Capacity that has to be warmed: it grows only while it is used, by at most a factor in a time. Pure; time comes in as milliseconds of the
 * balancer's own, scaled clock.
 */
import type { CapacitySettings } from './presets.ts';
import type { Load } from './units.ts';

export type Capacity = {
  readonly units: () => number;
  /** Whether one more connection fits now; one that does is counted. */
  readonly admit: (nowMs: number) => boolean;
  readonly release: () => void;
  readonly moved: (bytes: number) => void;
  readonly requested: () => void;
  /** Once a second: what the last second used, and so how the next ones may grow. */
  readonly settle: (nowMs: number) => void;
};

/** Growth begins where this much of the capacity is used. */
const usedShare = 0.5;

export function createCapacity(settings: CapacitySettings, unitsOf: (load: Load) => number, startMs: number): Capacity {
  let units = settings.initialUnits;
  let settledMs = startMs;
  let opened = 0;
  let active = 0;
  let bytes = 0;
  let requests = 0;
  const loadOver = (seconds: number): Load => ({
    newConnectionsPerSecond: opened / seconds,
    activeConnections: active,
    bytesPerSecond: bytes / seconds,
    requestsPerSecond: requests / seconds,
  });
  return {
    units: () => units,
    admit: (nowMs) => {
      // Over the second that is running: a burst is not excused by the calm before it.
      const seconds = Math.max(1, (nowMs - settledMs) / 1000);
      opened++;
      active++;
      if (unitsOf(loadOver(seconds)) <= units) return true;
      opened--;
      active--;
      return false;
    },
    release: () => {
      active--;
    },
    moved: (count) => {
      bytes += count;
    },
    requested: () => {
      requests++;
    },
    settle: (nowMs) => {
      const seconds = (nowMs - settledMs) / 1000;
      if (seconds <= 0) return;
      if (unitsOf(loadOver(seconds)) >= units * usedShare) units *= settings.growthFactor ** ((nowMs - settledMs) / settings.growthMs);
      settledMs = nowMs;
      opened = 0;
      bytes = 0;
      requests = 0;
    },
  };
}
