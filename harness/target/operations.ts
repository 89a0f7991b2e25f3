/** The ingest service's operations. Adapters to other services export the same name. */
import { bearer, failed, jsonBody, judgeRefusal, parseBody } from './answers.ts';
import { batchBody, eventBody } from './event-body.ts';
import { itemOperations } from './item-operations.ts';
import type { Judgement, Operation } from './operation.ts';
import { floodOf, flushOf, stormOperations } from './storm-operations.ts';

const ingest: Operation = {
  name: 'ingest',
  keeps: 'events',
  request: (context) => {
    let events = eventBody(context, 0);
    for (let index = 1; index < context.eventsPerBatch; index++) events += `,${eventBody(context, index)}`;
    return { method: 'POST', path: '/v1/events', headers: [bearer(context.device.token), jsonBody], body: batchBody(context, events) };
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

export const operations: readonly Operation[] = [
  ingest,
  flushOf(ingest),
  floodOf(ingest),
  authenticate,
  register,
  readLocation,
  ...itemOperations,
  ...stormOperations,
];
