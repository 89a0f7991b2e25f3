import fc from 'fast-check';
import { expect, test } from 'vitest';
import { placeOf } from './event-body.ts';
import { eventIdOf, parseEventId, probeNameOf } from './event-ids.ts';
import { habitsOf } from './habits.ts';
import { noItems, type OperationContext, type OperationResponse } from './operation.ts';
import { operations } from './operations.ts';
import { launchedDeviceOf, launchOfDevice } from './storm-operations.ts';

const context = (change: Partial<OperationContext> = {}): OperationContext => ({
  run: 'abc123def456',
  arrival: 41,
  device: { deviceId: 'd-1', token: 't', secret: '', publishable: 'Basic cA==' },
  eventsPerBatch: 1,
  intendedWallMs: 1_790_000_000_007,
  chance: 0.25,
  items: noItems,
  ...change,
});
const operation = (name: string) => operations.find((candidate) => candidate.name === name) ?? expect.fail(name);
const answer = (status: number, body: unknown, headers: Record<string, string> = {}): OperationResponse => ({
  status,
  header: (name) => headers[name],
  body: typeof body === 'string' ? body : JSON.stringify(body),
});
const right = { accepted: 1, duplicate: 0, rejected: [], position: 'p1', durability: 'fsync' };

test('an event id names its place in the plan, and only in its own run', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 100_000_000 }), fc.integer({ min: 0, max: 499 }), (arrival, index) => {
      expect(parseEventId('run1', eventIdOf('run1', arrival, index))).toEqual({ arrival, index });
      expect(parseEventId('run2', eventIdOf('run1', arrival, index))).toBeUndefined();
    }),
  );
});

test("the probe's ids are never the run's, whatever letters the run drew", () => {
  fc.assert(
    fc.property(fc.stringMatching(/^[0-9a-z]{12}$/), fc.nat(1e6), (run, arrival) => {
      expect(parseEventId(run, eventIdOf(probeNameOf(run), arrival, 0))).toBeUndefined();
      expect(parseEventId(probeNameOf(run), eventIdOf(run, arrival, 0))).toBeUndefined();
    }),
  );
});

test('an ingest request is JSON of about 300 bytes an event, with the intended time', () => {
  const { body } = operation('ingest').request(context({ eventsPerBatch: 3 }));
  const events = JSON.parse(body) as { id: string; recorded_at: string }[];
  expect(events.map(({ id }) => id)).toEqual([0, 1, 2].map((index) => eventIdOf('abc123def456', 41, index)));
  expect(events[0]?.recorded_at).toBe(new Date(1_790_000_000_007).toISOString());
  expect(body.length / 3).toBeGreaterThan(250);
});

test('a device moves as fast as it says, and each has a home of its own', () => {
  const metersPerDegree = 111_195;
  for (const device of ['d0', 'd1', 'phone-77']) {
    for (const fromMs of [1_790_000_000_000, 1_790_000_123_456]) {
      const [a, b] = [placeOf(device, fromMs), placeOf(device, fromMs + 10_000)];
      const north = (b.lat - a.lat) * metersPerDegree;
      const east = (b.lon - a.lon) * metersPerDegree * Math.cos((a.lat * Math.PI) / 180);
      expect(Math.hypot(north, east) / 10).toBeGreaterThan(13.4 * 0.97);
      expect(Math.hypot(north, east) / 10).toBeLessThan(13.4 * 1.03);
      const heading = ((Math.atan2(east, north) * 180) / Math.PI + 360) % 360;
      expect(Math.abs(((heading - a.bearing + 540) % 360) - 180)).toBeLessThan(10);
    }
  }
  expect(placeOf('d0', 0)).not.toEqual(placeOf('d1', 0));
});

test('a right answer is good', () => {
  expect(operation('ingest').judge(answer(202, right), context())).toEqual({ kind: 'good', acknowledged: 1, duplicate: 0 });
});

test.each([
  ['another success', 200, right],
  ['no JSON', 202, 'OK'],
  ['a count too few', 202, { ...right, accepted: 0 }],
  ['a count too many', 202, { ...right, accepted: 2 }],
  ['something rejected', 202, { ...right, rejected: [{ index: 0 }] }],
  ['no position', 202, { ...right, position: undefined }],
  ['no durability', 202, { ...right, durability: undefined }],
  ['an error', 500, {}],
])('%s is failed', (_, status, body) => {
  expect(operation('ingest').judge(answer(status, body), context()).kind).toBe('failed');
});

test('a refusal counts as shed only with a Retry-After that can be read', () => {
  expect(operation('ingest').judge(answer(503, {}, { 'retry-after': '3' }), context())).toEqual({ kind: 'shed', retryAfterSeconds: 3 });
  expect(operation('ingest').judge(answer(503, {}), context()).kind).toBe('failed');
  expect(operation('ingest').judge(answer(429, {}, { 'retry-after': 'soon' }), context()).kind).toBe('failed');
});

