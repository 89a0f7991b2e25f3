/** The ingest service's operations. Adapters to other services export the same name. */
import { bearer, failed, jsonBody, judgeRefusal, parseBody } from './answers.ts';
import { eventIdOf } from './event-ids.ts';
import { itemOperations } from './item-operations.ts';
import type { Judgement, Operation, OperationContext } from './operation.ts';

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

function eventBody(context: OperationContext, index: number): string {
  const { run, arrival, device, intendedWallMs } = context;
  const { lat, lon, bearing } = placeOf(device.deviceId, intendedWallMs + index);
  return `{"id":"${eventIdOf(run, arrival, index)}","type":"location","recorded_at":"${timestampOf(intendedWallMs + index)}","data":{"lat":${lat.toFixed(6)},"lon":${lon.toFixed(6)},"accuracy":8.5,"speed":${speedMetersPerSecond},"bearing":${bearing.toFixed(1)},"altitude":2.1,"provider":"fused","battery":0.81,"motion":"in_vehicle","app_state":"background"}}`;
}

const ingest: Operation = {
  name: 'ingest',
  keeps: 'events',
  request: (context) => {
    let body = eventBody(context, 0);
    for (let index = 1; index < context.eventsPerBatch; index++) body += `,${eventBody(context, index)}`;
    return { method: 'POST', path: '/v1/events', headers: [bearer(context.device.token), jsonBody], body: `[${body}]` };
  },
  judge: (response, { eventsPerBatch }) => {
    if (response.status !== 202) return judgeRefusal(response);
    const body = parseBody(response.body);
    if (body === undefined) return failed('the 202 is not JSON');
    const { accepted, duplicate, rejected, position, durability } = body;
    if (typeof accepted !== 'number' || typeof duplicate !== 'number' || !Array.isArray(rejected)) return failed('the 202 lacks its counts');
    if (accepted + duplicate !== eventsPerBatch || rejected.length !== 0) return failed('the 202 counts wrongly');
    if (typeof position !== 'string' || position === '' || typeof durability !== 'string') return failed('the 202 lacks position or durability');
    return { kind: 'good', acknowledged: accepted + duplicate, duplicate };
  },
};

const good = (learned: { readonly token?: string; readonly secret?: string }): Judgement => ({ kind: 'good', acknowledged: 0, duplicate: 0, learned });

const authenticate: Operation = {
  name: 'authenticate',
  request: ({ device }) => ({
    method: 'POST',
    path: '/v1/authenticate',
    headers: [`Authorization: ${device.publishable}`, jsonBody],
    body: device.secret === '' ? `{"device_id":"${device.deviceId}"}` : `{"device_id":"${device.deviceId}","device_secret":"${device.secret}"}`,
  }),
  judge: (response) => {
    if (response.status !== 200) return judgeRefusal(response);
    const { access_token: token, device_secret: secret } = parseBody(response.body) ?? {};
    if (typeof token !== 'string' || token === '') return failed('no access_token');
    return good(typeof secret === 'string' ? { token, secret } : { token });
  },
};

const register: Operation = {
  name: 'register',
  request: ({ device }) => ({
    method: 'PUT',
    path: `/v1/devices/${device.deviceId}`,
    headers: [`Authorization: ${device.publishable}`, jsonBody],
    body: `{${device.secret === '' ? '' : `"device_secret":"${device.secret}",`}"platform":"android","app_version":"7.4.1"}`,
  }),
  judge: (response) => {
    const body = parseBody(response.body);
    if (response.status === 201) return typeof body?.device_secret === 'string' ? good({ secret: body.device_secret }) : failed('no device_secret');
    if (response.status === 200) return typeof body?.changed === 'boolean' ? good({}) : failed('no changed');
    return judgeRefusal(response);
  },
};

const readLocation: Operation = {
  name: 'location',
  request: ({ device }) => ({ method: 'GET', path: `/v1/devices/${device.deviceId}/location`, headers: [bearer(device.token)], body: '' }),
  judge: (response) => {
    // A device that has sent nothing yet has no location: a right answer.
    if (response.status === 404) return parseBody(response.body)?.code === 'no-location' ? good({}) : failed('status 404');
    if (response.status !== 200) return judgeRefusal(response);
    return typeof parseBody(response.body)?.recorded_at === 'string' ? good({}) : failed('no recorded_at');
  },
};

export const operations: readonly Operation[] = [ingest, authenticate, register, readLocation, ...itemOperations];
