/** What apps do that were launched, or come back: register as a device that nobody knows, and send what they have gathered while they were away. */
import { bearer, failed, jsonBody, judgeRefusal, parseBody } from './answers.ts';
import { batchBody, eventBody } from './event-body.ts';
import type { Operation, OperationContext } from './operation.ts';

/** Each arrival is a launch of its own. Another try of it is the same device. */
export const launchedDeviceOf = (run: string, arrival: number): string => `n-${run}-${arrival.toString(36)}`;

/** The arrival that such a device is of; undefined for every other name. */
export function launchOfDevice(run: string, device: string): number | undefined {
  const begin = launchedDeviceOf(run, 0).slice(0, -1);
  const digits = device.startsWith(begin) ? device.slice(begin.length) : '';
  return /^(0|[1-9a-z][0-9a-z]{0,9})$/.test(digits) ? Number.parseInt(digits, 36) : undefined;
}

const registerNew: Operation = {
  name: 'register-new',
  keeps: 'device',
  request: ({ run, arrival, device }) => ({
    method: 'PUT',
    path: `/v1/devices/${launchedDeviceOf(run, arrival)}`,
    headers: [`Authorization: ${device.publishable}`, jsonBody],
    body: '{"platform":"android","app_version":"8.0.0"}',
  }),
  judge: (response) => {
    if (response.status !== 201) return judgeRefusal(response);
    return typeof parseBody(response.body)?.device_secret === 'string' ? { kind: 'good', acknowledged: 0, duplicate: 0 } : failed('no device_secret');
  },
};

export const floodName = 'flood';

/** How long a device was away for each event of a batch: fifty of them make four hours. */
const awayMsPerEvent = 5 * 60_000;

/** The newest first, as SDKs empty a queue that is a table sorted by age. */
function backlogOf(context: OperationContext): string {
  const eventAt = (index: number): string => eventBody({ ...context, intendedWallMs: context.intendedWallMs - index * awayMsPerEvent }, index);
  return batchBody(context, Array.from({ length: context.eventsPerBatch }, (_, index) => eventAt(index)).join(','));
}

/** `ingest`'s judgement is the flush's too: every event of the batch has to be accepted, however late it is. */
export const flushOf = (ingest: Operation): Operation => ({
  ...ingest,
  name: 'flush',
  request: (context) => ({ method: 'POST', path: '/v1/events', headers: [bearer(context.device.token), jsonBody], body: backlogOf(context) }),
});

/** What one account's devices send that have gone mad, or an importer that nobody told to be gentle: events like others, without an end. */
export const floodOf = (ingest: Operation): Operation => ({
  ...ingest,
  name: floodName,
  asLoud: true,
  request: (context) => ingest.request({ ...context, device: { ...context.device, token: context.device.loudToken ?? '' } }),
});

export const stormOperations: readonly Operation[] = [registerNew];
