/** For developers: the devices of an account, one after the other, and what each is doing. */
import { hash } from 'node:crypto';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { AppDeps } from './app.ts';
import { shownMs } from './clock.ts';
import type { Devices } from './devices/devices.ts';
import { accountOf, otherVersion } from './exchange.ts';
import { contextOf } from './pipeline/context.ts';
import { isDeviceId } from './protocol/channels.ts';
import { Problem } from './protocol/errors.ts';
import { jsonText } from './protocol/raw-json.ts';
import { DeviceParams, DevicesQuery } from './protocol/schemas.ts';
import { readableDevice, sendTagged, shownDevice } from './routes-devices.ts';
import { conditionOf } from './sync/conditions.ts';

type Deps = AppDeps & { readonly devices: Devices };

export function fleetRoutes(app: FastifyInstance, deps: Deps): void {
  app.get(
    '/v1/devices',
    {
      config: { callers: ['account'], lane: 'read' },
      schema: { summary: 'The account’s devices', security: [{ basic: [] }], querystring: DevicesQuery },
    },
    (request) => listDevices(request, deps),
  );
  app.delete(
    '/v1/devices/:id',
    {
      config: { callers: ['account'], lane: 'registration' },
      schema: { summary: 'Delete a device; its id is not used again', security: [{ basic: [] }], params: DeviceParams },
    },
    (request, reply) => removeDevice(request, reply, deps),
  );
  app.get(
    '/v1/devices/:id/context',
    {
      config: { callers: ['account', 'device'], lane: 'read' },
      schema: { summary: 'What the device is doing, and since when', security: [{ basic: [] }, { bearer: [] }], params: DeviceParams },
    },
    (request, reply) => readContext(request, reply, deps),
  );
}

const pageDefault = 100;

async function listDevices(request: FastifyRequest, { store, devices }: Deps) {
  const { limit = pageDefault, pagination_token: token } = request.query as DevicesQuery;
  const account = accountOf(request);
  const after = token === undefined ? '' : Buffer.from(token, 'base64url').toString('utf8');
  if (token !== undefined && (!isDeviceId(after) || tokenOf(after) !== token))
    throw new Problem('bad-range', 'This pagination_token was not given out by the list of devices.');
  const { ids, next } = await readDeviceIds(store, { account, after, limit });
  const rows = await Promise.all(ids.map((device) => devices.read({ account, device })));
  const shown = rows.flatMap((row, i) => (row === undefined || row.deleted ? [] : [shownDevice({ ...row, device: ids[i] as string })]));
  return { devices: shown, ...(next === undefined ? {} : { pagination_token: tokenOf(next) }) };
}

type IdsPage = { readonly account: string; readonly after: string; readonly limit: number };

/** `next` where there are more: one more than is asked for tells it, since who is deleted meanwhile makes a page shorter. */
export async function readDeviceIds(store: Pick<AppDeps['store'], 'readDevices'>, { account, after, limit }: IdsPage) {
  const found = await store.readDevices({ account, after, limit: limit + 1 });
  const ids = found.slice(0, limit);
  return { ids, next: found.length > limit ? ids.at(-1) : undefined };
}

const tokenOf = (device: string): string => Buffer.from(device).toString('base64url');

async function removeDevice(request: FastifyRequest, reply: FastifyReply, { devices }: Deps): Promise<FastifyReply> {
  const { id: device } = request.params as DeviceParams;
  const outcome = await devices.remove({ account: accountOf(request), device, condition: conditionOf(request.headers) });
  switch (outcome.kind) {
    case 'removed':
      return reply.code(204).send();
    case 'missing':
      throw new Problem('not-found', 'There is no such device.');
    case 'other-version':
      throw otherVersion(reply, outcome.version);
  }
}

async function readContext(request: FastifyRequest, reply: FastifyReply, deps: Deps): Promise<FastifyReply> {
  const { device } = await readableDevice(request, deps);
  const ref = { account: accountOf(request), device };
  const [[state], presence, clock] = await Promise.all([deps.store.readStates([ref]), deps.store.readPresence(ref), deps.store.readClock(ref)]);
  const body = {
    device_id: device,
    presence: {
      value: presence?.online === true ? 'online' : 'offline',
      ...(presence === undefined ? {} : { since: new Date(shownMs(deps.clock, presence.sinceMs)).toISOString() }),
    },
    ...contextOf(state),
    ...(clock === undefined ? {} : { clock: { offset_ms: clock.offsetMs, since: new Date(clock.sinceMs).toISOString() } }),
  };
  return sendTagged(request, reply, `"${hash('sha256', jsonText(body), 'base64url').slice(0, 22)}"`, () => body);
}
