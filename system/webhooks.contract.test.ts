/** The webhook routes and the dispatcher over the memory store and real sockets. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { FastifyInstance } from 'fastify';
import { Webhook } from 'standardwebhooks';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createAccounts } from './accounts/accounts.ts';
import { createTokens } from './accounts/tokens.ts';
import { buildApp } from './app.ts';
import { systemClock } from './clock.ts';
import { depsAlone } from './deps-alone.ts';
import { createMemoryStore } from './store/memory/memory-store.ts';
import { outwardEvent, type Store } from './store/store.ts';
import { type Dispatcher, noWebhookCounts, startDispatcher, type WebhookCounts } from './webhooks/dispatcher.ts';
import { createWebhookKit } from './webhooks/kit.ts';
import { type WebhookSettings, webhookDefaults } from './webhooks/settings.ts';
import { createWebhooks } from './webhooks/webhooks.ts';

type Hit = {
  readonly id: string;
  readonly type: string;
  readonly headers: Record<string, string>;
  readonly body: string;
  readonly data: Record<string, unknown>;
};
type Answer = { readonly status: number; readonly headers?: Record<string, string>; readonly body?: string };
const quick: Partial<WebhookSettings> = { allowedNetworks: ['127.0.0.1/32'], scheduleMs: [0, 20, 20], timeoutMs: 500 };

let store: Store;
let app: FastifyInstance;
let dispatcher: Dispatcher;
let another: () => Dispatcher;
let counts: WebhookCounts;
let server: Server;
let hits: Hit[];
let answer: (hit: Hit) => Answer;
let url: string;
let authorization: string;
let account: string;

const echo = ({ type, data }: Hit): Answer =>
  type === 'webhook.confirmation' ? { status: 200, body: JSON.stringify({ challenge: data.challenge }) } : { status: 200 };

async function start(more: Partial<WebhookSettings> = {}): Promise<void> {
  const kit = createWebhookKit({ ...webhookDefaults, ...quick, ...more });
  const clock = systemClock;
  const tokens = createTokens({ key: 'k'.repeat(43), clock });
  const deps = depsAlone({ store, tokens, clock, webhooks: kit });
  app = await buildApp(deps);
  const keys = await createAccounts(deps).create({ name: 'x', quotas: {} });
  account = keys.account_id;
  authorization = `Basic ${Buffer.from(`${keys.account_id}:${keys.secret}`).toString('base64')}`;
  counts = noWebhookCounts();
  const given = { store, clock, ...kit };
  const onTrouble = (error: unknown): void => {
    throw error;
  };
  another = () => startDispatcher({ ...given, webhooks: createWebhooks(given), counts, onTrouble, random: Math.random });
  dispatcher = another();
}

beforeEach(async () => {
  store = createMemoryStore();
  hits = [];
  answer = echo;
  server = createServer((request, response) => {
    let body = '';
    request.on('data', (part) => {
      body += part;
    });
    request.on('end', () => {
      const { type, data } = JSON.parse(body);
      const headers = request.headers as Record<string, string>;
      const hit = { id: headers['webhook-id'] ?? '', type, headers, body, data };
      hits.push(hit);
      const { status, headers: own, body: text } = answer(hit);
      response.writeHead(status, own).end(text);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
});
afterEach(async () => {
  await dispatcher.stop();
  await app.close();
  server.closeAllConnections();
  server.close();
});

const ask = async (method: 'GET' | 'POST' | 'PATCH' | 'DELETE', path: string, payload?: object) => {
  const { statusCode, body } = await app.inject({
    method,
    url: `/v1/webhooks${path}`,
    headers: { authorization },
    ...(payload === undefined ? {} : { payload }),
  });
  return { status: statusCode, json: body === '' ? {} : JSON.parse(body) };
};
const types = ['device.registered', 'device.updated'];
const make = async (more: object = {}): Promise<{ id: string; secret: string }> => {
  const made = await ask('POST', '', { url, types, ...more });
  expect(made.status, JSON.stringify(made.json)).toBe(201);
  return { id: made.json.webhook_id, secret: made.json.secret };
};
const until = (check: () => unknown) => vi.waitFor(check, { timeout: 60_000, interval: 10 });
const active = async (more: object = {}): Promise<{ id: string; secret: string }> => {
  const made = await make(more);
  await until(async () => expect((await ask('GET', `/${made.id}`)).json.state).toBe('active'));
  return made;
};
const register = (device: string, version = '1') =>
  app.inject({ method: 'PUT', url: `/v1/devices/${device}`, headers: { authorization }, payload: { platform: 'p', app_version: version } });
const told = (): readonly Hit[] => hits.filter(({ type }) => type !== 'webhook.confirmation');

test('an echo confirms; what happens from then on is told, signed, and an identical registration is not', async () => {
  await start();
  await register('before');
  const { secret } = await active();
  await register('d');
  await register('d');
  await register('d', '2');
  // Their order is not promised.
  await until(() =>
    expect(
      told()
        .map(({ type }) => type)
        .sort(),
    ).toEqual(types),
  );
  const first = told().find(({ type }) => type === 'device.registered');
  expect(new Webhook(secret).verify(first?.body ?? '', first?.headers ?? {})).toMatchObject({
    type: 'device.registered',
    data: { device_id: 'd', platform: 'p' },
  });
  // An attempt is settled after it arrived.
  await until(() => expect(counts).toMatchObject({ delivered: 3, failed: 0, dead: 0 }));
});

test('a visit to the link confirms, once, and only in its time', async () => {
  await start({ handshakeSeconds: 3600 });
  answer = () => ({ status: 200 });
  const { id } = await make();
  await register('d');
  await until(() => expect(hits.length).toBe(1));
  const path = new URL(hits[0]?.data.confirm_url as string);
  expect((await ask('GET', `/${id}`)).json).toMatchObject({ state: 'pending', waiting: 0 });
  expect((await ask('POST', `/${id}/test`)).json.code).toBe('webhook-not-active');
  const visit = (token = path.searchParams.get('token')) => app.inject({ url: `/v1/webhooks/confirm?token=${token}` });
  expect((await visit('nonsense')).json().code).toBe('not-found');
  expect((await visit()).json()).toEqual({ webhook_id: id, state: 'active' });
  expect((await visit()).json()).toMatchObject({ status: 410, code: 'token-expired' });
  expect(told()).toEqual([]);
});

test('a handshake whose time is over confirms nothing', async () => {
  await start({ handshakeSeconds: 0 });
  const { id } = await make();
  await until(() => expect(hits.length).toBe(1));
  await until(async () => expect(counts.delivered).toBe(1));
  const token = new URL(hits[0]?.data.confirm_url as string).searchParams.get('token');
  expect((await app.inject({ url: `/v1/webhooks/confirm?token=${token}` })).json().code).toBe('token-expired');
  expect((await ask('GET', `/${id}`)).json.state).toBe('pending');
});

test('an echo that is none is no handshake, whatever its letters: it is delivered, once', async () => {
  await start();
  answer = ({ data }) => ({ status: 200, body: JSON.stringify({ challenge: 'é'.repeat(String(data.challenge).length) }) });
  const { id } = await make();
  await until(() => expect(counts).toMatchObject({ delivered: 1, failed: 0 }));
  expect((await ask('GET', `/${id}`)).json.state).toBe('pending');
  expect(hits.length).toBe(1);
});

test('routes: conflicts, bad addresses, strangers, changes', async () => {
  await start();
  const { id } = await active();
  expect((await ask('POST', '', { url, types })).json.code).toBe('duplicate-url');
  for (const bad of [
    'http://1.1.1.1/',
    'https://127.0.0.2/',
    'https://[::ffff:10.0.0.1]/',
    'https://169.254.169.254/latest',
    'ftp://1.1.1.1/',
    'https://u:p@1.1.1.1/',
  ])
    expect((await ask('POST', '', { url: bad, types })).json.code, bad).toBe('forbidden-url');
  expect((await ask('POST', '', { url, types: ['nonsense'] })).status).toBe(400);
  expect((await ask('GET', '/wh_000000000000000000000000')).status).toBe(404);
  expect((await app.inject({ url: `/v1/webhooks/${id}` })).statusCode).toBe(401);
  expect((await ask('PATCH', `/${id}`, { enabled: false })).json).toMatchObject({ state: 'disabled', reason: 'by-account' });
  await register('silent');
  expect((await ask('PATCH', `/${id}`, { enabled: true })).json.state).toBe('pending');
  await until(async () => expect((await ask('GET', `/${id}`)).json.state).toBe('active'));
  expect((await ask('PATCH', `/${id}`, { url: `${url}moved` })).json.state).toBe('pending');
  await until(async () => expect((await ask('GET', `/${id}`)).json.state).toBe('active'));
  expect((await ask('GET', '')).json.webhooks.length).toBe(1);
  expect(told()).toEqual([]);
  expect((await ask('DELETE', `/${id}`)).status).toBe(204);
  expect((await ask('DELETE', `/${id}`)).status).toBe(404);
});

test('failures are tried again with the same id and body, then dead, listed, and replayed', async () => {
  await start();
  const { id } = await active();
  const statuses = [500, 302, 404];
  answer = (hit) => (hit.type === 'webhook.test' ? { status: 200 } : { status: statuses.shift() ?? 200, headers: { location: url } });
  await register('d');
  await until(() => expect(counts.dead).toBe(1));
  expect(new Set(told().map(({ id: event, body }) => event + body)).size).toBe(1);
  expect((await ask('POST', `/${id}/test`)).status).toBe(202);
  const [youngest, failed] = (await ask('GET', `/${id}/deliveries`)).json.deliveries;
  expect([youngest.type, failed.state, failed.attempts.map(({ status }: { status: number }) => status)]).toEqual(['webhook.test', 'dead', [500, 302, 404]]);
  const page = (await ask('GET', `/${id}/deliveries?limit=1`)).json;
  expect((await ask('GET', `/${id}/deliveries?limit=1&pagination_token=${page.pagination_token}`)).json.deliveries[0].event_id).toBe(failed.event_id);
  expect((await ask('POST', `/${id}/replay`, { event_id: failed.event_id })).json).toEqual({ replayed: 1, dropped: 0 });
  await until(() => expect(told().filter(({ id: event }) => event === failed.event_id).length).toBe(4));
  await until(() => expect(counts.delivered).toBe(3));
  expect((await ask('POST', `/${id}/replay`, { from: new Date(Date.now() - 60_000).toISOString() })).json).toEqual({ replayed: 2, dropped: 0 });
  await until(() => expect(told().filter(({ id: event }) => event === failed.event_id).length).toBe(5));
  expect((await ask('POST', `/${id}/replay`, {})).json.code).toBe('bad-range');
  expect((await ask('POST', `/${id}/replay`, { event_id: 'evt_none' })).status).toBe(404);
});

test('410 disables; a rotated secret signs beside the new one', async () => {
  await start();
  const { id, secret } = await active();
  const rotated = (await ask('POST', `/${id}/rotate`)).json;
  expect(rotated.previous_until).toBeDefined();
  await register('d');
  await until(() => expect(told().length).toBe(1));
  for (const one of [secret, rotated.secret]) new Webhook(one).verify(told()[0]?.body ?? '', told()[0]?.headers ?? {});
  const again = (await ask('POST', `/${id}/rotate`, { overlap_seconds: 0 })).json;
  answer = () => ({ status: 410 });
  await register('e');
  await until(async () => expect((await ask('GET', `/${id}`)).json).toMatchObject({ state: 'disabled', reason: 'gone' }));
  const last = told().at(-1);
  expect(() => new Webhook(secret).verify(last?.body ?? '', last?.headers ?? {})).toThrow();
  expect(() => new Webhook(rotated.secret).verify(last?.body ?? '', last?.headers ?? {})).toThrow();
  new Webhook(again.secret).verify(last?.body ?? '', last?.headers ?? {});
});

test('what another room tells is told once', async () => {
  await start();
  await active({ types: ['usage.spike'] });
  const event = outwardEvent({ account, type: 'usage.spike', source: 'hour 1', atMs: Date.now(), data: { calls: 9 } });
  expect(await store.enqueueOutward({ account, event })).toEqual({ kind: 'queued', endpoints: 1, dropped: 0 });
  expect(await store.enqueueOutward({ account, event })).toEqual({ kind: 'repeat' });
  await until(() => expect(told().map(({ data }) => data)).toEqual([{ calls: 9 }]));
});

test('two workers send each event once between them', async () => {
  await start();
  const second = another();
  await active();
  await Promise.all(Array.from({ length: 60 }, (_, i) => register(`d${i}`)));
  await until(() => expect(told().length).toBeGreaterThanOrEqual(60));
  await second.stop();
  expect(told().length).toBe(60);
  expect(new Set(told().map(({ id }) => id)).size).toBe(60);
  await until(() => expect(counts).toMatchObject({ delivered: 61, failed: 0, stale: 0 }));
});

test('an endpoint that fails again and again is left alone for a while', async () => {
  await start({ scheduleMs: Array.from({ length: 20 }, () => 0), breaker: { failuresMax: 3, openMs: 60_000 } });
  const { id } = await active();
  answer = () => ({ status: 500 });
  await register('d');
  await until(() => expect(counts.breaker_opened).toBe(1));
  expect(told().length).toBe(3);
  expect((await ask('GET', `/${id}`)).json).toMatchObject({ state: 'active', failures_in_a_row: 3, paused_until: expect.any(String) });
});
