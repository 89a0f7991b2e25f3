/** The SDK that @hey-api/openapi-ts writes. */

import { client } from './generated/client.gen.ts';
import * as sdk from './generated/index.ts';
import type { RoundTrip } from './round-trip.ts';

export const roundTrip: RoundTrip = async ({ baseUrl, account, device, event, until }) => {
  client.setConfig({ baseUrl });
  const own = { auth: (scheme: { readonly scheme?: string }) => (scheme.scheme === 'basic' ? `${account.account_id}:${account.secret}` : undefined) };
  const bearing = (token: string | undefined) => ({ auth: (scheme: { readonly scheme?: string }) => (scheme.scheme === 'bearer' ? token : undefined) });
  const registered = await sdk.registerDevice({ ...own, path: { id: device }, body: { platform: 'ios', app_version: '1' } });
  const { data: token } = await sdk.authenticateDevice({
    auth: `${account.publishable_key}:`,
    body: { device_id: device, device_secret: (registered.data as { device_secret: string }).device_secret },
  });
  const { data: ingested } = await sdk.ingestEvents({ ...bearing(token?.access_token), body: [event] });
  const history = await until(async () => {
    const { data } = await sdk.getDeviceHistory({ ...own, path: { id: device } });
    const events = (data as { readonly events?: readonly { readonly id: string }[] } | undefined)?.events;
    return events?.length === 1 ? events : undefined;
  });
  const { data: minted } = await sdk.mintUserToken({ ...own, body: { user: device, scopes: ['ch:*'] } });
  const user = bearing(minted?.access_token);
  const path = { collection: 'trips', item: 'home' };
  const stored = await sdk.putItem({ ...user, path, body: { title: 'Home' } });
  const { data: item } = await sdk.getItem({ ...user, path });
  const again = await sdk.getItem({ ...user, path, headers: { 'If-None-Match': stored.response?.headers.get('etag') ?? '' } });
  const stream = await sdk.openStream({ ...user, query: { ch: ['sync:trips'], since: '-1', mode: 'longpoll' }, parseAs: 'text' });
  const { data: limits } = await sdk.getLimits();
  const missing = await sdk.getDevice({ ...own, path: { id: 'nobody' } });
  return {
    accepted: ingested?.accepted,
    eventId: history[0]?.id,
    itemData: item?.data,
    version: item?.version,
    unchangedStatus: again.response?.status,
    frames: String(stream.data),
    durability: limits?.durability,
    problemCode: (missing.error as { readonly code?: string } | undefined)?.code,
  };
};
