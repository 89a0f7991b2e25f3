import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { gzipSync } from 'node:zlib';
import type { FastifyInstance } from 'fastify';
import { Client } from 'undici';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { createAccounts } from './accounts/accounts.ts';
import { createTokens, type Tokens } from './accounts/tokens.ts';
import { buildAdminApp, buildApp, type PlainDeps } from './app.ts';
import { createBus } from './bus.ts';
import { depsAlone } from './deps-alone.ts';
import { byDevice, deviceSteps } from './pipeline/device-steps.ts';
import { createJudge } from './pipeline/filters.ts';
import { filtersOff } from './pipeline/settings.ts';
import { limits } from './protocol/limits.ts';
import { createMemoryStore } from './store/memory/memory-store.ts';
import { partitionOf, type Store, StoreUnavailable } from './store/store.ts';

let nowMs = Date.parse('2026-11-25T12:00:00.000Z');
const clock = { wallMs: () => nowMs, monotonicMs: () => nowMs };
const key = 'k'.repeat(43);
let store: Store;
let tokens: Tokens;
let deps: PlainDeps;
let app: FastifyInstance;
let draining = false;

type Keys = { account_id: string; secret: string; publishable_key: string };
const basic = (user: string, password = ''): string => `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
const secretOf = ({ account_id, secret }: Keys): string => basic(account_id, secret);
const publishableOf = ({ publishable_key }: Keys): string => basic(publishable_key);
const event = (id: string, change: Record<string, unknown> = {}) => ({
  id,
  type: 'location',
  recorded_at: '2026-11-24T10:00:00.000Z',
  data: { lat: 52.1, lon: 4.9 },
  ...change,
});

beforeEach(async () => {
  way = 'framework';
  nowMs = Date.parse('2026-11-25T12:00:00.000Z');
  draining = false;
  store = createMemoryStore({ clock });
  tokens = createTokens({ key, clock });
  deps = depsAlone({ store, tokens, clock, metrics: async () => 'a 1\n', isDraining: () => draining, isClosing: () => draining });
  app = await buildApp(deps);
});

const newAccount = (): Promise<Keys> => createAccounts(deps).create({ name: 'x', quotas: {} });

async function newDevice(keys: Keys, device: string): Promise<{ authorization: string; secret: string }> {
  const answer = await app.inject({ method: 'POST', url: '/v1/authenticate', headers: { authorization: publishableOf(keys) }, payload: { device_id: device } });
  expect(answer.statusCode).toBe(200);
  return { authorization: `Bearer ${answer.json().access_token}`, secret: answer.json().device_secret };
}

/** Which way a batch goes in: to the framework at once, or over a connection that the front takes. */
let way: 'framework' | 'front' = 'framework';

async function send(authorization: string, payload: unknown, more: Record<string, string> = {}) {
  const headers = { authorization, 'content-type': 'application/json', ...more };
  const body = typeof payload === 'string' || Buffer.isBuffer(payload) ? payload : JSON.stringify(payload);
  if (way === 'framework') return app.inject({ method: 'POST', url: '/v1/events', headers, payload: body });
  await app.ready();
  const server = createServer({ allowHalfOpen: true }, app.front.take).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const client = new Client(`http://127.0.0.1:${port}`);
  const answer = await client.request({ method: 'POST', path: '/v1/events', headers, body });
  const text = await answer.body.text();
  await client.close();
  server.close();
  return { statusCode: answer.statusCode, headers: answer.headers, body: text, json: () => JSON.parse(text) };
}

async function stepEverything(account: string, device: string): Promise<void> {
  const partition = partitionOf(account, device);
  const lease = await store.lease({ partition, owner: 'test', nowMs, ttlMs: 1000 });
  if (lease.kind !== 'held') throw new Error('no lease');
  const { events } = await store.readLog({ partitions: [partition], after: { [partition]: lease.checkpoint }, limitEvents: 1000 });
  const to = events.at(-1)?.position ?? lease.checkpoint;
  const groups = byDevice(events);
  const states = await store.readStates(groups.map(({ ref }) => ref));
  const devices = deviceSteps({ devices: groups, states, judge: createJudge(filtersOff) });
  expect(await store.step({ partition, fence: lease.fence, from: lease.checkpoint, to, devices })).toMatchObject({ kind: 'stepped' });
}

