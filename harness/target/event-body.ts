/** A device's location as it sends it: where it really would be then. */
import { eventIdOf } from './event-ids.ts';
import type { OperationContext } from './operation.ts';

let formattedSecond = -1;
let formattedPrefix = '';

/** RFC 3339 with milliseconds; formatting a date costs more than all the rest of an event, so a second is formatted once. */
function timestampOf(wallMs: number): string {
  const second = Math.floor(wallMs / 1000);
  if (second !== formattedSecond) {
    formattedSecond = second;
    // biome-ignore lint/style/noRestrictedGlobals: formats a given instant; what time it is comes from the context
    formattedPrefix = new Date(second * 1000).toISOString().slice(0, 20);
  }
  const millis = Math.floor(wallMs - second * 1000);
  return `${formattedPrefix}${millis < 10 ? '00' : millis < 100 ? '0' : ''}${millis}Z`;
}

/** A device goes in a circle around a home of its own: what a service's filters let through because it is true. Who stands still has a receiver that drifts. */
const ways = {
  drive: wayOf({ speedMetersPerSecond: 13.4, radiusDegrees: 0.01, motion: 'in_vehicle' }),
  walk: wayOf({ speedMetersPerSecond: 1.4, radiusDegrees: 0.002, motion: 'walking' }),
  still: { ...wayOf({ speedMetersPerSecond: 0.05, radiusDegrees: 0.00003, motion: 'stationary' }), speedText: '0' },
};
type Way = { readonly radiusDegrees: number; readonly radiansPerSecond: number; readonly speedText: string; readonly motion: string };
type Going = { readonly speedMetersPerSecond: number; readonly radiusDegrees: number; readonly motion: string };

function wayOf({ speedMetersPerSecond, radiusDegrees, motion }: Going): Way {
  return { radiusDegrees, radiansPerSecond: speedMetersPerSecond / (radiusDegrees * 111_195), speedText: String(speedMetersPerSecond), motion };
}

const lonStretch = 1 / Math.cos((52.35 * Math.PI) / 180);

const fullTurn = 2 * Math.PI;

/** FNV-1a. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}

export function placeOf(
  device: string,
  wallMs: number,
  { radiusDegrees, radiansPerSecond }: Way = ways.drive,
): { readonly lat: number; readonly lon: number; readonly bearing: number } {
  const hash = hashOf(device);
  const turns = ((wallMs / 1000) * radiansPerSecond + hash) / fullTurn;
  // Within one turn: the sine of a large angle costs several times as much.
  const turn = turns - Math.floor(turns);
  const angle = turn * fullTurn;
  return {
    lat: 52 + ((hash & 0xffff) / 0x10000) * 0.7 + radiusDegrees * Math.sin(angle),
    lon: 4.5 + ((hash >>> 16) / 0x10000) * 0.7 + radiusDegrees * lonStretch * Math.cos(angle),
    bearing: 360 * (1 - turn),
  };
}

export function eventBody(context: OperationContext, index: number): string {
  const { run, arrival, device, intendedWallMs } = context;
  const way = ways[device.habits?.motion ?? 'drive'];
  const { lat, lon, bearing } = placeOf(device.deviceId, intendedWallMs + index, way);
  const recordedMs = intendedWallMs + index + (device.habits?.clockAheadMs ?? 0);
  return `{"id":"${eventIdOf(run, arrival, index)}","type":"location","recorded_at":"${timestampOf(recordedMs)}","data":{"lat":${lat.toFixed(6)},"lon":${lon.toFixed(6)},"accuracy":8.5,"speed":${way.speedText},"bearing":${bearing.toFixed(1)},"altitude":2.1,"provider":"fused","battery":0.81,"motion":"${way.motion}","app_state":"background"}}`;
}

/** Of events as JSON, one after the other. A device whose clock is wrong says when it sends, as SDKs do for a service to notice. */
export function batchBody({ device, intendedWallMs }: OperationContext, events: string): string {
  const aheadMs = device.habits?.clockAheadMs;
  return aheadMs === undefined ? `[${events}]` : `{"sent_at":"${timestampOf(intendedWallMs + aheadMs)}","events":[${events}]}`;
}
