/** When what somebody is accused of was planned, sent and acknowledged: on the run's clock, and on the wall. Pure. */
import type { KeptTime } from '#harness/engine/kept-times.ts';

/** `…Ms`: since the run's origin. `…At`: RFC 3339. What nobody kept is missing; `sent` is of the try that was acknowledged. */
export type ArrivalTimes = {
  readonly plannedMs?: number;
  readonly plannedAt?: string;
  readonly sentMs?: number;
  readonly sentAt?: string;
  readonly acknowledgedMs?: number;
  readonly acknowledgedAt?: string;
  /** Of the acknowledgement; that it was complete and correct was judged when it came. Its bytes are not kept. */
  readonly status?: number;
};

export type KnownTimes = {
  readonly plannedMs?: number | undefined;
  readonly kept?: (Omit<KeptTime, 'status'> & Partial<Pick<KeptTime, 'status'>>) | undefined;
  /** Wall clock at the run's origin; missing where this machine did not drive the run. */
  readonly originWallMs?: number | undefined;
};

export function arrivalTimesOf({ plannedMs, kept, originWallMs }: KnownTimes): ArrivalTimes {
  const at = (ms: number): string | undefined => (originWallMs === undefined ? undefined : new Date(originWallMs + ms).toISOString());
  const planned = plannedMs === undefined ? {} : { plannedMs, plannedAt: at(plannedMs) };
  const told = kept === undefined ? {} : { ...kept, sentAt: at(kept.sentMs), acknowledgedAt: at(kept.acknowledgedMs) };
  const known = Object.entries({ ...planned, ...told }).filter(([, value]) => value !== undefined);
  return Object.fromEntries(known) as ArrivalTimes;
}