describe.each(['framework', 'front'] as const)('ingest through the %s', (through) => {
  let keys: Keys;
  let device: { authorization: string; secret: string };
  beforeEach(async () => {
    way = through;
    keys = await newAccount();
    device = await newDevice(keys, 'd1');
  });

  test('R1: what was acknowledged is readable at once, in history and export, to the byte', async () => {
    const body = `[ {"id":"a","type":"battery","recorded_at":"2026-11-24T10:00:00Z","data":{"level":  0.5,"x":"\\u00e9"}} ]`;
    expect((await send(device.authorization, body)).json()).toMatchObject({ accepted: 1, duplicate: 0, rejected: [] });
    const exported = await app.inject({ url: '/v1/export', headers: { authorization: secretOf(keys) } });
    expect(exported.body).toContain(body.slice(2, -2));
    const history = await app.inject({ url: '/v1/devices/d1/history?include=filtered', headers: { authorization: device.authorization } });
    expect(history.json().events.map(({ id, disposition }: { id: string; disposition: string }) => [id, disposition])).toEqual([['a', 'pending']]);
  });

  test.each([
    ['an array', (items: string) => `[ ${items} ]`],
    ['an object', (items: string) => `{"sent_at":"2026-11-24T10:00:00Z","events":[${items}]}`],
  ])('every event of a batch that is %s is kept in the bytes in which it came', async (_, batchOf) => {
    const numbers = '9007199254740993, "b":1.10,"c":1e400 ,"d":-0,"e":"\\u00e9"';
    const items = ['a', 'b'].map((id) => `{"id":"${id}","type":"battery","recorded_at":"2026-11-24T10:00:00Z","data":{"x": ${numbers}}}`);
    expect((await send(device.authorization, batchOf(items.join(' ,\n')))).json()).toMatchObject({ accepted: 2 });
    const exported = await app.inject({ url: '/v1/export', headers: { authorization: secretOf(keys) } });
    for (const item of items) expect(exported.body).toContain(`"event":${item}}`);
  });

  test('an event is one line of the export and of the history, whatever stands between its tokens', async () => {
    const forged = { position: '0000000000000001', device_id: 'victim', id: 'forged', received_at: 'x', event: {} };
    const bodies = [
      JSON.stringify([event('pretty')], undefined, 2),
      `[{"id":"lines","type":"location","recorded_at":"2026-11-24T10:00:00.000Z","data":{"lat":1,"lon":2,"x":\r\n${JSON.stringify(forged)}\n}}]`,
    ];
    for (const body of bodies) expect((await send(device.authorization, body)).json()).toMatchObject({ accepted: 1 });
    const authorization = secretOf(keys);
    const asked = ['/v1/export', '/v1/devices/d1/history?include=filtered'].map((url) => ({ url, headers: { authorization, accept: 'application/x-ndjson' } }));
    for (const { url, headers } of asked) {
      const answer = await app.inject({ method: 'GET', url, headers });
      const lines = Buffer.from(answer.rawPayload).toString('utf8').trimEnd().split('\n');
      expect(lines.map((line) => (JSON.parse(line) as { id: string; device_id: string }).device_id)).toEqual(['d1', 'd1']);
    }
  });

  test('R3: the same batch again is all duplicates', async () => {
    const batch = [event('a'), event('b')];
    await send(device.authorization, batch);
    expect((await send(device.authorization, { events: batch })).json()).toMatchObject({ accepted: 0, duplicate: 2 });
  });

  test('R5: an idempotency key gives the same answer to the byte, and refuses another body', async () => {
    const first = await send(device.authorization, [event('a'), { id: 'bad' }], { 'idempotency-key': 'k' });
    const again = await send(device.authorization, [event('a'), { id: 'bad' }], { 'idempotency-key': 'k' });
    expect(again.body).toBe(first.body);
    const other = await send(device.authorization, [event('b')], { 'idempotency-key': 'k' });
    expect([other.statusCode, other.json().code]).toEqual([409, 'idempotency-mismatch']);
  });

  test('R6: a mixed batch: valid ones accepted, invalid ones named', async () => {
    const big = event('big', { data: { lat: 1, lon: 2, note: 'x'.repeat(limits.eventBytesMax) } });
    const batch = [
      event('a'),
      7,
      event('', {}),
      event('t', { type: 'dream' }),
      event('w', { recorded_at: 'yesterday' }),
      event('l', { data: { lat: 91, lon: 0 } }),
      big,
      event('z'),
    ];
    const { accepted, duplicate, rejected } = (await send(device.authorization, batch)).json();
    expect([accepted, duplicate]).toEqual([2, 0]);
    expect(rejected.map(({ index, code }: { index: number; code: string }) => [index, code])).toEqual([
      [1, 'bad-item'],
      [2, 'bad-id'],
      [3, 'bad-type'],
      [4, 'bad-time'],
      [5, 'bad-data'],
      [6, 'item-too-large'],
    ]);
  });

  test.each([
    ['empty', '[]', 400, 'empty-batch'],
    ['empty object', '{"events":[]}', 400, 'empty-batch'],
    ['no JSON', '[{', 400, 'invalid-json'],
    ['no batch', '7', 400, 'bad-request'],
    ['too many', JSON.stringify(Array.from({ length: 501 }, (_, i) => event(`e${i}`))), 413, 'batch-too-large'],
    ['too large', `[${' '.repeat(limits.batchBytesMax)}]`, 413, 'body-too-large'],
    ['all invalid', '[{"id":"x"}]', 422, 'all-invalid'],
  ])('R7: %s', async (_, body, status, code) => {
    const answer = await send(device.authorization, body);
    expect([answer.statusCode, answer.json().code]).toEqual([status, code]);
  });

  test('R8: gzip is unpacked, up to its bound', async () => {
    expect((await send(device.authorization, gzipSync(JSON.stringify([event('z')])), { 'content-encoding': 'gzip' })).json()).toMatchObject({ accepted: 1 });
    const bomb = await send(device.authorization, gzipSync(Buffer.alloc(64 * 1024 * 1024, 0x20)), { 'content-encoding': 'gzip' });
    expect([bomb.statusCode, bomb.json().code]).toEqual([413, 'body-too-large']);
    expect((await send(device.authorization, 'not gzip', { 'content-encoding': 'gzip' })).statusCode).toBe(400);
    expect((await send(device.authorization, '[]', { 'content-encoding': 'br' })).statusCode).toBe(415);
  });

  test('R9: positions of one device grow in the order of acknowledgement', async () => {
    const positions: string[] = [];
    for (const id of ['c', 'a', 'b']) positions.push((await send(device.authorization, [event(id)])).json().position);
    expect([...positions].sort()).toEqual(positions);
  });

  test('R11: a store that cannot keep its promise is 503 with Retry-After, never 202', async () => {
    app = await buildApp({ ...deps, store: { ...store, append: () => Promise.reject(new StoreUnavailable('full', 'disk full')) } });
    const answer = await send(device.authorization, [event('a')]);
    expect([answer.statusCode, answer.json().code]).toEqual([503, 'store-unavailable']);
    expect(answer.headers['retry-after']).toMatch(/^[1-9]\d*$/);
  });

  test('the pipeline makes the latest location, which moves forward only', async () => {
    const location = () => app.inject({ url: '/v1/devices/d1/location', headers: { authorization: device.authorization } });
    expect((await location()).json().code).toBe('no-location');
    await send(device.authorization, [event('new', { recorded_at: '2026-11-24T11:00:00Z' }), event('old', { recorded_at: '2026-11-24T09:00:00Z' })]);
    await stepEverything(keys.account_id, 'd1');
    const answer = await location();
    expect(answer.json()).toMatchObject({ id: 'new' });
    const again = await app.inject({
      url: '/v1/devices/d1/location',
      headers: { authorization: device.authorization, 'if-none-match': answer.headers.etag as string },
    });
    expect(again.statusCode).toBe(304);
  });

  test('history and export page without loss', async () => {
    for (let i = 0; i < 7; i++) await send(device.authorization, [event(`e${i}`)]);
    await stepEverything(keys.account_id, 'd1');
    const seen: string[] = [];
    for (let token: string | undefined = ''; token !== undefined; ) {
      const answer: Awaited<ReturnType<typeof send>> = await app.inject({
        url: `/v1/devices/d1/history?limit=3${token === '' ? '' : `&pagination_token=${token}`}`,
        headers: { authorization: secretOf(keys) },
      });
      seen.push(...answer.json().events.map(({ id }: { id: string }) => id));
      token = answer.json().pagination_token;
    }
    expect(seen).toEqual(['e0', 'e1', 'e2', 'e3', 'e4', 'e5', 'e6']);
    const lines: string[] = [];
    let last = '';
    for (let cursor = ''; ; last = cursor) {
      const page = await app.inject({ url: `/v1/export?limit=2${cursor === '' ? '' : `&after=${cursor}`}`, headers: { authorization: secretOf(keys) } });
      if (page.body === '') break;
      lines.push(...page.body.trim().split('\n'));
      cursor = page.headers['export-cursor'] as string;
    }
    expect(lines.map((line) => JSON.parse(line).id)).toEqual(seen);
    const { epoch } = await store.readHeads([]);
    await store.renewEpoch({ expected: epoch });
    const old = await app.inject({ url: `/v1/export?after=${last}`, headers: { authorization: secretOf(keys) } });
    expect([old.statusCode, old.json().code]).toEqual([410, 'epoch-changed']);
    const wrong = ['{"p":{}}', '{"e":"k","p":{"0":"zzzz"}}', '{"e":"k","p":{"64":""}}', '{"e":"k","p":[]}', 'null'];
    for (const after of ['nonsense', ...wrong.map((text) => Buffer.from(text).toString('base64url'))]) {
      const broken = await app.inject({ url: `/v1/export?after=${after}`, headers: { authorization: secretOf(keys) } });
      expect(broken.json().code).toBe('bad-cursor');
    }
  });
});

