/** What a page of one partition's events makes of its devices. Pure. */
import type { DeviceRef, DeviceStep, LatestLocation, LogEvent, Position } from '#system/store/store.ts';
import { type DeviceState, withFix, withSaying } from './device-state.ts';
import { believedMs, fixOf, type ParsedEvent, parseEvent } from './event.ts';
import type { Judge } from './filters.ts';
import { decodeState, encodeState } from './state-codec.ts';

type Gathering = {
  readonly account: string;
  readonly device: string;
  readonly kept: Position[];
  readonly filtered: { readonly position: Position; readonly reason: string }[];
  latest?: LatestLocation;
  state: DeviceState;
};

/** Of one device, in order of acceptance. */
export type DeviceEvents = { readonly ref: DeviceRef; readonly events: readonly LogEvent[] };

/** In the order in which they come first. */
export function byDevice(events: readonly LogEvent[]): readonly DeviceEvents[] {
  return Array.from(Map.groupBy(events, ({ account, device }) => `${account}\0${device}`).values(), (own) => {
    const { account, device } = own[0] as LogEvent;
    return { ref: { account, device }, events: own };
  });
}

type Stepping = {
  readonly devices: readonly DeviceEvents[];
  /** Of `devices`, in its order. */
  readonly states: readonly (Uint8Array | undefined)[];
  readonly judge: Judge;
  /** By the store's time, of what was received when the wall clock said so. */
  readonly seenAtMs?: (receivedAtMs: number) => number;
};

export const deviceSteps = ({ devices, states, judge, seenAtMs = (ms) => ms }: Stepping): readonly DeviceStep[] =>
  devices.map((each, i) => ({ ...stepOf(each, states[i], judge), seenAtMs: seenAtMs((each.events.at(-1) as LogEvent).receivedAtMs) }));

function stepOf({ ref, events }: DeviceEvents, before: Uint8Array | undefined, judge: Judge): DeviceStep {
  const gathering: Gathering = { ...ref, kept: [], filtered: [], state: decodeState(before) };
  for (const log of events) take(gathering, parseEvent(log), judge);
  const { state, ...step } = gathering;
  return { ...step, state: encodeState(state) };
}

function take(device: Gathering, event: ParsedEvent, judge: Judge): void {
  const { log } = event;
  const fix = fixOf(event);
  const reason = fix && judge(fix, device.state);
  if (reason !== undefined) {
    device.filtered.push({ position: log.position, reason });
    return;
  }
  device.kept.push(log.position);
  device.state = fix === undefined ? withSaying(device.state, event) : withFix(device.state, fix);
  if (fix !== undefined && isNewer(event, device.latest))
    device.latest = { recordedAtMs: believedOf(event), id: log.id, position: log.position, bytes: log.bytes };
}

const believedOf = ({ recordedAtMs, log }: ParsedEvent): number => believedMs(recordedAtMs, log.receivedAtMs);
const isNewer = (event: ParsedEvent, latest: LatestLocation | undefined): boolean =>
  latest === undefined || believedOf(event) > latest.recordedAtMs || (believedOf(event) === latest.recordedAtMs && event.log.id > latest.id);
