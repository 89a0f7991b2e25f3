/** What a user's credential does over routes: shares by its scopes, long polls over a kept-alive connection. */
import { once } from 'node:events';
import { Agent, get } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { FastifyInstance, InjectOptions } from 'fastify';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Tokens } from './accounts/tokens.ts';
import { buildApp } from './app.ts';
import { depsAlone } from './deps-alone.ts';

const account = `acc${'0'.repeat(18)}`;
let tokens: Tokens;
let app: FastifyInstance;

beforeEach(async () => {
  const deps = depsAlone();
  tokens = deps.tokens;
  app = await buildApp(deps);
});
afterEach(() => app.close());

const authorizationOf = (scope: string): string => `Bearer ${tokens.signUser({ account, user: 'u', scopes: [scope], expiresInSeconds: 3600 })}`;
const ask = (scope: string, options: InjectOptions) => app.inject({ ...options, headers: { authorization: authorizationOf(scope) } });

async function shareItem(collection: string): Promise<string> {
  await ask('ch:*', { method: 'PUT', url: `/v1/sync/${collection}/i`, payload: {} });
  const answer = await ask('ch:*', { method: 'POST', url: '/v1/shares', payload: { collection, item: 'i', to: { user: 'v' } } });
  expect(answer.statusCode).toBe(201);
  return answer.json().share_id;
}

test('scopes hold for shares: what is not covered is neither listed nor read nor revoked', async () => {
  const [trips, notes] = await Promise.all([shareItem('trips'), shareItem('notes')]);
  const scope = 'ch:sync:trips';
  const [first, second] = [trips, notes].sort();
  const page = await ask(scope, { url: '/v1/shares?limit=1' });
  const next = await ask(scope, { url: `/v1/shares?limit=1&pagination_token=${page.json().pagination_token}` });
  expect(page.json().pagination_token).toBe(first);
  expect(next.json().pagination_token).toBe(second);
  expect([...page.json().shares, ...next.json().shares]).toMatchObject([{ share_id: trips }]);
  const statuses = async (id: string) => {
    const url = `/v1/shares/${id}`;
    return [(await ask(scope, { url })).statusCode, (await ask(scope, { method: 'DELETE', url })).statusCode, (await ask('ch:*', { url })).statusCode];
  };
  expect(await statuses(notes)).toEqual([404, 404, 200]);
  expect(await statuses(trips)).toEqual([200, 204, 404]);
});

test('a long poll leaves nothing at the connection that goes on after it', async () => {
  await ask('ch:*', { method: 'PUT', url: '/v1/sync/trips/i', payload: {} });
  await app.listen({ host: '127.0.0.1', port: 0 });
  const sockets: Socket[] = [];
  app.server.on('connection', (socket) => sockets.push(socket));
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const { port } = app.server.address() as AddressInfo;
  const poll = async (): Promise<number | undefined> => {
    const path = '/v1/stream?ch=sync:trips&mode=longpoll&since=-1';
    const [answer] = await once(get({ port, agent, path, headers: { authorization: authorizationOf('ch:*') } }), 'response');
    await once(answer.resume(), 'end');
    return sockets[0]?.listenerCount('close');
  };
  const listenersAfterOne = await poll();
  for (let i = 0; i < 4; i++) await poll();
  expect(await poll()).toBe(listenersAfterOne);
  expect(sockets).toHaveLength(1);
  agent.destroy();
});

test('a long poll ends with its reader', async () => {
  await app.listen({ host: '127.0.0.1', port: 0 });
  const { port } = app.server.address() as AddressInfo;
  const waits = vi.spyOn(app.hub, 'wait');
  const path = '/v1/stream?ch=sync:trips&mode=longpoll&since=now&hb=25000';
  const polling = get({ port, path, headers: { authorization: authorizationOf('ch:*') } }).on('error', () => undefined);
  await expect.poll(() => waits.mock.results.length).toBe(1);
  polling.destroy();
  await waits.mock.results[0]?.value;
  expect(waits.mock.calls[0]?.[1]?.aborted).toBe(true);
});
