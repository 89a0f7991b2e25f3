/** openapi-typescript's types, openapi-fetch's calls. */
import createClient from 'openapi-fetch';
import type { components, paths } from './generated/schema.d.ts';
import type { RoundTrip } from './round-trip.ts';

const basic = (user: string, password: string): string => `Basic ${btoa(`${user}:${password}`)}`;

export const roundTrip: RoundTrip = async ({ baseUrl, account, device, event, until }) => {
  const client = createClient<paths>({ baseUrl });
  const own = { authorization: basic(account.account_id, account.secret) };
  const registered = await client.PUT('/v1/devices/{id}', {
    params: { path: { id: device } },
    headers: own,
    body: { platform: 'ios', app_version: '1' },
  });
  const { data: token } = await client.POST('/v1/authenticate', {
    headers: { authorization: basic(account.publishable_key, '') },
    body: { device_id: device, device_secret: (registered.data as { device_secret: string }).device_secret },
  });
  const batch: components['schemas']['EventBatch'] = [event];
  const { data: ingested } = await client.POST('/v1/events', { headers: { authorization: `Bearer ${token?.access_token}` }, body: batch });
  const history = await until(async () => {
    const { data } = await client.GET('/v1/devices/{id}/history', { params: { path: { id: device } }, headers: own });
    // As lines it would be a text.
    return typeof data === 'object' && data.events.length === 1 ? data.events : undefined;
  });
  const { data: minted } = await client.POST('/v1/tokens', { headers: own, body: { user: device, scopes: ['ch:*'] } });
  const user = { authorization: `Bearer ${minted?.access_token}` };
  const path = { collection: 'trips', item: 'home' };
  const stored = await client.PUT('/v1/sync/{collection}/{item}', { params: { path }, headers: user, body: { title: 'Home' } });
  const { data: item } = await client.GET('/v1/sync/{collection}/{item}', { params: { path }, headers: user });
  const etag = stored.response.headers.get('etag') ?? '';
  const again = await client.GET('/v1/sync/{collection}/{item}', { params: { path, header: { 'If-None-Match': etag } }, headers: user });
  const stream = await client.GET('/v1/stream', { params: { query: { ch: ['sync:trips'], since: '-1', mode: 'longpoll' } }, headers: user, parseAs: 'text' });
  const { data: limits } = await client.GET('/v1/limits');
  const missing = await client.GET('/v1/devices/{id}', { params: { path: { id: 'nobody' } }, headers: own });
  return {
    accepted: ingested?.accepted,
    eventId: history[0]?.id,
    itemData: item?.data,
    version: item?.version,
    unchangedStatus: again.response.status,
    frames: String(stream.data),
    durability: limits?.durability,
    problemCode: missing.error?.code,
  };
};
