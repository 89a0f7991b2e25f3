/**
 * What the pipeline knows of a device from one step to the next: for the filters, and for those who ask what the device is doing. It is
 * committed with the checkpoint, so that an event judged again after a crash finds the state it found the first time. Plain values; every
 * change makes a new one.
 */
import { memberSpans, textOf } from '#system/protocol/json-spans.ts';
import { jsonText, type RawJson, rawMember } from '#system/protocol/raw-json.ts';
import { metersBetween } from './distance.ts';
import { believedMs, type Fix, type ParsedEvent } from './event.ts';

export type Point = { readonly lat: number; readonly lon: number; readonly recordedAtMs: number };

/** Where the device has been, within `dwellMeters`, from its first to its last fix there. */
export type Dwelling = Point & { readonly untilMs: number };

/** What the device said last by events of a type, and since when it says the same. */
export type Saying = { readonly recordedAtMs: number; readonly sinceMs: number; readonly value: string; readonly data?: RawJson };
export type Sayings = Readonly<Record<string, Saying>>;

export type DeviceState = {
  /** Kept locations in order of acceptance: the last ones, and always the youngest by time. */
  readonly points: readonly Point[];
  /** Reception of the last location that was kept. */
  readonly keptAtMs: number;
  /** Days since 1970, and how many locations were kept on it. */
  readonly day: number;
  readonly dayCount: number;
  readonly dwelling: Dwelling | undefined;
  /** JSON of Sayings: read only where it is asked for. */
  readonly sayings: Uint8Array;
};

export const dayMs = 86_400_000;
export const pointsMax = 4;
/** A phone that lies still wanders by some tens of metres. */
const dwellMeters = 50;
const dataCharactersMax = 1024;
const nothing = new Uint8Array(0);

export const newState: DeviceState = { points: [], keptAtMs: Number.NEGATIVE_INFINITY, day: -1, dayCount: 0, dwelling: undefined, sayings: nothing };

/** The kept point before this time, or else the first one after it: what a point is compared with, in whatever order they come. */
export function neighbourOf({ points }: DeviceState, recordedAtMs: number): Point | undefined {
  let before: Point | undefined;
  let after: Point | undefined;
  for (const point of points) {
    if (point.recordedAtMs <= recordedAtMs) {
      if (before === undefined || point.recordedAtMs >= before.recordedAtMs) before = point;
    } else if (after === undefined || point.recordedAtMs < after.recordedAtMs) after = point;
  }
  return before ?? after;
}

/** Behind a location that was kept. */
export function withFix(state: DeviceState, { lat, lon, recordedAtMs: saidMs, receivedAtMs }: Fix): DeviceState {
  const recordedAtMs = believedMs(saidMs, receivedAtMs);
  const day = Math.floor(receivedAtMs / dayMs);
  const point = { lat, lon, recordedAtMs };
  return {
    points: withPoint(state.points, point),
    keptAtMs: receivedAtMs,
    day,
    dayCount: day === state.day ? state.dayCount + 1 : 1,
    dwelling: dwellingAfter(state.dwelling, point),
    sayings: state.sayings,
  };
}

function withPoint(points: readonly Point[], point: Point): readonly Point[] {
  if (points.length < pointsMax) return [...points, point];
  let youngest = 0;
  for (let i = 1; i < points.length; i++) if ((points[i] as Point).recordedAtMs >= (points[youngest] as Point).recordedAtMs) youngest = i;
  const leaving = youngest === 0 && (points[0] as Point).recordedAtMs > point.recordedAtMs ? 1 : 0;
  return [...points.slice(0, leaving), ...points.slice(leaving + 1), point];
}

function dwellingAfter(dwelling: Dwelling | undefined, point: Point): Dwelling {
  if (dwelling === undefined) return { ...point, untilMs: point.recordedAtMs };
  if (point.recordedAtMs < dwelling.untilMs) return dwelling;
  return metersBetween(dwelling, point) <= dwellMeters ? { ...dwelling, untilMs: point.recordedAtMs } : { ...point, untilMs: point.recordedAtMs };
}

export function sayingsOf({ sayings }: DeviceState): Sayings {
  if (sayings.length === 0) return {};
  return Object.fromEntries(memberSpans(sayings, 0).map(({ key, value }) => [key, sayingIn(sayings.subarray(value.start, value.end))]));
}

function sayingIn(json: Uint8Array): Saying {
  const { data: _, ...saying } = JSON.parse(textOf(json)) as Saying;
  const data = rawMember(json, 'data');
  return data === undefined ? saying : { ...saying, data };
}

/** Behind an event that is no location. A late one changes nothing. */
export function withSaying(state: DeviceState, { type, recordedAtMs: saidMs, data, log }: ParsedEvent): DeviceState {
  const recordedAtMs = believedMs(saidMs, log.receivedAtMs);
  const all = sayingsOf(state);
  const last = all[type];
  if (last !== undefined && recordedAtMs < believedMs(last.recordedAtMs, log.receivedAtMs)) return state;
  const said = rawMember(log.bytes, 'data') as RawJson;
  const { text } = said;
  const value = saidIn(type, data) ?? text.slice(0, dataCharactersMax);
  const sinceMs = last?.value === value ? last.sinceMs : recordedAtMs;
  const saying: Saying = { recordedAtMs, sinceMs, value, ...(text.length <= dataCharactersMax ? { data: said } : {}) };
  return { ...state, sayings: Buffer.from(jsonText({ ...all, [type]: saying })) };
}

/** A device goes on saying the same while this is the same, whatever else stands in the event. */
function saidIn(type: string, data: ParsedEvent['data']): string | undefined {
  const said = [data[type], data.state, data.status, data.trip_id, data.id].filter((each) => typeof each === 'string' || typeof each === 'boolean');
  return said.length === 0 ? undefined : said.join(' ').slice(0, dataCharactersMax);
}
