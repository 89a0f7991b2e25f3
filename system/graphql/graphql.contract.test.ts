import type { FastifyInstance } from 'fastify';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createAccounts } from '#system/accounts/accounts.ts';
import { createTokens, type Tokens } from '#system/accounts/tokens.ts';
import { buildApp, type PlainDeps } from '#system/app.ts';
import { packManifest, packSlice } from '#system/archive/segment.ts';
import { systemClock as clock } from '#system/clock.ts';
import { depsAlone } from '#system/deps-alone.ts';
import { limits } from '#system/protocol/limits.ts';
import { createMemoryStore } from '#system/store/memory/memory-store.ts';
import { type LogEvent, type Store, StoreUnavailable } from '#system/store/store.ts';

let store: Store;
let tokens: Tokens;
let app: FastifyInstance;
let draining = false;
let logged: string[] = [];
let account: string;
let authorization: string;
let device: string;

const depsOf = (): PlainDeps => depsAlone({ store, tokens, clock, isDraining: () => draining, streamsMax: 10, log: (_, text) => void logged.push(text) });

beforeEach(async () => {
  draining = false;
  logged = [];
  store = createMemoryStore();
  tokens = createTokens({ key: 'k'.repeat(43), clock });
  const deps = depsOf();
  app = await buildApp(deps);
  const keys = await createAccounts(deps).create({ name: 'x', quotas: {} });
  account = keys.account_id;
  authorization = `Basic ${Buffer.from(`${account}:${keys.secret}`).toString('base64')}`;
  for (const id of ['a', 'b', 'c'])
    await app.inject({ method: 'PUT', url: `/v1/devices/${id}`, headers: { authorization }, payload: { platform: 'ios', app_version: '1', name: `n-${id}` } });
  device = `Bearer ${tokens.signDevice({ account, device: 'a', user: undefined, generation: 1, expiresInSeconds: 60 })}`;
  const events = Array.from({ length: 3 }, (_, i) => ({ id: `e${i}`, type: 'location', recorded_at: '2026-11-25T00:00:00Z', data: { lat: 1, lon: i } }));
  await app.inject({ method: 'POST', url: '/v1/events', headers: { authorization: device }, payload: events });
});
afterEach(() => app.close());

const ask = async (query: string, as = authorization, headers: Record<string, string> = {}) => {
  const answer = await app.inject({ method: 'POST', url: '/graphql', headers: { authorization: as, ...headers }, payload: { query } });
  return { status: answer.statusCode, ...answer.json() };
};
const codesOf = ({ errors = [] }: { errors?: { extensions: { code: string } }[] }) => errors.map(({ extensions }) => extensions.code);

test('pages of devices and of history end and lose nothing', async () => {
  const first = await ask('{ devices(first: 2) { items { id name presence } after } }');
  expect(first.data.devices).toEqual({
    items: [
      { id: 'a', name: 'n-a', presence: 'offline' },
      { id: 'b', name: 'n-b', presence: 'offline' },
    ],
    after: 'b',
  });
  const second = await ask('{ devices(first: 2, after: "b") { items { id } after } }');
  expect(second.data.devices).toEqual({ items: [{ id: 'c' }], after: null });
  const page = await ask('{ history(device: "a", first: 2, includeFiltered: true) { events { id disposition data } after } }');
  expect(page.data.history.events).toEqual([0, 1].map((i) => ({ id: `e${i}`, disposition: 'pending', data: { lat: 1, lon: i } })));
  const rest = await ask(`{ history(device: "a", after: "${page.data.history.after}", includeFiltered: true) { events { id } after } }`);
  expect(rest.data.history).toEqual({ events: [{ id: 'e2' }], after: null });
});

test('a device that is deleted while a page is read makes it shorter, and does not end the pages', async () => {
  const readDevice: Store['readDevice'] = async (ref) => (ref.device === 'b' ? undefined : store.readDevice(ref));
  await app.close();
  app = await buildApp({ ...depsOf(), store: { ...store, readDevice } });
  expect((await ask('{ devices(first: 2) { items { id } after } }')).data.devices).toEqual({ items: [{ id: 'a' }], after: 'b' });
  expect((await ask('{ devices(first: 2, after: "b") { items { id } after } }')).data.devices).toEqual({ items: [{ id: 'c' }], after: null });
});

test('history reads over the border of log and archive, page by page, as over REST', async () => {
  const received = (await store.readHistory({ account, device: 'a', after: '', limit: 3, include: 'all' })).events;
  const { position: floor, partition: bucket } = received[2] as LogEvent;
  const slice = { bucket, from: '', to: floor, name: 'x', events: received.slice(0, 2) };
  const packed = packSlice(slice, 1e6);
  const manifest = packManifest({ version: 1, bucket, from: '', to: floor, segments: packed.map(({ segment }) => segment) });
  const objects = new Map([['manifest', manifest], ...packed.map(({ segment, bytes }) => [segment.key, bytes] as const)]);
  await app.close();
  const pruned: Store = {
    ...store,
    readHistory: async (query) => {
      const { events, atEnd } = await store.readHistory(query);
      return { events: events.filter(({ position }) => position >= floor), atEnd, floor };
    },
    readArchivedRuns: async ({ after }) => (after < floor ? [{ from: '', to: floor, key: 'manifest' }] : []),
  };
  app = await buildApp({ ...depsOf(), store: pruned, vault: { get: async (key) => objects.get(key), put: async () => undefined, close: () => undefined } });
  const whole = await ask('{ history(device: "a", includeFiltered: true) { events { id } after } }');
  expect(whole.data.history).toEqual({ events: [{ id: 'e0' }, { id: 'e1' }, { id: 'e2' }], after: null });
  const url = '/v1/devices/a/history?include=filtered&limit=1';
  const rest = (await app.inject({ url, headers: { authorization } })).json();
  const page = await ask('{ history(device: "a", first: 1, includeFiltered: true) { events { id position } after } }');
  expect(page.data.history).toEqual({ events: [{ id: 'e0', position: rest.events[0].position }], after: rest.pagination_token });
});

