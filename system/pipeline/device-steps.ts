/** What a page of one partition's events makes of its devices. Pure. */
import type { DeviceRef, DeviceStep, LatestLocation, LogEvent, Position } from '#system/store/store.ts';
import { type DeviceState, withFix, withSaying } from './device-state.ts';
import { fixOf, type ParsedEvent, parseEvent } from './event.ts';
import type { Judge } from './filters.ts';
import { decodeState, encodeState } from './state-codec.ts';

type Gathering = {
  readonly account: string;
  readonly device: string;
  readonly kept: Position[];
  readonly filtered: { readonly position: Position; readonly reason: string }[];
  latest?: LatestLocation;
  seenAtMs: number;
  state: DeviceState;
};

const keyOf = ({ account, device }: DeviceRef): string => `${account}\0${device}`;

export function devicesOf(events: readonly LogEvent[]): readonly DeviceRef[] {
  const devices = new Map<string, DeviceRef>();
  for (const { account, device } of events) {
    const ref = { account, device };
    const key = keyOf(ref);
    if (!devices.has(key)) devices.set(key, ref);
  }
  return [...devices.values()];
}

type Stepping = {
  /** In order of acceptance. */
  readonly events: readonly LogEvent[];
  /** Of `devicesOf(events)`, in its order. */
  readonly states: readonly (Uint8Array | undefined)[];
  readonly judge: Judge;
};

export function deviceSteps({ events, states, judge }: Stepping): readonly DeviceStep[] {
  const devices = new Map<string, Gathering>();
  for (const log of events) {
    const key = keyOf(log);
    let device = devices.get(key);
    if (device === undefined) {
      const state = decodeState(states[devices.size]);
      device = { account: log.account, device: log.device, kept: [], filtered: [], seenAtMs: log.receivedAtMs, state };
      devices.set(key, device);
    }
    device.seenAtMs = log.receivedAtMs;
    take(device, parseEvent(log), judge);
  }
  return Array.from(devices.values(), ({ state, ...device }) => ({ ...device, state: encodeState(state) }));
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
    device.latest = { recordedAtMs: event.recordedAtMs, id: log.id, position: log.position, bytes: log.bytes };
}

const isNewer = (event: ParsedEvent, latest: LatestLocation | undefined): boolean =>
  latest === undefined || event.recordedAtMs > latest.recordedAtMs || (event.recordedAtMs === latest.recordedAtMs && event.log.id > latest.id);