describe('registration', () => {
  const register = (authorization: string, device: string, payload: Record<string, unknown>) =>
    app.inject({ method: 'PUT', url: `/v1/devices/${device}`, headers: { authorization }, payload: { platform: 'ios', app_version: '1', ...payload } });

  test('a new device gets its secret once; with it, the same again changes nothing and something else changes', async () => {
    const keys = await newAccount();
    const created = await register(publishableOf(keys), 'd', {});
    expect(created.statusCode).toBe(201);
    const secret = created.json().device_secret;
    expect((await register(publishableOf(keys), 'd', { device_secret: secret })).json()).toEqual({ changed: false });
    expect((await register(publishableOf(keys), 'd', { device_secret: secret, name: 'n' })).json()).toEqual({ changed: true });
    expect((await register(publishableOf(keys), 'd', {})).statusCode).toBe(401);
    expect((await register(publishableOf(keys), 'd', { device_secret: 'wrong' })).statusCode).toBe(401);
  });

  test('R48: the same again touches neither store nor anybody; a change, a deletion and the news of one end that', async () => {
    const keys = await newAccount();
    let touched = 0;
    const { readDevice, putDevice } = store;
    Object.assign(store, {
      readDevice: (...query: Parameters<typeof readDevice>) => {
        touched++;
        return readDevice(...query);
      },
      putDevice: (...put: Parameters<typeof putDevice>) => {
        touched++;
        return putDevice(...put);
      },
    });
    const secret = (await register(publishableOf(keys), 'd', {})).json().device_secret;
    const again = (change: Record<string, unknown> = {}) => register(publishableOf(keys), 'd', { device_secret: secret, ...change });
    await again();
    touched = 0;
    for (let i = 0; i < 1000; i++) expect((await again()).json()).toEqual({ changed: false });
    expect(touched).toBe(0);
    expect((await again({ device_secret: 'wrong' })).statusCode).toBe(401);
    expect((await again({ name: 'n' })).json()).toEqual({ changed: true });
    expect((await again()).json()).toEqual({ changed: true });
    await again();
    touched = 0;
    nowMs += deps.streams.positionCheckMs + 1;
    await again();
    expect(touched, 'what is remembered is read again after a while').toBe(1);
    const remove = (authorization: string) => app.inject({ method: 'DELETE', url: '/v1/devices/d', headers: { authorization } });
    expect((await remove(publishableOf(keys))).statusCode).toBe(403);
    expect([(await remove(secretOf(keys))).statusCode, (await remove(secretOf(keys))).statusCode]).toEqual([204, 404]);
    expect([(await again()).statusCode, (await again()).json().code]).toEqual([409, 'device-deleted']);
  });

  test('R50: who changes a registration too often is told when to come back; an identical one goes on', async () => {
    const keys = await newAccount();
    const secret = (await register(publishableOf(keys), 'd', {})).json().device_secret;
    const change = (name: string) => register(publishableOf(keys), 'd', { device_secret: secret, name });
    expect([(await change('a')).statusCode, (await change('b')).statusCode]).toEqual([200, 200]);
    const refused = await change('c');
    expect([refused.statusCode, refused.json()]).toMatchObject([429, { code: 'rate-limited', lane: 'registration', retryable: true }]);
    expect(Number(refused.headers['retry-after'])).toBeGreaterThanOrEqual(60);
    expect(refused.headers).toMatchObject({ 'ratelimit-policy': '"device-registration";q=3;w=180', ratelimit: '"device-registration";r=0;t=60' });
    expect((await change('b')).json()).toEqual({ changed: false });
    nowMs += 60_000;
    expect((await change('c')).json()).toEqual({ changed: true });
    expect((await change('d')).statusCode).toBe(429);
  });

  test('an account’s own quota of a lane, and what is left of it on every answer', async () => {
    const keys = await createAccounts(deps).create({ name: 'x', quotas: { read_per_second: 1, read_burst: 2 } });
    await register(secretOf(keys), 'd', {});
    const read = () => app.inject({ url: '/v1/devices/d', headers: { authorization: secretOf(keys) } });
    const answers = [await read(), await read(), await read()];
    expect(answers.map(({ statusCode }) => statusCode)).toEqual([200, 200, 429]);
    expect(answers.map(({ headers }) => headers.ratelimit)).toEqual(['"account-read";r=1;t=2', '"account-read";r=0;t=2', '"account-read";r=0;t=1']);
    expect(answers[2]?.json()).toMatchObject({ lane: 'read' });
  });

  test('a deletion spends from the account’s quota of registrations', async () => {
    const keys = await createAccounts(deps).create({ name: 'x', quotas: { registration_per_second: 1, registration_burst: 2 } });
    const authorization = secretOf(keys);
    await register(authorization, 'd', {});
    const remove = (device: string) => app.inject({ method: 'DELETE', url: `/v1/devices/${device}`, headers: { authorization, 'if-match': '*' } });
    const answers = [await remove('d'), await remove('e')];
    expect(answers.map(({ statusCode }) => statusCode)).toEqual([204, 429]);
    expect(answers.map(({ headers }) => headers.ratelimit)).toEqual(['"account-registration";r=0;t=2', '"account-registration";r=0;t=1']);
    expect(answers[1]?.json()).toMatchObject({ code: 'rate-limited', lane: 'registration' });
    expect((await register(authorization, 'd', {})).statusCode, 'what changes nothing spends nothing').toBe(409);
  });

  test('nobody becomes a user by naming one', async () => {
    const keys = await newAccount();
    expect((await register(publishableOf(keys), 'd', { user: 'u' })).statusCode).toBe(403);
    const minted = await app.inject({
      method: 'POST',
      url: '/v1/tokens',
      headers: { authorization: secretOf(keys) },
      payload: { user: 'u', scopes: ['ch:inbox'] },
    });
    expect(minted.statusCode).toBe(201);
    expect((await register(publishableOf(keys), 'd', { user_token: minted.json().access_token })).statusCode).toBe(201);
    const shown = await app.inject({ url: '/v1/devices/d', headers: { authorization: secretOf(keys) } });
    expect(shown.json()).toMatchObject({ device_id: 'd', user: 'u', platform: 'ios' });
    const foreign = await newAccount();
    expect((await register(publishableOf(foreign), 'e', { user_token: minted.json().access_token })).statusCode).toBe(401);
  });
});