test('what a device learns comes from the answer', () => {
  expect(operation('authenticate').judge(answer(200, { access_token: 'x', device_secret: 's' }), context())).toMatchObject({
    kind: 'good',
    learned: { token: 'x', secret: 's' },
  });
  expect(operation('authenticate').judge(answer(200, {}), context()).kind).toBe('failed');
  expect(operation('register').judge(answer(201, { device_secret: 's' }), context())).toMatchObject({ kind: 'good', learned: { secret: 's' } });
  expect(operation('register').judge(answer(201, {}), context()).kind).toBe('failed');
  expect(operation('location').judge(answer(404, { code: 'not-found' }), context()).kind).toBe('failed');
});

test('a launch registers a device that nobody knows, the same one at every try', () => {
  const launch = operation('register-new');
  expect(launch.request(context()).path).toBe('/v1/devices/n-abc123def456-15');
  expect(launch.request(context())).toEqual(launch.request(context()));
  expect(launch.judge(answer(201, { device_secret: 's' }), context())).toEqual({ kind: 'good', acknowledged: 0, duplicate: 0 });
  expect(launch.judge(answer(201, {}), context()).kind).toBe('failed');
  expect(launch.judge(answer(200, { changed: false }), context()).kind).toBe('failed');
  expect(launch.judge(answer(503, {}, { 'retry-after': '2' }), context())).toEqual({ kind: 'shed', retryAfterSeconds: 2 });
});

test('the device of a launch names its arrival, and no other device does', () => {
  for (const arrival of [0, 9, 35, 36, 46_655, 99_999_999]) expect(launchOfDevice('abc123def456', launchedDeviceOf('abc123def456', arrival))).toBe(arrival);
  for (const other of ['n-abc123def457-15', 'd-abc123def456-15', 'n-abc123def456-', 'n-abc123def456-01', 'n-abc123def456-1-2', ''])
    expect(launchOfDevice('abc123def456', other)).toBeUndefined();
});

test('a flush sends what was gathered for hours, the newest first, each event once', () => {
  const events = JSON.parse(operation('flush').request(context({ eventsPerBatch: 50 })).body) as { id: string; recorded_at: string }[];
  expect(new Set(events.map(({ id }) => id)).size).toBe(50);
  expect(events.map(({ recorded_at: at }) => at)).toEqual(
    events
      .map(({ recorded_at: at }) => at)
      .toSorted()
      .toReversed(),
  );
  expect(Date.parse(events[0]?.recorded_at ?? '') - Date.parse(events[49]?.recorded_at ?? '')).toBe(49 * 5 * 60_000 - 49);
});

test('a flood is sent as the loud account’s device, and says the same otherwise', () => {
  const device = { deviceId: 'd-1', token: 't', secret: '', publishable: 'Basic cA==', loudToken: 'loud' };
  const [flood, ingest] = ['flood', 'ingest'].map((name) => operation(name).request(context({ device })));
  expect(flood?.headers).toContain('Authorization: Bearer loud');
  expect(ingest?.headers).toContain('Authorization: Bearer t');
  expect(flood?.body).toBe(ingest?.body);
});

test('who walks, stands, or has a wrong clock says so in its events', () => {
  const device = { deviceId: 'd-1', token: 't', secret: '', publishable: 'Basic cA==', habits: { motion: 'walk', clockAheadMs: 3_600_000 } } as const;
  const body = JSON.parse(operation('ingest').request(context({ device })).body) as {
    sent_at: string;
    events: { recorded_at: string; data: { motion: string } }[];
  };
  const [sentMs, recordedMs] = [body.sent_at, body.events[0]?.recorded_at ?? ''].map(Date.parse);
  expect(sentMs).toBe(1_790_000_000_007 + 3_600_000);
  expect(recordedMs).toBe(sentMs);
  expect(body.events[0]?.data.motion).toBe('walking');
  const still = JSON.parse(operation('ingest').request(context({ device: { ...device, habits: { motion: 'still' } } })).body) as { data: object }[];
  expect(still[0]?.data).toMatchObject({ speed: 0, motion: 'stationary' });
});

test('habits are spread over a fleet as its shares say, in any part of it', () => {
  const habits = { motion: { walking: 0.3, still: 0.2 }, clock: { wrong: 0.1, aheadMs: -5000 } };
  for (const [from, to] of [
    [0, 1000],
    [400, 600],
  ] as const) {
    const part = Array.from({ length: to - from }, (_, index) => habitsOf(from + index, habits));
    const share = (is: (one: (typeof part)[number]) => boolean) => part.filter(is).length / part.length;
    expect(share((one) => one?.motion === 'walk')).toBeCloseTo(0.3, 1);
    expect(share((one) => one?.motion === 'still')).toBeCloseTo(0.2, 1);
    expect(share((one) => one?.clockAheadMs === -5000)).toBeCloseTo(0.1, 1);
  }
  expect(habitsOf(7, {})).toBeUndefined();
});
