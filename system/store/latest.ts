import type { LatestLocation } from './store.ts';

/** In the order of (recordedAtMs, id): whatever order they come in, the same one is the latest in the end. */
export function isLater(candidate: LatestLocation, present: LatestLocation | undefined): boolean {
  if (present === undefined) return true;
  return candidate.recordedAtMs === present.recordedAtMs ? candidate.id > present.id : candidate.recordedAtMs > present.recordedAtMs;
}