describe('access', () => {
  test('R46: whatever is wrong with a credential, the answer is the same 401', async () => {
    const keys = await newAccount();
    const { authorization } = await newDevice(keys, 'd1');
    const [head, claims, signature] = authorization.slice(7).split('.') as [string, string, string];
    const none = Buffer.from('{"alg":"none","typ":"JWT"}').toString('base64url');
    const expired = tokens.signDevice({ account: keys.account_id, device: 'd1', user: undefined, generation: 1, expiresInSeconds: -1 });
    const foreign = createTokens({ key: 'x'.repeat(43), clock }).signDevice({
      account: keys.account_id,
      device: 'd1',
      user: undefined,
      generation: 1,
      expiresInSeconds: 60,
    });
    const wrong = [
      undefined,
      '',
      'Bearer',
      'Bearer ',
      'Bearer x.y.z',
      `Bearer ${none}.${claims}.`,
      `Bearer ${head}.${claims}.${signature.slice(1)}A`,
      `Bearer ${expired}`,
      `Bearer ${foreign}`,
      'Basic !!!',
      basic('nobody', 'x'),
      basic(keys.account_id, 'x'),
      'Digest a',
    ];
    const bodies = new Set<string>();
    for (const credential of wrong) {
      const answer = await app.inject({
        method: 'POST',
        url: '/v1/events',
        headers: { 'content-type': 'application/json', ...(credential === undefined ? {} : { authorization: credential }) },
        payload: '[]',
      });
      expect(answer.statusCode, String(credential)).toBe(401);
      expect(answer.headers['www-authenticate']).toBeDefined();
      const { request_id: _, ...rest } = answer.json();
      bodies.add(JSON.stringify(rest));
    }
    expect(bodies.size).toBe(1);
  });

  test('R46: a device that is deleted has no token any more, here and where the news comes or is lost', async () => {
    const keys = await newAccount();
    const other = createBus();
    const elsewhere = await buildApp({ ...deps, bus: other });
    const lonely = await buildApp({ ...deps, bus: createBus(), streams: { ...deps.streams, positionCheckMs: 20 } });
    const { authorization } = await newDevice(keys, 'd1');
    const kept = await newDevice(keys, 'd2');
    const statusAt = async (at: FastifyInstance, token = authorization): Promise<number> =>
      (await at.inject({ method: 'POST', url: '/v1/events', headers: { authorization: token, 'content-type': 'application/json' }, payload: '[]' })).statusCode;
    expect(await Promise.all([app, elsewhere, lonely].map((at) => statusAt(at)))).toEqual([400, 400, 400]);
    const gone = await app.inject({ method: 'DELETE', url: '/v1/devices/d1', headers: { authorization: secretOf(keys) } });
    expect([gone.statusCode, await statusAt(app), await statusAt(elsewhere)]).toEqual([204, 401, 400]);
    other.receive({ kind: 'ended-tokens', ended: [{ account: keys.account_id, device: 'd1', generation: 2 }] });
    expect(await statusAt(elsewhere)).toBe(401);
    await vi.waitFor(async () => expect(await statusAt(lonely)).toBe(401));
    // One that starts later knows it too.
    const later = await buildApp(deps);
    expect([await statusAt(later), await statusAt(later, kept.authorization), await statusAt(app, kept.authorization)]).toEqual([401, 400, 400]);
    await Promise.all([elsewhere, lonely, later].map((at) => at.close()));
  });

  test('R51: a device that authenticating makes spends from the quota of registrations; one that is there does not', async () => {
    const keys: Keys = await createAccounts(deps).create({ name: 'x', quotas: { registration_per_second: 1, registration_burst: 2 } });
    const authenticate = (device: string, secret?: string) =>
      app.inject({
        method: 'POST',
        url: '/v1/authenticate',
        headers: { authorization: publishableOf(keys) },
        payload: { device_id: device, ...(secret === undefined ? {} : { device_secret: secret }) },
      });
    const first = await authenticate('d0');
    const statuses = [first.statusCode];
    for (let i = 1; i < 4; i++) statuses.push((await authenticate(`d${i}`)).statusCode);
    expect(statuses).toEqual([200, 200, 429, 429]);
    expect((await authenticate('d9')).json()).toMatchObject({ code: 'rate-limited', lane: 'registration' });
    expect((await authenticate('d0', first.json().device_secret)).statusCode).toBe(200);
  });

  test('names that are no text are refused: half a surrogate pair, bytes that are no UTF-8', async () => {
    const keys = await newAccount();
    const { authorization } = await newDevice(keys, 'd1');
    const post = (url: string, credential: string, payload: string | Buffer) =>
      app.inject({ method: 'POST', url, headers: { authorization: credential, 'content-type': 'application/json' }, payload });
    const minted = (user: string) => post('/v1/tokens', secretOf(keys), `{"user":"${user}","scopes":["ch:own"]}`);
    for (const user of ['\\ud800', 'u\\udc00']) expect((await minted(user)).json()).toMatchObject({ status: 400, code: 'invalid-json' });
    expect((await minted('\\ud83d\\ude00')).statusCode).toBe(201);
    const broken = Buffer.concat([Buffer.from('{"user":"'), Buffer.from([0xff, 0xfe]), Buffer.from('","scopes":["ch:own"]}')]);
    expect((await post('/v1/tokens', secretOf(keys), broken)).statusCode).toBe(400);
    const events = (id: string): string => JSON.stringify([event('whole'), event('ID')]).replace('"ID"', `"${id}"`);
    const mixed = await post('/v1/events', authorization, events('\\ud800'));
    expect(mixed.json()).toMatchObject({ accepted: 1, rejected: [{ index: 1, id: '\ufffd', code: 'bad-id' }] });
    const bytes = Buffer.from(events('XX'));
    bytes.set([0xff, 0xff], bytes.indexOf('XX'));
    expect((await post('/v1/events', authorization, bytes)).json()).toMatchObject({ status: 400, code: 'invalid-json' });
    expect((await post('/graphql', secretOf(keys), broken)).statusCode).toBe(400);
  });

  test('one wrong clock has the last word for ten minutes and not for a century', async () => {
    const keys = await newAccount();
    const { authorization } = await newDevice(keys, 'd1');
    const post = (events: readonly object[]) =>
      app.inject({ method: 'POST', url: '/v1/events', headers: { authorization, 'content-type': 'application/json' }, payload: JSON.stringify(events) });
    const saying = (id: string, atMs: number, value: string) => ({
      id,
      type: 'activity',
      recorded_at: new Date(atMs).toISOString(),
      data: { activity: value },
    });
    await post([saying('a', nowMs + 100 * 365 * 86_400_000, 'of a wrong clock'), { ...event('l1'), recorded_at: '2126-01-01T00:00:00Z' }]);
    await stepEverything(keys.account_id, 'd1');
    nowMs += 601_000;
    await post([saying('b', nowMs, 'walking'), { ...event('l2'), recorded_at: new Date(nowMs).toISOString() }]);
    await stepEverything(keys.account_id, 'd1');
    const context = await app.inject({ url: '/v1/devices/d1/context', headers: { authorization } });
    expect(context.json().activity.value).toBe('walking');
    const location = await app.inject({ url: '/v1/devices/d1/location', headers: { authorization } });
    expect(location.json().id).toBe('l2');
  });

  test('R47: a device that moves to another user leaves its tokens behind; one that joins its first keeps them', async () => {
    const keys = await newAccount();
    const join = (user: string) =>
      app.inject({
        method: 'PUT',
        url: '/v1/devices/d1',
        headers: { authorization: secretOf(keys), 'content-type': 'application/json' },
        payload: { platform: 'ios', app_version: '1', user },
      });
    const { authorization } = await newDevice(keys, 'd1');
    const status = async (): Promise<number> => (await app.inject({ url: '/v1/devices/d1', headers: { authorization } })).statusCode;
    const seen: (readonly [number, number])[] = [];
    for (const user of ['u1', 'u1', 'u2']) seen.push([(await join(user)).statusCode, await status()]);
    expect(seen).toEqual([
      [200, 200],
      [200, 200],
      [200, 401],
    ]);
    const later = await buildApp(deps);
    expect((await later.inject({ url: '/v1/devices/d1', headers: { authorization } })).statusCode).toBe(401);
    await later.close();
  });

  test('R47: no credential reaches what is not its own', async () => {
    const [mine, other] = [await newAccount(), await newAccount()];
    const victim = await newDevice(mine, 'd1');
    await send(victim.authorization, [event('secret')]);
    const stranger = await newDevice(other, 'd1');
    const sibling = await newDevice(mine, 'd2');
    for (const path of ['/v1/devices/d1', '/v1/devices/d1/location', '/v1/devices/d1/history?include=filtered']) {
      for (const authorization of [sibling.authorization, publishableOf(mine), publishableOf(other)]) {
        expect([401, 403], path).toContain((await app.inject({ url: path, headers: { authorization } })).statusCode);
      }
      for (const authorization of [stranger.authorization, secretOf(other)])
        expect((await app.inject({ url: path, headers: { authorization } })).body).not.toContain('secret');
    }
    expect((await app.inject({ url: '/v1/export', headers: { authorization: secretOf(other) } })).body).toBe('');
    for (const authorization of [victim.authorization, publishableOf(mine)])
      expect((await app.inject({ url: '/v1/export', headers: { authorization } })).statusCode).toBe(403);
    expect(
      (await app.inject({ method: 'POST', url: '/v1/authenticate', headers: { authorization: publishableOf(mine) }, payload: { device_id: 'd1' } })).statusCode,
    ).toBe(401);
  });

  test('a token ends on time', async () => {
    const { authorization } = await newDevice(await newAccount(), 'd1');
    expect((await send(authorization, [event('a')])).statusCode).toBe(202);
    nowMs += limits.deviceTokenSeconds * 1000;
    expect((await send(authorization, [event('b')])).statusCode).toBe(401);
  });

  test('R65: every error is a problem document with its request id', async () => {
    const keys = await newAccount();
    const { authorization } = await newDevice(keys, 'd1');
    const answers = [
      await app.inject({ url: '/nowhere' }),
      await app.inject({ method: 'DELETE', url: '/v1/events' }),
      await app.inject({ method: 'POST', url: '/v1/events', headers: { authorization, 'content-type': 'text/plain' }, payload: 'x' }),
      await app.inject({ method: 'POST', url: '/v1/authenticate', headers: { authorization: publishableOf(keys) }, payload: {} }),
      await app.inject({ url: '/v1/devices/d1/history?limit=0', headers: { authorization } }),
      await app.inject({ url: '/v1/devices/d1/history?from=never', headers: { authorization } }),
      await app.inject({
        method: 'POST',
        url: '/v1/authenticate',
        headers: { authorization: publishableOf(keys), 'content-type': 'application/json' },
        payload: '{',
      }),
    ];
    for (const answer of answers) {
      expect(answer.statusCode).toBeGreaterThanOrEqual(400);
      expect(answer.headers['content-type']).toContain('application/problem+json');
      expect(answer.json()).toMatchObject({ status: answer.statusCode, request_id: answer.headers['x-request-id'] });
    }
    expect((await app.inject({ url: '/healthz', headers: { 'x-request-id': 'mine' } })).headers['x-request-id']).toBe('mine');
  });
});

