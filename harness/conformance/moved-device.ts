/** A part of R47: a device that moves to another user leaves its tokens and its streams behind. */
import { type AccountCredentials, publishableAuthorization, secretAuthorization } from '#harness/topology/provision.ts';
import { openStream } from '#harness/topology/stream-reader.ts';
import type { Client } from './client.ts';
import { hold, type RuleContext } from './rule.ts';
import { arrived, eventually, newUser } from './user.ts';

const json = { 'content-type': 'application/json' };

type Moving = { readonly client: Client; readonly account: AccountCredentials; readonly device: string };

/** By the account's secret, which may name a user; the device's secret where it is made. */
async function join({ client, account, device }: Moving, user: string): Promise<string> {
  const answer = await client.register(secretAuthorization(account), device, { platform: 'ios', app_version: '1', user });
  hold(answer.status < 300, `the device in the hands of ${user}`, `${answer.status} ${answer.text}`);
  return String(answer.json?.device_secret);
}

async function tokenOf({ client, account, device }: Moving, secret: string): Promise<string> {
  const headers = { ...json, authorization: publishableAuthorization(account) };
  const answer = await client.call('POST', '/v1/authenticate', { headers, body: JSON.stringify({ device_id: device, device_secret: secret }) });
  hold(answer.status === 200, '200 for the device’s secret', `${answer.status} ${answer.text}`);
  return `Bearer ${answer.json?.access_token as string}`;
}

export async function movedDeviceReadsNothing({ client, account, name, boundMs }: RuleContext): Promise<void> {
  const moving = { client, account, device: name('moving') };
  const [former, next] = [await newUser(client, account, name('former')), name('next')];
  const secret = await join(moving, name('former'));
  await former.put('trips', 't', { text: name('of-the-former') });
  const authorization = await tokenOf(moving, secret);
  const ask = (method: 'GET' | 'PUT') =>
    client.call(method, '/v1/sync/trips/t', { headers: { ...json, authorization }, ...(method === 'PUT' ? { body: '{"text":"mine"}' } : {}) });
  const before = await ask('GET');
  hold(before.status === 200, 'the item for the user’s device', `${before.status} ${before.text}`);
  const reader = openStream({ url: `${client.base()}/v1/stream?ch=sync:trips&since=now&hb=1000`, authorization });
  try {
    await arrived(reader, 'sync');
    await join(moving, next);
    await eventually('401 for the token from before the move', async () => (await ask('GET')).status === 401, boundMs(1000));
    await eventually('bye kick for its stream', () => reader.frames.at(-1)?.code === 'kick', boundMs(1000));
    const written = await ask('PUT');
    hold(written.status === 401, '401 for what the old token writes', `${written.status} ${written.text}`);
    const item = await former.get('/v1/sync/trips/t');
    hold(item.header('etag') === '"v1"', 'the former user’s item untouched', `${item.header('etag')} ${item.text}`);
    const anew = await client.call('GET', '/v1/sync/trips/t', { headers: { authorization: await tokenOf(moving, secret) } });
    hold(anew.status === 404, 'nothing of the former user for a new token', `${anew.status} ${anew.text}`);
  } finally {
    reader.close();
  }
}
