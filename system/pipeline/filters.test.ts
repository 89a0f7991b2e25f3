import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type DeviceState, newState, withFix } from './device-state.ts';
import { metersBetween } from './distance.ts';
import type { Fix } from './event.ts';
import { createJudge, type Reason, reasons } from './filters.ts';
import { type FilterSettings, filtersOff } from './settings.ts';

const atMs = Date.parse('2026-11-25T12:00:00Z');
const fix = (change: Partial<Fix> = {}): Fix => ({
  lat: 52,
  lon: 4,
  recordedAtMs: atMs,
  receivedAtMs: atMs,
  accuracyMeters: undefined,
  speedMetersPerSecond: undefined,
  isDisowned: false,
  isApproximate: false,
  ...change,
});
const having = (...fixes: readonly Fix[]): DeviceState => fixes.reduce(withFix, newState);
const judge = (settings: Partial<FilterSettings>, judged: Fix, state: DeviceState = newState): Reason | undefined =>
  createJudge({ ...filtersOff, ...settings })(judged, state);

const metersNorth = (meters: number): number => meters / metersBetween({ lat: 52, lon: 4 }, { lat: 53, lon: 4 });

type Side = { readonly settings: (threshold: number) => Partial<FilterSettings>; readonly fix: (value: number) => Fix; readonly state?: DeviceState };
type Case = Side & { readonly reason: Reason; readonly threshold: number; readonly keeps: number; readonly drops: number };

const first = having(fix());
const cases: readonly Case[] = [
  { reason: 'invalid', threshold: 0, keeps: 0, drops: -0.001, settings: (n) => ({ invalidMeters: n }), fix: (n) => fix({ accuracyMeters: n }) },
  { reason: 'zero', threshold: 0.5, keeps: 0.501, drops: 0.5, settings: (n) => ({ zeroDegrees: n }), fix: (n) => fix({ lat: n, lon: -n }) },
  { reason: 'duplicate', threshold: 5, keeps: 6, drops: 5, settings: (n) => ({ duplicateMs: n }), fix: (n) => fix({ recordedAtMs: atMs + n }), state: first },
  { reason: 'future', threshold: 1000, keeps: 1000, drops: 1001, settings: (n) => ({ futureMs: n }), fix: (n) => fix({ recordedAtMs: atMs + n }) },
  { reason: 'past', threshold: 1000, keeps: 1000, drops: 1001, settings: (n) => ({ pastMs: n }), fix: (n) => fix({ recordedAtMs: atMs - n }) },
  { reason: 'accuracy', threshold: 50, keeps: 50, drops: 50.1, settings: (n) => ({ accuracyMeters: n }), fix: (n) => fix({ accuracyMeters: n }) },
  {
    reason: 'approximate',
    threshold: 50,
    keeps: 50,
    drops: 50.1,
    settings: (n) => ({ approximateMeters: n }),
    fix: (n) => fix({ accuracyMeters: n, isApproximate: true }),
  },
  {
    reason: 'static',
    threshold: 0.5,
    keeps: 0.51,
    drops: 0.5,
    settings: (n) => ({ staticMetersPerSecond: n }),
    fix: (n) => fix({ speedMetersPerSecond: n }),
    state: first,
  },
  {
    reason: 'distance',
    threshold: 10,
    keeps: 10.001,
    drops: 9.999,
    settings: (n) => ({ distanceMeters: n }),
    fix: (n) => fix({ lat: 52 + metersNorth(n), recordedAtMs: atMs + 5000 }),
    state: first,
  },
  {
    reason: 'max-speed',
    threshold: 50,
    keeps: 49.99,
    drops: 50.01,
    settings: (n) => ({ maxSpeedMetersPerSecond: n }),
    fix: (n) => fix({ lat: 52 + metersNorth(n * 2), recordedAtMs: atMs + 2000 }),
    state: first,
  },
  {
    reason: 'min-period',
    threshold: 1000,
    keeps: 1000,
    drops: 999,
    settings: (n) => ({ minPeriodMs: n }),
    fix: (n) => fix({ recordedAtMs: atMs + n }),
    state: first,
  },
];

describe('each filter on both sides of its threshold', () => {
  test.each(cases)('$reason', ({ reason, threshold, keeps, drops, settings, fix: at, state }) => {
    expect(judge(settings(threshold), at(keeps), state)).toBeUndefined();
    expect(judge(settings(threshold), at(drops), state)).toBe(reason);
    expect(judge({}, at(drops), state)).toBeUndefined();
  });

  test('daily-limit counts what was kept, by the UTC day of reception', () => {
    const settings = { dailyLimitLocations: 2 };
    const two = having(fix(), fix({ recordedAtMs: atMs + 1 }));
    expect(judge(settings, fix(), having(fix()))).toBeUndefined();
    expect(judge(settings, fix(), two)).toBe('daily-limit');
    expect(judge(settings, fix({ receivedAtMs: Date.parse('2026-11-25T23:59:59.999Z') }), two)).toBe('daily-limit');
    expect(judge(settings, fix({ receivedAtMs: Date.parse('2026-11-26T00:00:00Z') }), two)).toBeUndefined();
  });

  test('a fix that calls itself invalid is; a reported speed beyond the limit counts by itself; what a device did not say drops nothing', () => {
    expect(judge({ invalidMeters: 0 }, fix({ isDisowned: true }))).toBe('invalid');
    expect(judge({ maxSpeedMetersPerSecond: 50 }, fix({ speedMetersPerSecond: 50.1 }))).toBe('max-speed');
    expect(judge({ invalidMeters: 0, accuracyMeters: 1, staticMetersPerSecond: 10 }, fix(), first)).toBeUndefined();
    expect(judge({ approximateMeters: 50 }, fix({ isApproximate: true }))).toBe('approximate');
  });
});