test('readiness ends with the drain, and every answer says so', async () => {
  expect((await app.inject({ url: '/readyz' })).statusCode).toBe(200);
  draining = true;
  const answer = await app.inject({ url: '/readyz' });
  expect([answer.statusCode, answer.json().code, answer.headers.connection]).toEqual([503, 'draining', 'close']);
});

test('R71: the limits that are published are those that are enforced', async () => {
  const published = (await app.inject({ url: '/v1/limits' })).json();
  expect(published).toMatchObject({ events_per_batch_max: limits.eventsPerBatchMax, event_bytes_max: limits.eventBytesMax, durability: 'memory' });
  const { authorization } = await newDevice(await newAccount(), 'd1');
  const most = Array.from({ length: published.events_per_batch_max }, (_, i) => event(`e${i}`));
  expect((await send(authorization, most)).json().accepted).toBe(published.events_per_batch_max);
});

test('the description is OpenAPI 3.1 and names every route', async () => {
  await app.ready();
  const { openapi, paths, components } = (await app.inject({ url: '/openapi.json' })).json();
  expect(openapi).toBe('3.1.0');
  const { schema } = paths['/v1/events'].post.requestBody.content['application/json'];
  expect(schema).toEqual({ $ref: '#/components/schemas/EventBatch' });
  const [batch] = components.schemas.EventBatch.anyOf;
  expect(batch).toEqual({ type: 'array', minItems: 1, maxItems: limits.eventsPerBatchMax, items: { $ref: '#/components/schemas/Event' } });
  expect(components.schemas.Event.required).toEqual(['id', 'type', 'recorded_at', 'data']);
  expect(paths['/v1/usage'].get.responses['200'].content['application/json'].schema).toEqual({ $ref: '#/components/schemas/Usage' });
  const used = components.schemas.Usage;
  expect(used.properties.days.items.required, 'a route that says itself what it answers is described so').toContain('stream_minutes');
  expect(Object.keys(paths)).toEqual(
    expect.arrayContaining([
      '/v1/events',
      '/v1/export',
      '/v1/authenticate',
      '/v1/tokens',
      '/v1/devices',
      '/v1/devices/{id}',
      '/v1/devices/{id}/context',
      '/v1/devices/{id}/location',
      '/v1/devices/{id}/history',
      '/v1/limits',
      '/healthz',
      '/readyz',
      '/metrics',
    ]),
  );
});

