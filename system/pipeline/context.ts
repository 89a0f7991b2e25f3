/** What a device is doing, from its state: pure. Times are the device's own. */
import { type DeviceState, type Sayings, sayingsOf } from './device-state.ts';
import { decodeState } from './state-codec.ts';

export type Said = { readonly value: string; readonly since: string; readonly recorded_at: string; readonly data?: unknown };
export type Place = { readonly lat: number; readonly lon: number; readonly since: string; readonly until: string };
export type Context = {
  readonly activity?: Said;
  readonly trip?: Said;
  readonly health?: Said;
  readonly battery?: Said;
  readonly permission?: Said;
  readonly place?: Place;
};

/** The SDK calls it a stop after as long. */
const dwellMsMin = 300_000;
const types = ['activity', 'trip', 'health', 'battery', 'permission'] as const;
const textOf = (ms: number): string => new Date(ms).toISOString();

export function contextOf(bytes: Uint8Array | undefined): Context {
  const state = decodeState(bytes);
  const sayings = sayingsOf(state);
  const place = placeOf(state);
  return { ...Object.fromEntries(types.flatMap((type) => saidBy(sayings, type))), ...(place === undefined ? {} : { place }) };
}

function saidBy(sayings: Sayings, type: string): readonly (readonly [string, Said])[] {
  const saying = sayings[type];
  if (saying === undefined) return [];
  const { value, sinceMs, recordedAtMs, data } = saying;
  return [[type, { value, since: textOf(sinceMs), recorded_at: textOf(recordedAtMs), ...(data === undefined ? {} : { data }) }]];
}

function placeOf({ dwelling }: DeviceState): Place | undefined {
  if (dwelling === undefined || dwelling.untilMs - dwelling.recordedAtMs < dwellMsMin) return undefined;
  const { lat, lon, recordedAtMs, untilMs } = dwelling;
  return { lat, lon, since: textOf(recordedAtMs), until: textOf(untilMs) };
}
