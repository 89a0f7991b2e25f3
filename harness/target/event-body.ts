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

/** A device drives in a circle at 13.4 m/s around a home of its own: what a service's filters let through because it is true. */
const speedMetersPerSecond = 13.4;
const radiusDegrees = 0.01;
const radiansPerSecond = speedMetersPerSecond / (radiusDegrees * 111_195);
const lonStretch = 1 / Math.cos((52.35 * Math.PI) / 180);

/** FNV-1a. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}

export function placeOf(device: string, wallMs: number): { readonly lat: number; readonly lon: number; readonly bearing: number } {
  const hash = hashOf(device);
  const angle = (wallMs / 1000) * radiansPerSecond + hash;
  const turns = angle / (2 * Math.PI);
  return {
    lat: 52 + ((hash & 0xffff) / 0x10000) * 0.7 + radiusDegrees * Math.sin(angle),
    lon: 4.5 + ((hash >>> 16) / 0x10000) * 0.7 + radiusDegrees * lonStretch * Math.cos(angle),
    bearing: 360 * (1 - (turns - Math.floor(turns))),
  };
}

export function eventBody(context: OperationContext, index: number): string {
  const { run, arrival, device, intendedWallMs } = context;
  const { lat, lon, bearing } = placeOf(device.deviceId, intendedWallMs + index);
  return `{"id":"${eventIdOf(run, arrival, index)}","type":"location","recorded_at":"${timestampOf(intendedWallMs + index)}","data":{"lat":${lat.toFixed(6)},"lon":${lon.toFixed(6)},"accuracy":8.5,"speed":${speedMetersPerSecond},"bearing":${bearing.toFixed(1)},"altitude":2.1,"provider":"fused","battery":0.81,"motion":"in_vehicle","app_state":"background"}}`;
}