test('a query reads the row of a device once, however many of its fields and its places ask', async () => {
  const reads: string[] = [];
  await app.close();
  const counting: Store = {
    ...store,
    readDevice: (query) => {
      reads.push(query.device);
      return store.readDevice(query);
    },
  };
  app = await buildApp({ ...depsOf(), store: counting });
  const field = '{ id name presence location { eventId } history(first: 1) { after } }';
  const answer = await ask(`{ devices(first: 3) { items ${field} } device(id: "a") ${field} location(device: "a") { eventId } }`);
  expect([answer.errors, answer.data.devices.items.length]).toEqual([undefined, 3]);
  expect(reads.sort()).toEqual(['a', 'b', 'c']);
});

test('a device reads itself, and a user’s token reads no device', async () => {
  expect((await ask('{ device(id: "a") { id } }', device)).data).toEqual({ device: { id: 'a' } });
  for (const query of ['{ device(id: "b") { id } }', '{ devices { after } }', '{ usage { calls } }', '{ history(device: "b") { after } }'])
    expect(codesOf(await ask(query, device))).toEqual(['forbidden']);
  const user = `Bearer ${tokens.signUser({ account, user: 'u', scopes: ['ch:*'], expiresInSeconds: 60 })}`;
  expect(codesOf(await ask('{ device(id: "a") { id } }', user))).toEqual(['forbidden']);
});

test.each([
  ['{ nonsense }', 'bad-request'],
  ['{', 'bad-request'],
  ['{ devices(first: 0) { after } }', 'bad-range'],
  ['{ devices(first: 1001) { after } }', 'bad-range'],
  ['{ history(device: "nobody") { after } }', 'not-found'],
  ['{ history(device: "a", from: "soon") { after } }', 'bad-range'],
  ['{ usage(from: "2026-02-30") { calls } }', 'bad-range'],
  ['{ devices(first: 1000) { items { history(first: 1000) { events { id } } } } }', 'query-too-costly'],
  [`{ device(id: "a") { ${'... on Device { '.repeat(3)} id ${'} '.repeat(3)} } }`, undefined],
  [`{ ${Array.from({ length: limits.graphqlTokensMax }, (_, i) => `a${i}: usage { date }`).join(' ')} }`, 'bad-request'],
  ['subscription { devices { device } }', 'not-acceptable'],
])('%s', async (query, code) => {
  expect(codesOf(await ask(query))).toEqual(code === undefined ? [] : [code]);
});

test('too deep is said; introspection that the tools send is not', async () => {
  await app.close();
  app = await buildApp({ ...depsOf(), graphql: { depthMax: 2, costMax: 500 } });
  expect(codesOf(await ask('{ devices { items { id } } }'))).toEqual(['query-too-deep']);
  expect(codesOf(await ask('{ device(id: "a") { id } }'))).toEqual([]);
  const introspection = await ask('{ __schema { types { fields { args { type { ofType { ofType { ofType { name } } } } } } } } }');
  expect(codesOf(introspection)).toEqual([]);
});

test('what fails inside is told without its insides', async () => {
  await app.close();
  let cause: Error = new StoreUnavailable('full', 'secret path');
  store = { ...store, readLatest: () => Promise.reject(cause) };
  app = await buildApp(depsOf());
  expect(codesOf(await ask('{ location(device: "a") { eventId } }'))).toEqual(['store-unavailable']);
  cause = new Error('secret path');
  const answer = await ask('{ location(device: "a") { eventId } device(id: "a") { id } }');
  expect([codesOf(answer), JSON.stringify(answer).includes('secret'), answer.data.device]).toEqual([['internal'], false, { id: 'a' }]);
  expect(logged.join()).toContain('secret path');
});

test('refused before GraphQL: a problem document; no batch; a mutation by GET is refused', async () => {
  const none = await app.inject({ method: 'POST', url: '/graphql', payload: { query: '{ __typename }' } });
  expect([none.statusCode, none.json().code]).toEqual([401, 'unauthenticated']);
  const large = await app.inject({
    method: 'POST',
    url: '/graphql',
    headers: { authorization, 'content-type': 'application/json' },
    payload: JSON.stringify({ query: '{ __typename }', variables: { x: 'x'.repeat(limits.graphqlBytesMax) } }),
  });
  expect([large.statusCode, large.json().code]).toEqual([413, 'body-too-large']);
  const batch = await app.inject({ method: 'POST', url: '/graphql', headers: { authorization }, payload: [{ query: '{ __typename }' }] });
  expect([batch.statusCode, codesOf(batch.json())]).toEqual([400, ['bad-request']]);
});

test('a draining service opens no subscription', async () => {
  draining = true;
  const answer = await app.inject({
    method: 'POST',
    url: '/graphql',
    headers: { authorization, accept: 'text/event-stream' },
    payload: { query: 'subscription { devices { device } }' },
  });
  expect(answer.body).toContain('"code":"draining"');
});
