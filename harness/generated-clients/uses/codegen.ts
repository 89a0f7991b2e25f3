/** The services that openapi-typescript-codegen writes, which keep their credentials in one place. */

import { ApiError, DefaultService, OpenAPI } from './generated/index.ts';
import type { RoundTrip } from './round-trip.ts';

type As = { readonly user?: string; readonly password?: string; readonly token?: string };

function as({ user, password, token }: As): typeof DefaultService {
  OpenAPI.USERNAME = user;
  OpenAPI.PASSWORD = password;
  OpenAPI.TOKEN = token;
  return DefaultService;
}

const failure = async (work: Promise<unknown>): Promise<ApiError> => {
  const error: unknown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof ApiError)) throw new Error('it was answered well');
  return error;
};

export const roundTrip: RoundTrip = async ({ baseUrl, account, device, event, until }) => {
  OpenAPI.BASE = baseUrl;
  const own: As = { user: account.account_id, password: account.secret };
  const registered = (await as(own).registerDevice(device, { platform: 'ios', app_version: '1' })) as { readonly device_secret?: string };
  // It leaves out a password that is empty, and the name with it.
  OpenAPI.HEADERS = { Authorization: `Basic ${btoa(`${account.publishable_key}:`)}` };
  const token = await as({}).authenticateDevice({ device_id: device, device_secret: registered.device_secret as string });
  OpenAPI.HEADERS = undefined;
  const ingested = await as({ token: token.access_token }).ingestEvents([event]);
  const history = await until(async () => {
    const { events } = await as(own).getDeviceHistory(device);
    return events.length === 1 ? events : undefined;
  });
  const minted = await as(own).mintUserToken({ user: device, scopes: ['ch:*'] });
  const user: As = { token: minted.access_token };
  await as(user).putItem('trips', 'home', { title: 'Home' });
  const item = await as(user).getItem('trips', 'home');
  const again = await failure(as(user).getItem('trips', 'home', `"v${item.version}"`));
  OpenAPI.HEADERS = { Accept: 'application/x-ndjson' };
  const frames = await as(user).openStream(['sync:trips'], '-1', undefined, 'longpoll');
  OpenAPI.HEADERS = undefined;
  const limits = await as({}).getLimits();
  const missing = await failure(as(own).getDevice('nobody'));
  return {
    accepted: ingested.accepted,
    eventId: history[0]?.id,
    itemData: item.data,
    version: item.version,
    unchangedStatus: again.status,
    frames: String(frames),
    // It knows an object with names of its own and others as a table of the others.
    durability: String(limits.durability),
    problemCode: (missing.body as { readonly code?: string }).code,
  };
};
