/** Entry: what judging costs, for `npm run bench -- filters`. Prints one line of JSON with microseconds an event, for each second that it was given. */
import type { LogEvent } from '#system/store/store.ts';
import { withFix } from './device-state.ts';
import { byDevice, deviceSteps } from './device-steps.ts';
import { fixOf, parseEvent } from './event.ts';
import { createJudge } from './filters.ts';
import type { FilterSettings } from './settings.ts';
import { decodeState, encodeState } from './state-codec.ts';

/** Every filter works, and hardly one drops anything: what is dropped early is cheaper. */
const all: FilterSettings = {
  invalidMeters: 0,
  zeroDegrees: 0,
  duplicateMs: 0,
  futureMs: 600_000,
  pastMs: 1e12,
  accuracyMeters: 1000,
  approximateMeters: 200,
  staticMetersPerSecond: 0.1,
  distanceMeters: 1,
  maxSpeedMetersPerSecond: 350,
  minPeriodMs: 100,
  dailyLimitLocations: 1e6,
  skipLimitMs: 600_000,
};
const devices = 512;
const rounds = 16;
const startMs = 1_790_000_000_000;

function eventOf(round: number, device: number): LogEvent {
  const atMs = startMs + round * 1000;
  const data = { lat: 52 + round * 0.0002, lon: 4 + device * 0.001, accuracy: 8.5, speed: 20, bearing: 1.5, altitude: 2.1, provider: 'fused', battery: 0.81 };
  const id = `${round}-${device}`;
  const bytes = Buffer.from(JSON.stringify({ id, type: 'location', recorded_at: new Date(atMs).toISOString(), data }));
  return { partition: 0, position: id, account: 'a', device: `d${device}`, id, receivedAtMs: atMs, bytes };
}

const pages = Array.from({ length: rounds }, (_, round) => Array.from({ length: devices }, (__, device) => eventOf(round, device)));
const judge = createJudge(all);
const events = devices * rounds;

/** From a device's state as stored to the next one, with nothing of the event's own parsing: each event is alone in its step. */
function judgeAll(fixes: readonly (readonly ReturnType<typeof fixOf>[])[]): number {
  const states = new Array<Uint8Array | undefined>(devices).fill(undefined);
  let kept = 0;
  for (const page of fixes) {
    for (const [device, fix] of page.entries()) {
      const state = decodeState(states[device]);
      if (fix === undefined || judge(fix, state) !== undefined) continue;
      kept++;
      states[device] = encodeState(withFix(state, fix));
    }
  }
  return kept;
}

function stepAll(): void {
  let states: readonly (Uint8Array | undefined)[] = [];
  for (const page of pages) states = deviceSteps({ devices: byDevice(page), states, judge }).map(({ state }) => state);
}

function parseAll(): void {
  for (const page of pages) for (const event of page) parseEvent(event);
}

/** CPU over a second: what garbage is collected belongs to it, what others do on the machine does not. */
function microsOf(work: () => unknown): number {
  const begunMs = performance.now();
  const before = process.cpuUsage();
  let done = 0;
  do {
    work();
    done += events;
  } while (performance.now() - begunMs < 1000);
  const { user, system } = process.cpuUsage(before);
  return (user + system) / done;
}

const seconds = Number(process.argv[2] ?? 3);
const fixes = pages.map((page) => page.map((event) => fixOf(parseEvent(event))));
const kept = judgeAll(fixes) / events;
if (byDevice(pages[0] ?? []).length !== devices) throw new Error('the devices are not different');
for (const warm of [() => judgeAll(fixes), stepAll, parseAll]) microsOf(warm);
const measured = Array.from({ length: seconds }, () => ({ filters: microsOf(() => judgeAll(fixes)), parsing: microsOf(parseAll), steps: microsOf(stepAll) }));
process.stdout.write(`${JSON.stringify({ kept, measured })}\n`);