test('over random thresholds and values, the comparison is the threshold’s and nothing else', () => {
  const value = fc.integer({ min: 1, max: 100_000 });
  fc.assert(
    fc.property(value, value, (threshold, n) => {
      expect(judge({ futureMs: threshold }, fix({ recordedAtMs: atMs + n }))).toBe(n > threshold ? 'future' : undefined);
      expect(judge({ pastMs: threshold }, fix({ recordedAtMs: atMs - n }))).toBe(n > threshold ? 'past' : undefined);
      expect(judge({ accuracyMeters: threshold }, fix({ accuracyMeters: n }))).toBe(n > threshold ? 'accuracy' : undefined);
      expect(judge({ minPeriodMs: threshold }, fix({ recordedAtMs: atMs + n }), first)).toBe(n < threshold ? 'min-period' : undefined);
      const meters = metersBetween(fix(), fix({ lat: 52 + metersNorth(n) }));
      expect(judge({ distanceMeters: threshold }, fix({ lat: 52 + metersNorth(n) }), first)).toBe(meters < threshold ? 'distance' : undefined);
    }),
  );
});

test('the first filter in the contract’s order names the reason', () => {
  const all: FilterSettings = {
    invalidMeters: 0,
    zeroDegrees: 0,
    duplicateMs: 0,
    futureMs: 0,
    pastMs: 1e12,
    accuracyMeters: 0,
    approximateMeters: 0,
    staticMetersPerSecond: 100,
    distanceMeters: 1,
    maxSpeedMetersPerSecond: 1e9,
    minPeriodMs: 10_000,
    dailyLimitLocations: 0,
    skipLimitMs: 'off',
  };
  const wrong = { lat: 0, lon: 0, accuracyMeters: -1, isApproximate: true, speedMetersPerSecond: 0, recordedAtMs: atMs + 1 };
  const order: readonly [Reason, Partial<Fix>][] = [
    ['invalid', {}],
    ['zero', { accuracyMeters: 1 }],
    ['duplicate', { lat: 52, lon: 4, accuracyMeters: 1, recordedAtMs: atMs }],
    ['future', { lat: 1, accuracyMeters: 1 }],
    ['accuracy', { lat: 1, accuracyMeters: 1, recordedAtMs: atMs - 1 }],
    ['approximate', { lat: 1, accuracyMeters: undefined, recordedAtMs: atMs - 1 }],
    ['static', { lat: 1, accuracyMeters: undefined, recordedAtMs: atMs - 1, isApproximate: false }],
    ['distance', { lat: 52, lon: 4, accuracyMeters: undefined, recordedAtMs: atMs - 1, isApproximate: false, speedMetersPerSecond: undefined }],
    ['min-period', { lat: 1, accuracyMeters: undefined, recordedAtMs: atMs - 1, isApproximate: false, speedMetersPerSecond: undefined }],
    ['daily-limit', { lat: 1, accuracyMeters: undefined, recordedAtMs: atMs - 20_000, isApproximate: false, speedMetersPerSecond: undefined }],
  ];
  for (const [reason, change] of order) expect(judge(all, fix({ ...wrong, ...change }), first)).toBe(reason);
  const places = order.map(([reason]) => reasons.indexOf(reason));
  expect(places).toEqual([...places].sort((a, b) => a - b));
});

test('after long silence one comes through the filters that thin out, and through no other', () => {
  const late = (ms: number): Partial<Fix> => ({ receivedAtMs: atMs + ms, recordedAtMs: atMs + 1 });
  for (const settings of [{ staticMetersPerSecond: 1 }, { distanceMeters: 10 }, { maxSpeedMetersPerSecond: 0.0001 }, { minPeriodMs: 1000 }]) {
    const limited = { ...settings, skipLimitMs: 60_000 };
    const still = fix({ ...late(60_000), speedMetersPerSecond: 0.5 });
    expect(judge(limited, still, first)).toBeDefined();
    expect(judge(limited, { ...still, receivedAtMs: atMs + 60_001 }, first)).toBeUndefined();
    expect(judge(settings, { ...still, receivedAtMs: atMs + 60_001 }, first)).toBeDefined();
  }
  expect(judge({ skipLimitMs: 60_000, duplicateMs: 1 }, fix(late(1e6)), first)).toBe('duplicate');
  expect(judge({ skipLimitMs: 60_000, dailyLimitLocations: 1 }, fix(late(1e6)), first)).toBe('daily-limit');
});

test('a point is compared with the one before it in time, or the first one after, in whatever order they come', () => {
  const minute = (n: number): Fix => fix({ lat: 52 + n * 0.001, recordedAtMs: atMs + n * 60_000, receivedAtMs: atMs + 101 * 60_000 });
  const settings = { distanceMeters: 50 };
  const backwards = having(minute(10), minute(8), minute(6));
  expect(judge(settings, fix({ lat: 52.008, recordedAtMs: atMs + 9 * 60_000 }), backwards)).toBe('distance');
  expect(judge(settings, fix({ lat: 52.01, recordedAtMs: atMs + 9 * 60_000 }), backwards)).toBeUndefined();
  expect(judge(settings, fix({ lat: 52.006, recordedAtMs: atMs }), backwards)).toBe('distance');
  const flooded = having(minute(100), ...Array.from({ length: 20 }, (_, i) => minute(i)));
  expect(judge(settings, fix({ lat: 52.1, recordedAtMs: atMs + 101 * 60_000 }), flooded)).toBe('distance');
});