describe('for developers', () => {
  let keys: Keys;
  const ask = (method: 'GET' | 'DELETE', path: string, headers: Record<string, string> = {}) =>
    app.inject({ method, url: path, headers: { authorization: secretOf(keys), ...headers } });
  beforeEach(async () => {
    keys = await newAccount();
  });

  test('the devices of an account come in pages that each device is on once, without the deleted and without other accounts’', async () => {
    const names = Array.from({ length: 9 }, (_, i) => `d${i}`);
    for (const name of names) await newDevice(keys, name);
    await createAccounts(deps).create({ name: 'other', quotas: {} });
    expect((await ask('DELETE', '/v1/devices/d4')).statusCode).toBe(204);
    for (const limit of [1, 2, 8, 9, 1000]) {
      const seen: string[] = [];
      let token: string | undefined;
      do {
        const page = await ask('GET', `/v1/devices?limit=${limit}${token === undefined ? '' : `&pagination_token=${token}`}`);
        expect(page.statusCode).toBe(200);
        expect(page.json().devices.length).toBeLessThanOrEqual(limit);
        seen.push(...page.json().devices.map((device: { device_id: string }) => device.device_id));
        token = page.json().pagination_token;
      } while (token !== undefined);
      expect(seen).toEqual(names.filter((name) => name !== 'd4'));
    }
    for (const token of ['*', 'YQ==', Buffer.from('a/b').toString('base64url')])
      expect((await ask('GET', `/v1/devices?pagination_token=${encodeURIComponent(token)}`)).json().code).toBe('bad-range');
  });

  test('a deleted device is gone, its id is not used again, and only the version that was meant is deleted', async () => {
    const { secret } = await newDevice(keys, 'd1');
    const stale = await ask('DELETE', '/v1/devices/d1', { 'if-match': '"v7"' });
    expect([stale.statusCode, stale.json().code, stale.headers.etag]).toEqual([412, 'precondition-failed', '"v1"']);
    expect((await ask('DELETE', '/v1/devices/d1', { 'if-match': 'seven' })).statusCode).toBe(400);
    expect((await ask('DELETE', '/v1/devices/d1', { 'if-match': '"v1"' })).statusCode).toBe(204);
    expect((await ask('DELETE', '/v1/devices/d1')).statusCode).toBe(404);
    for (const tail of ['', '/location', '/context', '/history']) expect((await ask('GET', `/v1/devices/d1${tail}`)).statusCode).toBe(404);
    const payload = { device_id: 'd1', device_secret: secret };
    const again = await app.inject({ method: 'POST', url: '/v1/authenticate', headers: { authorization: publishableOf(keys) }, payload });
    expect([again.statusCode, again.json().code]).toEqual([409, 'device-deleted']);
  });

  test('a device deletes nothing, and reads its own context only', async () => {
    const one = await newDevice(keys, 'd1');
    await newDevice(keys, 'd2');
    expect((await ask('DELETE', '/v1/devices/d1', { authorization: one.authorization })).statusCode).toBe(403);
    expect((await ask('GET', '/v1/devices', { authorization: one.authorization })).statusCode).toBe(403);
    expect((await ask('GET', '/v1/devices/d2/context', { authorization: one.authorization })).statusCode).toBe(403);
    expect((await ask('GET', '/v1/devices/d1/context', { authorization: one.authorization })).statusCode).toBe(200);
  });

  test('the context says what a device is doing and since when, with a tag that changes with it', async () => {
    const { authorization } = await newDevice(keys, 'd1');
    const at = (minute: number): string => new Date(Date.parse('2026-11-24T10:00:00Z') + minute * 60_000).toISOString();
    const said = (id: string, type: string, minute: number, data: object): object => ({ id, type, recorded_at: at(minute), data });
    expect((await ask('GET', '/v1/devices/d1/context')).json()).toEqual({ device_id: 'd1', presence: { value: 'offline' } });
    const points = [0, 3, 6].map((minute) => said(`p${minute}`, 'location', minute, { lat: 52 + minute * 1e-5, lon: 4 }));
    await send(authorization, [
      ...points,
      said('w1', 'activity', 0, { activity: 'still' }),
      said('w2', 'activity', 5, { activity: 'still' }),
      said('t', 'trip', 2, { trip_id: 't-42', status: 'started' }),
      said('h', 'health', 3, { status: 'ok' }),
    ]);
    await stepEverything(keys.account_id, 'd1');
    const first = await ask('GET', '/v1/devices/d1/context');
    expect(first.json()).toMatchObject({
      activity: { value: 'still', since: at(0), recorded_at: at(5) },
      trip: { value: 'started t-42', since: at(2), data: { trip_id: 't-42' } },
      health: { value: 'ok', since: at(3) },
      place: { lat: 52, lon: 4, since: at(0), until: at(6) },
    });
    const etag = String(first.headers.etag);
    expect((await ask('GET', '/v1/devices/d1/context', { 'if-none-match': `"x", W/${etag}` })).statusCode).toBe(304);
    await send(authorization, [said('w3', 'activity', 7, { activity: 'drive' }), said('far', 'location', 8, { lat: 52.1, lon: 4 })]);
    await stepEverything(keys.account_id, 'd1');
    const then = await ask('GET', '/v1/devices/d1/context', { 'if-none-match': etag });
    expect(then.json()).toMatchObject({ activity: { value: 'drive', since: at(7) } });
    expect(then.json().place).toBeUndefined();
  });

  test('a clock that is wrong by more than ten minutes shows in the context, since when', async () => {
    const { authorization } = await newDevice(keys, 'd1');
    await send(authorization, { events: [event('a')], sent_at: new Date(nowMs - 3_600_000).toISOString() });
    await vi.waitFor(async () =>
      expect((await ask('GET', '/v1/devices/d1/context')).json().clock).toEqual({ offset_ms: 3_600_000, since: new Date(nowMs).toISOString() }),
    );
  });
});

