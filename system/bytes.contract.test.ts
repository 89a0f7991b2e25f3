/** What a client sent is read back to the byte, by whatever route: over the memory store, with the pipeline, in this process. */
import type { FastifyInstance } from 'fastify';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createAccounts } from './accounts/accounts.ts';
import type { Tokens } from './accounts/tokens.ts';
import { buildApp, type PlainDeps } from './app.ts';
import { systemClock as clock } from './clock.ts';
import { depsAlone } from './deps-alone.ts';
import { type Pipeline, startPipeline } from './pipeline/pipeline.ts';
import { filtersOff } from './pipeline/settings.ts';
import { limits } from './protocol/limits.ts';
import type { Store } from './store/store.ts';
import { type Deliveries, startDeliveries } from './sync/deliveries.ts';

/** Members whose order, numbers, spaces, escapes and repeated keys JSON.parse does not keep. */
const members = '"2": 1.10,"1":9007199254740993,"big":1e400 ,"zero":-0,"zero":"\\u00e9\\/","1":[ 1.0e2,{} ]';
const patienceMs = 20_000;

let tokens: Tokens;
let store: Store;
let app: FastifyInstance;
let pipeline: Pipeline;
let deliveries: Deliveries;
let account: string;
let base: string;
let owner: string;
let user: string;
let aborted: AbortController;

beforeEach(async () => {
  aborted = new AbortController();
  const deps: PlainDeps = depsAlone();
  ({ tokens, store } = deps);
  app = await buildApp(deps);
  base = await app.listen({ host: '127.0.0.1', port: 0 });
  const keys = await createAccounts(deps).create({ name: 'x', quotas: {} });
  account = keys.account_id;
  owner = `Basic ${Buffer.from(`${account}:${keys.secret}`).toString('base64')}`;
  user = `Bearer ${tokens.signUser({ account, user: 'u', scopes: ['ch:*'], expiresInSeconds: 600 })}`;
  const onTrouble = (error: unknown): void => {
    throw error;
  };
  pipeline = startPipeline({ store, clock, owner: 'w', filters: filtersOff, onTrouble, onNews: (devices) => app.hub.news({ kind: 'devices', devices }) });
  deliveries = startDeliveries({ store, clock, poke: deps.bus.poke, onTrouble });
});
afterEach(async () => {
  aborted.abort();
  await Promise.all([pipeline.stop(), deliveries.stop()]);
  await app.close();
});

const json = { 'content-type': 'application/json' };
const read = async (url: string, authorization: string, headers = {}): Promise<string> => {
  const { statusCode, body } = await app.inject({ url, headers: { authorization, ...headers } });
  return `${statusCode} ${body}`;
};
const put = (item: string, payload: string) => app.inject({ method: 'PUT', url: `/v1/sync/trips/${item}`, headers: { ...json, authorization: user }, payload });

async function newDevice(): Promise<string> {
  await app.inject({ method: 'PUT', url: '/v1/devices/d', headers: { authorization: owner }, payload: { platform: 'p', app_version: '1' } });
  return `Bearer ${tokens.signDevice({ account, device: 'd', user: undefined, generation: 1, expiresInSeconds: 600 })}`;
}

/** What a stream has said so far; ended with the test. */
function listen(path: string, asking: RequestInit): () => string {
  let text = '';
  const reading = async (): Promise<void> => {
    const { body } = await fetch(`${base}${path}`, { ...asking, signal: aborted.signal });
    const decoder = new TextDecoder();
    for await (const part of body ?? []) text += decoder.decode(part, { stream: true });
  };
  reading().catch((error: unknown) => {
    if (!aborted.signal.aborted) throw error;
  });
  return () => text;
}
const stream = (query: string, authorization: string) => listen(`/v1/stream?${query}`, { headers: { authorization } });
const subscribe = (selection: string, authorization: string) =>
  listen('/graphql', {
    method: 'POST',
    headers: { ...json, authorization, accept: 'text/event-stream' },
    body: JSON.stringify({ query: `subscription { ${selection} }` }),
  });
const said = (text: () => string, part: string) => vi.waitFor(() => expect(text()).toContain(part), { timeout: patienceMs });

