/** Settings of the pipeline's filters. */
import type { FilterSettings, Threshold } from './pipeline/settings.ts';
import type { Setting } from './setting.ts';

export type FilterConfig = { readonly [K in keyof FilterSettings as `filter${Capitalize<K>}`]: Threshold };

const threshold = (minimum: number, maximum: number, byDefault: Threshold) => ({
  read: (text: string): Threshold | undefined => {
    if (text === 'off') return 'off';
    const value = /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
    return value >= minimum && value <= maximum ? value : undefined;
  },
  expected: `off, or a number from ${minimum} to ${maximum}`,
  byDefault,
});

const hourMs = 3_600_000;
const yearMs = 365 * 24 * hourMs;
/** Clocks that were set back to 1970, and receivers whose week number overflowed (19.6 years). */
const pastMsDefault = 5 * yearMs;

/**
 * By default what cannot be true is left out, and nothing is thinned out: the SDK has sent what it was asked for. 350 m/s is more than an airliner with
 * the jet stream; beyond ten minutes a clock counts as wrong.
 */
export const filterSettings = {
  filterInvalidMeters: setting('invalid-meters', 'a fix whose accuracy is below this (or that says valid: false)', threshold(-1000, 1000, 0)),
  filterZeroDegrees: setting('zero-degrees', 'a location so near 0, 0 in both coordinates', threshold(0, 10, 0)),
  filterDuplicateMs: setting('duplicate-ms', 'the same place recorded at most so long apart', threshold(0, 24 * hourMs, 0)),
  filterFutureMs: setting('future-ms', 'a location recorded so long after its reception', threshold(0, yearMs, 600_000)),
  filterPastMs: setting('past-ms', 'a location recorded so long before its reception', threshold(0, 100 * yearMs, pastMsDefault)),
  filterAccuracyMeters: setting('accuracy-meters', 'a location less accurate than this', threshold(0, 1e6, 1000)),
  filterApproximateMeters: setting('approximate-meters', 'a location from cells or wifi that is less accurate than this', threshold(0, 1e6, 200)),
  filterStaticMetersPerSecond: setting('static-meters-per-second', 'a location with a speed up to this', threshold(0, 1000, 'off')),
  filterDistanceMeters: setting('distance-meters', 'a location nearer than this to the one before', threshold(0, 1e6, 'off')),
  filterMaxSpeedMetersPerSecond: setting('max-speed-meters-per-second', 'a location that it takes more speed to come to', threshold(0, 1e5, 350)),
  filterMinPeriodMs: setting('min-period-ms', 'a location recorded sooner than this after the one before', threshold(0, 24 * hourMs, 'off')),
  filterDailyLimitLocations: setting('daily-limit-locations', 'locations beyond so many a device and day', threshold(0, 1e6, 'off')),
  filterSkipLimitMs: setting(
    'skip-limit-ms',
    'static, distance, max-speed and min-period after so long without a kept location',
    threshold(0, yearMs, 600_000),
    '',
  ),
} as const satisfies { [K in keyof FilterConfig]: Setting<Threshold> };

function setting(name: string, about: string, rest: Pick<Setting<Threshold>, 'read' | 'expected' | 'byDefault'>, verb = 'filters '): Setting<Threshold> {
  const text = verb === '' ? `does without ${about}` : `${verb}${about}`;
  return { flag: `filter-${name}`, env: `HEADROOM_FILTER_${name.toUpperCase().replaceAll('-', '_')}`, about: text, ...rest };
}

export const filtersOf = (config: FilterConfig): FilterSettings => ({
  invalidMeters: config.filterInvalidMeters,
  zeroDegrees: config.filterZeroDegrees,
  duplicateMs: config.filterDuplicateMs,
  futureMs: config.filterFutureMs,
  pastMs: config.filterPastMs,
  accuracyMeters: config.filterAccuracyMeters,
  approximateMeters: config.filterApproximateMeters,
  staticMetersPerSecond: config.filterStaticMetersPerSecond,
  distanceMeters: config.filterDistanceMeters,
  maxSpeedMetersPerSecond: config.filterMaxSpeedMetersPerSecond,
  minPeriodMs: config.filterMinPeriodMs,
  dailyLimitLocations: config.filterDailyLimitLocations,
  skipLimitMs: config.filterSkipLimitMs,
});