const controls = { adminToken: 'let-me-in', startDrain: () => undefined, restartWorkers: async () => 'alone' as const };

test.each([
  ['started', 202, undefined],
  ['running', 409, 'restart-running'],
  ['draining', 503, 'draining'],
  ['alone', 404, 'not-found'],
] as const)('a restart of the workers that is %s is answered with %i', async (outcome, status, code) => {
  const admin = await buildAdminApp({ ...deps, ...controls, restartWorkers: async () => outcome });
  const ask = (authorization: string) => admin.inject({ method: 'POST', url: '/admin/v1/restart-workers', headers: { authorization } });
  expect((await ask('Bearer wrong')).statusCode).toBe(401);
  const answer = await ask('Bearer let-me-in');
  expect([answer.statusCode, answer.json().code]).toEqual([status, code]);
});

test('accounts are made on the admin listener, with its token only', async () => {
  const admin = await buildAdminApp({ ...deps, ...controls });
  const make = (authorization?: string) =>
    admin.inject({ method: 'POST', url: '/admin/v1/accounts', headers: authorization === undefined ? {} : { authorization }, payload: { name: 'n' } });
  expect((await make()).statusCode).toBe(401);
  expect((await make('Bearer wrong')).statusCode).toBe(401);
  const answer = await make('Bearer let-me-in');
  expect(answer.statusCode).toBe(201);
  expect((await app.inject({ url: '/v1/export', headers: { authorization: secretOf(answer.json()) } })).statusCode).toBe(200);
});