test('an item comes back in the bytes in which it was put', async () => {
  const item = `{ ${members} }`;
  const streams = [stream('ch=sync:trips&since=-1', user), subscribe('stream(channels: ["sync:trips"], since: "-1") { data }', user)];
  expect((await put('t', ` \r\n${item}\t`)).statusCode).toBe(201);
  expect(await read('/v1/sync/trips/t', user)).toMatch(/^200 \{"item":"t",/);
  for (const path of ['/t', '', '/snapshot']) expect(await read(`/v1/sync/trips${path}`, user)).toContain(`":${item}}`);
  expect(await read('/v1/stream?ch=sync:trips&since=-1&mode=longpoll', user)).toContain(`"d":${item}}`);
  for (const text of streams) await said(text, `":${item}}`);
  const to = { collection: 'trips', item: 't', to: { account } };
  expect((await app.inject({ method: 'POST', url: '/v1/shares', headers: { authorization: user }, payload: to })).statusCode).toBe(201);
  await vi.waitFor(async () => expect(await read('/v1/sync/inbox/snapshot', owner)).toContain(`"data":${item}}`), { timeout: patienceMs });
});

test.each(['9007199254740993', '-0', '1e400', '"\\u00e9"', 'false', '[1.0]'])('an item may be any JSON, as %s', async (item) => {
  expect((await put('t', item)).statusCode).toBe(201);
  expect(await read('/v1/sync/trips/t', user)).toContain(`"data":${item}}`);
});

test('an item’s line breaks are its own at its route, and end no line of a stream', async () => {
  expect((await put('t', '{\n  "a": "x\u2028y\u0085"\r\n}')).statusCode).toBe(201);
  expect(await read('/v1/sync/trips/t', user)).toContain('"data":{\n  "a": "x\u2028y\u0085"\r\n}}');
  expect(await read('/v1/stream?ch=sync:trips&since=-1&mode=longpoll', user)).toContain('"d":{   "a": "x\\u2028y\\u0085"  }}');
});

test('what is no item is refused: no JSON, null, half of a surrogate pair, or more bytes than an item has, as it came or as a line of a stream', async () => {
  const answers = await Promise.all(['{', '', 'null', '"\\ud800"', `"${'x'.repeat(limits.itemBytesMax)}"`].map((payload) => put('t', payload)));
  expect(answers.map((answer) => answer.json().code)).toEqual(['invalid-json', 'invalid-json', 'bad-request', 'invalid-json', 'item-too-large']);
  const none = await app.inject({ method: 'PUT', url: '/v1/sync/trips/t', headers: { authorization: user } });
  expect(none.json()).toMatchObject({ status: 400, code: 'bad-request' });
  const escaped = await put('t', `"${'\u0085'.repeat(limits.itemBytesMax / 3)}"`);
  expect(escaped.json()).toMatchObject({ status: 413, code: 'item-too-large' });
  const bytes = Buffer.byteLength(`"${'\u2028'.repeat(limits.itemBytesMax / 6 - 1)}"`);
  expect(bytes).toBeLessThan(limits.itemBytesMax);
  expect((await put('t', `"${'\u2028'.repeat(limits.itemBytesMax / 6 - 1)}"`)).statusCode).toBe(201);
});

test('what an event says comes back as it was sent, from everything that shows it', async () => {
  const device = await newDevice();
  const states = [stream('ch=device:d', owner), subscribe('devices { location { data } }', owner)];
  const place = `{"lat":1, "lon":2.50,${members}}`;
  const recordedAt = new Date().toISOString();
  const events = [
    `{"id":"e1","type":"location","recorded_at":"${recordedAt}","data":{"x":1}, "data": ${place} }`,
    `{"id":"e2","type":"battery","recorded_at":"${recordedAt}","data":{ ${members} }}`,
    `{"id":"e3","type":"activity","recorded_at":"${recordedAt}","data":{"value":"walk"}}`,
  ];
  const sent = await app.inject({ method: 'POST', url: '/v1/events', headers: { ...json, authorization: device }, payload: `[${events.join(',')}]` });
  expect(sent.json()).toMatchObject({ accepted: 3 });
  await vi.waitFor(async () => expect(await read('/v1/devices/d/context', owner)).toContain('walk'), { timeout: patienceMs });
  for (const url of ['/v1/export', '/v1/devices/d/history']) {
    for (const headers of [{}, { accept: 'application/x-ndjson' }]) {
      const text = await read(url, owner, headers);
      for (const event of events) expect(text).toContain(`"event":${event}}`);
    }
  }
  expect(await read('/v1/devices/d/location', owner)).toContain(`"data":${place}}`);
  expect(await read('/v1/devices/d/context', owner)).toContain(`"data":{ ${members} }}`);
  const query = '{ location(device: "d") { lat data } history(device: "d") { events { data } } }';
  const asked = await app.inject({ method: 'POST', url: '/graphql', headers: { authorization: owner }, payload: { query } });
  expect(asked.body).toContain(`{"location":{"lat":1,"data":${place}},"history":{"events":[{"data":${place}},{"data":{ ${members} }},`);
  // A state has a location's members beside the service's own: each in its bytes, with commas between.
  for (const text of states) await said(text, `"lat":1,"lon":2.50,${members.replace(' ,', ',')}}`);
});

test('a location that calls something by a name of the service’s own is told under the service’s', async () => {
  const device = await newDevice();
  const [text, subscribed] = [stream('ch=device:d', owner), subscribe('devices { location { eventId data } }', owner)];
  const payload = [{ id: 'own', type: 'location', recorded_at: new Date().toISOString(), data: { id: 'other', position: 'p', lat: 1, lon: 2 } }];
  expect((await app.inject({ method: 'POST', url: '/v1/events', headers: { authorization: device }, payload })).json()).toMatchObject({ accepted: 1 });
  await said(text, '"location":{"id":"own",');
  await said(subscribed, '{"eventId":"own","data":{"lat":1,"lon":2}}');
  expect(text()).not.toContain('other');
  expect(await read('/v1/devices/d/location', owner)).toContain('"data":{"id":"other","position":"p","lat":1,"lon":2}}');
});
