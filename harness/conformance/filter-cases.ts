/** For R38: every filter, what stands just on either side of its threshold, and the settings of the service that is asked. */

export const filterEnvironment: Readonly<Record<string, string>> = {
  HEADROOM_FILTER_INVALID_METERS: '0',
  HEADROOM_FILTER_ZERO_DEGREES: '0.001',
  HEADROOM_FILTER_DUPLICATE_MS: '100',
  HEADROOM_FILTER_FUTURE_MS: '600000',
  HEADROOM_FILTER_PAST_MS: '86400000',
  HEADROOM_FILTER_ACCURACY_METERS: '500',
  HEADROOM_FILTER_APPROXIMATE_METERS: '100',
  HEADROOM_FILTER_STATIC_METERS_PER_SECOND: '0.2',
  HEADROOM_FILTER_DISTANCE_METERS: '10',
  HEADROOM_FILTER_MAX_SPEED_METERS_PER_SECOND: '100',
  HEADROOM_FILTER_MIN_PERIOD_MS: '1000',
  HEADROOM_FILTER_DAILY_LIMIT_LOCATIONS: '5',
  HEADROOM_FILTER_SKIP_LIMIT_MS: '3600000',
};

type Sent = { readonly atMs: number; readonly data: Readonly<Record<string, unknown>>; readonly outcome: string };
export type FilterCase = { readonly reason: string; readonly events: readonly Sent[] };

const metersPerDegree = 111_195;
const home = { lat: 52, lon: 4.9, accuracy: 5 };
const north = (meters: number, more: Readonly<Record<string, unknown>> = {}) => ({ ...home, lat: home.lat + meters / metersPerDegree, ...more });
/** The clocks of both sides differ, and sending takes time. */
const marginMs = 60_000;

/** Each from a device that has sent nothing; points of one case are far enough apart for every other filter. */
export function filterCases(nowMs: number): readonly FilterCase[] {
  const beginMs = nowMs - 600_000;
  const at = (seconds: number): number => beginMs + seconds * 1000;
  const dayMs = 86_400_000;
  const one = (reason: string, keeps: Readonly<Record<string, unknown>>, drops: Readonly<Record<string, unknown>>): FilterCase => ({
    reason,
    events: [
      { atMs: at(0), data: keeps, outcome: 'kept' },
      { atMs: at(60), data: { ...drops, ...('lat' in drops && drops.lat === home.lat ? { lat: home.lat + 0.01 } : {}) }, outcome: reason },
    ],
  });
  return [
    one('invalid', { ...home, accuracy: 0 }, { ...home, accuracy: -1 }),
    one('zero', { ...home, lat: 0.0011, lon: 0 }, { ...home, lat: 0.0009, lon: -0.0009 }),
    {
      reason: 'duplicate',
      events: [
        { atMs: at(0), data: north(0), outcome: 'kept' },
        { atMs: at(0.1), data: north(0), outcome: 'duplicate' },
        // Not the same fix any more: the next filter that minds is another.
        { atMs: at(0.101), data: north(0), outcome: 'distance' },
      ],
    },
    {
      reason: 'future',
      events: [
        { atMs: nowMs + 600_000 - marginMs, data: north(0), outcome: 'kept' },
        { atMs: nowMs + 600_000 + marginMs, data: north(1000), outcome: 'future' },
      ],
    },
    {
      reason: 'past',
      events: [
        { atMs: nowMs - dayMs + marginMs, data: north(0), outcome: 'kept' },
        { atMs: nowMs - dayMs - marginMs, data: north(1000), outcome: 'past' },
      ],
    },
    one('accuracy', { ...home, accuracy: 500 }, { ...home, accuracy: 500.1 }),
    one('approximate', { ...home, accuracy: 100, provider: 'network' }, { ...home, accuracy: 100.1, provider: 'network' }),
    one('static', { ...home, speed: 0.21 }, { ...home, speed: 0.2 }),
    {
      reason: 'distance',
      events: [
        { atMs: at(0), data: north(0), outcome: 'kept' },
        { atMs: at(60), data: north(9.9), outcome: 'distance' },
        { atMs: at(120), data: north(10.1), outcome: 'kept' },
      ],
    },
    {
      reason: 'max-speed',
      events: [
        { atMs: at(0), data: north(0), outcome: 'kept' },
        { atMs: at(10), data: north(1005), outcome: 'max-speed' },
        { atMs: at(10), data: north(995), outcome: 'kept' },
      ],
    },
    {
      reason: 'min-period',
      events: [
        { atMs: at(0), data: north(0), outcome: 'kept' },
        { atMs: at(0.999), data: north(50), outcome: 'min-period' },
        { atMs: at(1), data: north(50), outcome: 'kept' },
      ],
    },
    {
      reason: 'daily-limit',
      events: Array.from({ length: 7 }, (_, i) => ({ atMs: at(i * 60), data: north(i * 100), outcome: i < 5 ? 'kept' : 'daily-limit' })),
    },
  ];
}
