/** Thresholds of the filters, one a filter. `off`: the filter lets everything through. */

export type Threshold = number | 'off';

export type FilterSettings = {
  /** Accuracy below this, or `valid: false`: there was no fix. iOS says so by a negative accuracy. */
  readonly invalidMeters: Threshold;
  /** So near 0° N 0° E in both coordinates: a receiver that had no fix. */
  readonly zeroDegrees: Threshold;
  /** The same place, recorded at most so long apart from one that was kept. */
  readonly duplicateMs: Threshold;
  /** Recorded so long after its reception. */
  readonly futureMs: Threshold;
  /** Recorded so long before its reception. */
  readonly pastMs: Threshold;
  readonly accuracyMeters: Threshold;
  /** Accuracy of a fix that came from cells or wifi. */
  readonly approximateMeters: Threshold;
  /** A reported speed up to this. */
  readonly staticMetersPerSecond: Threshold;
  /** Nearer than this to the one before. */
  readonly distanceMeters: Threshold;
  /** Reported, or what it takes to come from the one before. */
  readonly maxSpeedMetersPerSecond: Threshold;
  /** Recorded sooner than this after the one before. */
  readonly minPeriodMs: Threshold;
  /** Locations kept of a device and a UTC day of reception. */
  readonly dailyLimitLocations: Threshold;
  /** After so long without a location that was kept, the filters that thin out let one through. */
  readonly skipLimitMs: Threshold;
};

export const filtersOff: FilterSettings = {
  invalidMeters: 'off',
  zeroDegrees: 'off',
  duplicateMs: 'off',
  futureMs: 'off',
  pastMs: 'off',
  accuracyMeters: 'off',
  approximateMeters: 'off',
  staticMetersPerSecond: 'off',
  distanceMeters: 'off',
  maxSpeedMetersPerSecond: 'off',
  minPeriodMs: 'off',
  dailyLimitLocations: 'off',
  skipLimitMs: 'off',
};
