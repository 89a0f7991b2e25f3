/**
 * The filters, in the order of CONTRACT §4, as pure functions over a fix and what is known of its device. The first that drops it names the
 * reason. Only locations are judged: a change of state is never filtered.
 */
import { type DeviceState, dayMs, neighbourOf, type Point } from './device-state.ts';
import { metersBetween } from './distance.ts';
import type { Fix } from './event.ts';
import type { FilterSettings } from './settings.ts';

export const reasons = [
  'invalid',
  'zero',
  'duplicate',
  'future',
  'past',
  'accuracy',
  'approximate',
  'static',
  'distance',
  'max-speed',
  'min-period',
  'daily-limit',
] as const;
export type Reason = (typeof reasons)[number];

type Judged = { readonly fix: Fix; readonly state: DeviceState; readonly neighbour: Point | undefined };
type Drops = (judged: Judged, threshold: number) => boolean;

/** Two fixes within a second are compared as if it had been one: over less, the receiver's own error looks like any speed. */
const comparedMsMin = 1000;

const speedBetween = (fix: Fix, point: Point): number =>
  metersBetween(point, fix) / (Math.max(comparedMsMin, Math.abs(fix.recordedAtMs - point.recordedAtMs)) / 1000);

const isSameFix = (fix: Fix, point: Point, withinMs: number): boolean =>
  fix.lat === point.lat && fix.lon === point.lon && Math.abs(fix.recordedAtMs - point.recordedAtMs) <= withinMs;

type Filter = {
  readonly reason: Reason;
  readonly setting: Exclude<keyof FilterSettings, 'skipLimitMs'>;
  readonly drops: Drops;
  /** Thins out what is right in itself: the skip limit lets one through. */
  readonly thins?: true;
};

const filters: readonly Filter[] = [
  {
    reason: 'invalid',
    setting: 'invalidMeters',
    drops: ({ fix }, meters) => fix.isDisowned || (fix.accuracyMeters !== undefined && fix.accuracyMeters < meters),
  },
  { reason: 'zero', setting: 'zeroDegrees', drops: ({ fix }, degrees) => Math.abs(fix.lat) <= degrees && Math.abs(fix.lon) <= degrees },
  { reason: 'duplicate', setting: 'duplicateMs', drops: ({ fix, state }, ms) => state.points.some((point) => isSameFix(fix, point, ms)) },
  { reason: 'future', setting: 'futureMs', drops: ({ fix }, ms) => fix.recordedAtMs - fix.receivedAtMs > ms },
  { reason: 'past', setting: 'pastMs', drops: ({ fix }, ms) => fix.receivedAtMs - fix.recordedAtMs > ms },
  { reason: 'accuracy', setting: 'accuracyMeters', drops: ({ fix }, meters) => fix.accuracyMeters !== undefined && fix.accuracyMeters > meters },
  {
    reason: 'approximate',
    setting: 'approximateMeters',
    drops: ({ fix }, meters) => fix.isApproximate && (fix.accuracyMeters === undefined || fix.accuracyMeters > meters),
  },
  {
    reason: 'static',
    setting: 'staticMetersPerSecond',
    thins: true,
    // Where a device comes to rest is news; that it lies there still is not.
    drops: ({ fix, neighbour }, limit) => neighbour !== undefined && fix.speedMetersPerSecond !== undefined && fix.speedMetersPerSecond <= limit,
  },
  {
    reason: 'distance',
    setting: 'distanceMeters',
    thins: true,
    drops: ({ fix, neighbour }, meters) => neighbour !== undefined && metersBetween(neighbour, fix) < meters,
  },
  {
    reason: 'max-speed',
    setting: 'maxSpeedMetersPerSecond',
    // One wrong fix that was kept must not hold back all right ones behind it.
    thins: true,
    drops: ({ fix, neighbour }, limit) => (fix.speedMetersPerSecond ?? 0) > limit || (neighbour !== undefined && speedBetween(fix, neighbour) > limit),
  },
  {
    reason: 'min-period',
    setting: 'minPeriodMs',
    thins: true,
    drops: ({ fix, neighbour }, ms) => neighbour !== undefined && Math.abs(fix.recordedAtMs - neighbour.recordedAtMs) < ms,
  },
  {
    reason: 'daily-limit',
    setting: 'dailyLimitLocations',
    drops: ({ fix, state }, limit) => state.day === Math.floor(fix.receivedAtMs / dayMs) && state.dayCount >= limit,
  },
];

/** Why the fix is dropped; undefined where it is kept. */
export type Judge = (fix: Fix, state: DeviceState) => Reason | undefined;

export function createJudge(settings: FilterSettings): Judge {
  const active = filters.flatMap((filter) => {
    const threshold = settings[filter.setting];
    return threshold === 'off' ? [] : [{ ...filter, threshold }];
  });
  const skipLimitMs = settings.skipLimitMs === 'off' ? Number.POSITIVE_INFINITY : settings.skipLimitMs;
  return (fix, state) => {
    const judged: Judged = { fix, state, neighbour: neighbourOf(state, fix.recordedAtMs) };
    const wasSilent = fix.receivedAtMs - state.keptAtMs > skipLimitMs;
    for (const { reason, thins, drops, threshold } of active) {
      if (thins === true && wasSilent) continue;
      if (drops(judged, threshold)) return reason;
    }
    return undefined;
  };
}
