import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { LogEvent } from '#system/store/store.ts';
import { newState, sayingsOf, withFix, withSaying } from './device-state.ts';
import { byDevice, deviceSteps } from './device-steps.ts';
import { fixOf, parseEvent } from './event.ts';
import { createJudge } from './filters.ts';
import { filtersOff } from './settings.ts';
import { decodeState, encodeState } from './state-codec.ts';

const startMs = Date.parse('2026-11-25T12:00:00Z');
let made = 0;
function logged(device: string, type: string, atMs: number, data: Record<string, unknown>): LogEvent {
  const position = (++made).toString(16).padStart(16, '0');
  const bytes = Buffer.from(JSON.stringify({ id: position, type, recorded_at: new Date(startMs + atMs).toISOString(), data }));
  return { partition: 0, position, account: 'a', device, id: position, receivedAtMs: startMs + 60_000, bytes };
}
const strict = createJudge({ ...filtersOff, zeroDegrees: 0, futureMs: 0, pastMs: 120_000, distanceMeters: 10, dailyLimitLocations: 3 });

test('a state survives its bytes', () => {
  const place = fc.record({ lat: fc.double({ min: -90, max: 90, noNaN: true }), lon: fc.double({ min: -180, max: 180, noNaN: true }), atMs: fc.nat(1e9) });
  fc.assert(
    fc.property(fc.array(place, { maxLength: 9 }), fc.array(fc.string(), { maxLength: 3 }), (places, said) => {
      let state = newState;
      for (const { lat, lon, atMs } of places) {
        const fix = fixOf(parseEvent(logged('d', 'location', atMs, { lat, lon })));
        if (fix !== undefined) state = withFix(state, fix);
      }
      for (const [i, activity] of said.entries()) state = withSaying(state, parseEvent(logged('d', 'activity', i, { activity })));
      const again = decodeState(encodeState(state));
      expect({ ...again, sayings: sayingsOf(again) }).toEqual({ ...state, sayings: sayingsOf(state) });
    }),
  );
});

test('bytes of another version, or cut ones, are a device that nothing is known of', () => {
  const fix = fixOf(parseEvent(logged('d', 'location', 0, { lat: 1, lon: 2 })));
  if (fix === undefined) throw new Error('no fix');
  const bytes = encodeState(withFix(newState, fix));
  expect(decodeState(bytes.subarray(0, 80))).toEqual(newState);
  const other = Buffer.from(bytes);
  other.writeDoubleLE(2, 0);
  expect(decodeState(other)).toEqual(newState);
});

test('however a log is cut into steps, each event is judged the same, and every one is kept or filtered once', () => {
  const one = fc.record({
    device: fc.constantFrom('d', 'e'),
    type: fc.constantFrom('location', 'location', 'location', 'battery', 'trip'),
    atMs: fc.integer({ min: -100_000, max: 100_000 }),
    lat: fc.constantFrom(0, 52, 52.00001, 52.001),
  });
  fc.assert(
    fc.property(fc.array(one, { maxLength: 40 }), fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1, maxLength: 10 }), (all, cuts) => {
      const events = all.map(({ device, type, atMs, lat }) => logged(device, type, atMs, { lat, lon: lat === 0 ? 0 : 4, state: type }));
      const whole = stepAll(events, [events.length || 1]);
      expect(stepAll(events, cuts)).toEqual(whole);
      expect(Object.keys(whole).sort()).toEqual(events.map(({ position }) => position));
      for (const { type, position } of events.map((event) => ({ ...parseEvent(event), position: event.position })))
        if (type !== 'location') expect(whole[position]).toBe('kept');
    }),
  );
});

function stepAll(events: readonly LogEvent[], cuts: readonly number[]): Record<string, string> {
  const states = new Map<string, Uint8Array>();
  const outcome: Record<string, string> = {};
  for (let at = 0, i = 0; at < events.length; i++) {
    const page = events.slice(at, at + (cuts[i % cuts.length] as number));
    at += page.length;
    const devices = byDevice(page);
    for (const step of deviceSteps({ devices, states: devices.map(({ ref }) => states.get(ref.device)), judge: strict })) {
      if (step.state !== undefined) states.set(step.device, step.state);
      for (const position of step.kept) outcome[position] = outcome[position] === undefined ? 'kept' : 'twice';
      for (const { position, reason } of step.filtered) outcome[position] = outcome[position] === undefined ? reason : 'twice';
    }
  }
  return outcome;
}

test('a device goes on saying the same while the value is the same; a late saying changes nothing', () => {
  let state = newState;
  const say = (type: string, atMs: number, data: Record<string, unknown>): void => {
    state = withSaying(state, parseEvent(logged('d', type, atMs, data)));
  };
  say('activity', 1000, { activity: 'walk', confidence: 50 });
  say('activity', 2000, { activity: 'walk', confidence: 90 });
  expect(sayingsOf(state).activity).toMatchObject({
    sinceMs: startMs + 1000,
    recordedAtMs: startMs + 2000,
    data: { text: '{"activity":"walk","confidence":90}' },
  });
  say('activity', 3000, { activity: 'drive' });
  say('activity', 2500, { activity: 'run' });
  expect(sayingsOf(state).activity).toMatchObject({ sinceMs: startMs + 3000, value: 'drive' });
  say('trip', 1, { note: 'x'.repeat(5000) });
  expect(sayingsOf(state).trip?.data).toBeUndefined();
  expect(encodeState(state).length).toBeLessThan(4096);
});
