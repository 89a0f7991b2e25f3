/** HTTP as its RFCs have it, whatever the route: how a head is read, what a tag means, and that a refusal is a problem. */
import { once } from 'node:events';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { gzipSync } from 'node:zlib';
import type { FastifyInstance, InjectOptions } from 'fastify';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createAccounts } from './accounts/accounts.ts';
import { buildAdminApp, buildApp, type PlainDeps, type TlsFiles } from './app.ts';
import { depsAlone } from './deps-alone.ts';

let deps: PlainDeps;
let app: FastifyInstance;
let port: number;
let secret: string;
let publishable: string;
let user: string;
let device: string;

beforeAll(async () => {
  deps = depsAlone();
  app = await buildApp(deps);
  await app.listen({ host: '127.0.0.1', port: 0 });
  port = (app.server.address() as AddressInfo).port;
  const keys = await createAccounts(deps).create({ name: 'x', quotas: {} });
  const account = keys.account_id;
  secret = Buffer.from(`${account}:${keys.secret}`).toString('base64');
  publishable = Buffer.from(`${keys.publishable_key}:`).toString('base64');
  user = deps.tokens.signUser({ account, user: 'u', scopes: ['ch:*'], expiresInSeconds: 600 });
  device = deps.tokens.signDevice({ account, device: 'd', user: undefined, generation: 1, expiresInSeconds: 600 });
});
afterAll(() => app.close());

describe('tags of items', () => {
  const url = '/v1/sync/trips/tagged';
  const ask = (options: InjectOptions, more: Readonly<Record<string, string>>) =>
    app.inject({ url, ...options, headers: { authorization: `Bearer ${user}`, ...more } });
  const put = async (more: Readonly<Record<string, string>>) => (await ask({ method: 'PUT', payload: {} }, more)).statusCode;
  const get = async (more: Readonly<Record<string, string>>) => (await ask({}, more)).statusCode;

  test('If-Match compares strongly, If-None-Match weakly, and both take lists', async () => {
    expect(await put({ 'if-match': '*' })).toBe(412);
    expect(await put({ 'if-none-match': '*' })).toBe(201);
    expect(await put({ 'if-none-match': '*' })).toBe(412);
    expect(await put({ 'if-match': 'W/"v1"' })).toBe(412);
    expect(await put({ 'if-match': '"v9", "v1"' })).toBe(200);
    expect(await put({ 'if-match': '"v9", "v1"' })).toBe(412);
    expect(await put({ 'if-match': '"of-another-service"' })).toBe(412);
    expect(await put({ 'if-none-match': 'W/"v2"' })).toBe(412);
    expect(await put({ 'if-none-match': '"v1", "v9"' })).toBe(200);
    expect(await put({ 'if-match': '"v3"', 'if-none-match': '"v3"' })).toBe(412);
    expect(await put({ 'if-match': '"v3"', 'if-none-match': '"v1"' })).toBe(200);
  });

  test('a GET is answered by the same reading', async () => {
    for (const unchanged of ['"v4"', 'W/"v4"', '"v1", W/"v4"', '*']) expect([unchanged, await get({ 'if-none-match': unchanged })]).toEqual([unchanged, 304]);
    expect(await get({ 'if-none-match': '"v1", "v2"' })).toBe(200);
    expect([await get({ 'if-match': '"v4"' }), await get({ 'if-match': '*' }), await get({ 'if-match': 'W/"v4"' })]).toEqual([200, 200, 412]);
    expect(await get({ 'if-match': '"v1"', 'if-none-match': '"v4"' })).toBe(412);
  });

  test('a tag without quotes is told so, and changes nothing', async () => {
    for (const header of ['if-match', 'if-none-match']) {
      const answer = await ask({ method: 'PUT', payload: {} }, { [header]: 'v4' });
      expect(answer.json()).toMatchObject({ code: 'bad-request', detail: expect.stringContaining('in quotes, as "v3", "v4"') });
      expect(await get({ [header]: 'v4' })).toBe(400);
    }
    expect((await ask({}, {})).headers.etag).toBe('"v4"');
  });

  test('a registration is under the same conditions', async () => {
    const register = async (name: string, more: Readonly<Record<string, string>>) => {
      const payload = { platform: 'ios', app_version: name };
      return (await app.inject({ method: 'PUT', url: '/v1/devices/tagged', headers: { authorization: `Basic ${secret}`, ...more }, payload })).statusCode;
    };
    expect(await register('1', { 'if-match': '*' })).toBe(412);
    expect(await register('1', { 'if-none-match': '*' })).toBe(201);
    expect(await register('1', {})).toBe(200);
    expect(await register('1', { 'if-none-match': '*' })).toBe(412);
    expect(await register('2', { 'if-match': 'W/"v1"' })).toBe(412);
    expect(await register('2', { 'if-match': '"v7", "v1"' })).toBe(200);
    expect(await register('3', { 'if-match': '"v1"' })).toBe(412);
    const remove = async (more: Readonly<Record<string, string>>) =>
      (await app.inject({ method: 'DELETE', url: '/v1/devices/tagged', headers: { authorization: `Basic ${secret}`, ...more } })).statusCode;
    expect(await remove({ 'if-match': '"v1"' })).toBe(412);
    expect(await remove({ 'if-none-match': 'W/"v2"' })).toBe(412);
    expect(await remove({ 'if-match': '"v1", "v2"' })).toBe(204);
  });
});

test('the scheme of a credential is read in any case, and what follows it has to be what it says', async () => {
  const status = async (authorization: string) => (await app.inject({ url: '/v1/devices', headers: { authorization } })).statusCode;
  for (const scheme of ['Basic', 'basic', 'BASIC', 'Basic ']) expect([scheme, await status(`${scheme} ${secret}`)]).toEqual([scheme, 200]);
  for (const wrong of [`Basic ${secret}!!!!`, `Basic ${secret}AAAA`, `Basic !!!!${secret}`, `Basic ${secret}, x`, `Basic\t${secret}`, secret])
    expect([wrong, await status(wrong)]).toEqual([wrong, 401]);
  const sync = async (authorization: string) => (await app.inject({ url: '/v1/sync/trips', headers: { authorization } })).statusCode;
  expect([await sync(`bearer ${user}`), await sync(`BEARER ${user}`), await sync(`bearer ${user}=`)]).toEqual([200, 200, 401]);
  const bare = Buffer.from(Buffer.from(publishable, 'base64').toString().slice(0, -1)).toString('base64');
  const authenticate = (authorization: string) =>
    app.inject({ method: 'POST', url: '/v1/authenticate', headers: { authorization }, payload: { device_id: `d${Math.random()}` } });
  expect([(await authenticate(`basic ${publishable}`)).statusCode, (await authenticate(`basic ${bare}`)).statusCode]).toEqual([200, 200]);
});

test('the admin’s token comes by the same reading', async () => {
  const controls = { adminToken: 'let-me-in', startDrain: () => undefined, restartWorkers: async () => 'alone' as const };
  const admin = await buildAdminApp({ ...deps, ...controls });
  const status = async (authorization: string) =>
    (await admin.inject({ method: 'POST', url: '/admin/v1/accounts', headers: { authorization }, payload: { name: 'x' } })).statusCode;
  expect([await status('bearer let-me-in'), await status('Bearer let-me-in'), await status('Basic let-me-in'), await status('Bearer let-me-in=')]).toEqual([
    201, 201, 401, 401,
  ]);
  await admin.close();
});

test('gzip is gzip by any of its names, and what is not understood is told what is', async () => {
  const item = gzipSync('{"packed":true}');
  const put = (encoding: string, payload: Buffer) =>
    app.inject({
      method: 'PUT',
      url: '/v1/sync/trips/packed',
      headers: { authorization: `Bearer ${user}`, 'content-type': 'application/json', 'content-encoding': encoding },
      payload,
    });
  for (const encoding of ['gzip', 'GZIP', 'x-gzip', 'identity, gzip'])
    expect([encoding, (await put(encoding, item)).statusCode < 300]).toEqual([encoding, true]);
  for (const encoding of ['identity', 'Identity']) expect([encoding, (await put(encoding, Buffer.from('{}'))).statusCode]).toEqual([encoding, 200]);
  for (const encoding of ['br', 'gzip, gzip', 'deflate']) {
    const refused = await put(encoding, item);
    expect([refused.statusCode, refused.headers['accept-encoding'], refused.json().code]).toEqual([415, 'gzip, identity', 'unsupported-media']);
  }
});

test('a weight of nothing is a refusal', async () => {
  const stream = async (accept: string) => {
    const answer = await app.inject({ method: 'HEAD', url: '/v1/stream?ch=inbox', headers: { authorization: `Bearer ${user}`, accept } });
    return answer.statusCode === 200 ? answer.headers['content-type'] : answer.statusCode;
  };
  expect(await stream('text/event-stream;q=0, */*')).toBe('application/x-ndjson');
  expect(await stream('application/x-ndjson;q=0.1, text/*')).toBe('text/event-stream');
  expect([await stream('*/*;q=0'), await stream('text/event-stream;q=0')]).toEqual([406, 406]);
  await app.inject({ method: 'PUT', url: '/v1/devices/d', headers: { authorization: `Basic ${secret}` }, payload: { platform: 'ios', app_version: '1' } });
  const history = async (accept: string) =>
    (await app.inject({ url: '/v1/devices/d/history', headers: { authorization: `Bearer ${device}`, accept } })).headers['content-type'];
  expect(await history('application/x-ndjson')).toMatch(/^application\/x-ndjson/);
  for (const accept of ['application/x-ndjson;q=0', 'application/x-ndjson;q=0.5, application/json', '*/*'])
    expect(await history(accept)).toMatch(/^application\/json/);
  const graphql = async (accept: string) => {
    const headers = { authorization: `Bearer ${user}`, accept };
    const answer = await app.inject({ method: 'POST', url: '/graphql', headers, payload: { query: '{ __typename }' } });
    return answer.statusCode === 200 ? answer.headers['content-type'] : answer.statusCode;
  };
  expect(await graphql('application/json;q=0.2, application/graphql-response+json')).toMatch(/^application\/graphql-response\+json/);
  expect(await graphql('application/graphql-response+json;q=0, */*')).toMatch(/^application\/json/);
  expect([await graphql('application/json;q=0'), await graphql('image/png')]).toEqual([406, 406]);
});

test.each(['.', '..'])('a part of an address that is "%s" is refused wherever it is a name', async (name) => {
  const basic = { authorization: `Basic ${publishable}` };
  const escaped = name.replaceAll('.', '%2e');
  const registration = JSON.stringify({ platform: 'ios', app_version: '1' });
  expect((await app.inject({ method: 'POST', url: '/v1/authenticate', headers: basic, payload: { device_id: name } })).statusCode).toBe(400);
  const said = await speak(
    `PUT /v1/devices/${escaped} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nAuthorization: Basic ${secret}\r\nContent-Type: application/json\r\nContent-Length: ${registration.length}\r\n\r\n${registration}`,
  );
  expect(said).toMatch(/^HTTP\/1\.1 400 .*"code":"bad-request"/s);
  const bearer = { authorization: `Bearer ${user}` };
  for (const ch of [`sync:${name}`, `device:${name}`])
    expect([ch, (await app.inject({ method: 'HEAD', url: `/v1/stream?ch=${ch}`, headers: bearer })).statusCode]).toEqual([ch, 400]);
  const share = { method: 'POST' as const, url: '/v1/shares', headers: bearer };
  for (const payload of [
    { collection: name, item: 'x', to: { user: 'v' } },
    { collection: 'trips', item: name, to: { user: 'v' } },
  ])
    expect((await app.inject({ ...share, payload })).statusCode).toBe(400);
  const token = Buffer.from(name).toString('base64url');
  expect((await app.inject({ url: `/v1/devices?pagination_token=${token}`, headers: { authorization: `Basic ${secret}` } })).statusCode).toBe(400);
});

/** What comes back until the connection ends. */
async function speak(text: string): Promise<string> {
  const socket = connect({ port, host: '127.0.0.1' });
  let said = '';
  socket.on('data', (bytes) => {
    said += bytes.toString('latin1');
  });
  socket.write(text, 'latin1');
  await once(socket, 'close');
  return said;
}

const asked = (lines: readonly string[], start = 'GET /healthz HTTP/1.1') => `${[start, ...lines, 'Connection: close'].join('\r\n')}\r\n\r\n`;
const chunks = '2\r\n{}\r\n0\r\n\r\n';
const wrong: readonly (readonly [name: string, text: string, status: number, code: string])[] = [
  ['no Host', asked([]), 400, 'bad-request'],
  ['two Hosts', asked(['Host: a', 'Host: b']), 400, 'bad-request'],
  ['a Host that is none', asked(['Host: a/b']), 400, 'bad-request'],
  ['two credentials', asked(['Host: a', 'Authorization: Basic eDp5', 'Authorization: Basic eDp6']), 400, 'bad-request'],
  ['an expectation', asked(['Host: a', 'Expect: tea']), 417, 'expectation-failed'],
  ['an expectation beside the one that is met', asked(['Host: a', 'Expect: 100-continue, tea']), 417, 'expectation-failed'],
  ['a coding before the chunks', `${asked(['Host: a', 'Transfer-Encoding: TE, chunked'])}${chunks}`, 501, 'not-implemented'],
  ['gzip before the chunks', `${asked(['Host: a', 'Transfer-Encoding: gzip, chunked'])}${chunks}`, 501, 'not-implemented'],
  ['chunks in HTTP/1.0', `${asked(['Host: a', 'Transfer-Encoding: chunked'], 'GET /healthz HTTP/1.0')}${chunks}`, 400, 'bad-request'],
  ['a coding that is none', asked(['Host: a', 'Transfer-Encoding: xchunked']), 501, 'not-implemented'],
  ['a length beside chunks', `${asked(['Host: a', 'Transfer-Encoding: chunked', 'Content-Length: 2'])}${chunks}`, 400, 'bad-request'],
  ['a tunnel', asked(['Host: a:1'], 'CONNECT a:1 HTTP/1.1'), 501, 'not-implemented'],
  ['what is no HTTP', 'BREW\r\n\r\n', 400, 'bad-request'],
  ['a version that there is not', 'GET / HTTP/7.3\r\nHost: a\r\n\r\n', 400, 'bad-request'],
  ['a header without an end', `GET / HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(20_000)}`, 431, 'headers-too-large'],
  [
    'a chunk that is none',
    `${asked(['Host: a', 'Transfer-Encoding: chunked', 'Content-Type: application/json'], 'PUT /v1/devices/x HTTP/1.1')}zz\r\n`,
    400,
    'bad-request',
  ],
];

describe.each(wrong)('%s', (_, text, status, code) => {
  test('is answered by a problem, once, with an id', async () => {
    const said = await speak(text);
    // After an expectation that is met in part, Node has said to go on already.
    const answer = said.replace(/^HTTP\/1\.1 100 Continue\r\n\r\n/, '');
    const [head = '', body = ''] = answer.split('\r\n\r\n');
    expect(head.split('\r\n', 1)[0]).toMatch(new RegExp(`^HTTP/1\\.1 ${status} [A-Z]`));
    expect(head).toMatch(/\r\ncontent-type: application\/problem\+json/i);
    const document = JSON.parse(body);
    expect(document).toMatchObject({ status, code, retryable: false, detail: expect.stringMatching(/\.$/) });
    expect(/\r\nx-request-id: (\S+)/i.exec(head)?.[1]).toBe(document.request_id);
    expect(answer.match(/HTTP\/1\.1 \d/g)).toHaveLength(1);
  });
});

test('nonsense behind a request that is being answered is refused behind its answer', async () => {
  const said = await speak(`GET /v1/sync/trips HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${user}\r\n\r\nBREW\r\n\r\n`);
  expect(said.match(/(?<=HTTP\/1\.1 )\d{3}/g)).toEqual(['200', '400']);
});

test('who never said anything is not answered, and who did not finish is told so', async () => {
  const said = async (text: string) => {
    const socket = connect({ port, host: '127.0.0.1' });
    const [accepted] = (await once(app.server, 'connection')) as [Socket];
    let heard = '';
    socket.on('data', (bytes) => {
      heard += bytes.toString();
    });
    if (text !== '') {
      socket.write(text);
      await once(accepted, 'data');
    }
    app.server.emit('clientError', Object.assign(new Error('late'), { code: 'ERR_HTTP_REQUEST_TIMEOUT' }), accepted);
    await once(socket, 'close');
    return heard;
  };
  expect(await said('')).toBe('');
  expect(await said('GET / HTTP/1.1\r\n')).toMatch(/^HTTP\/1\.1 408 Request Timeout\r\n.*"code":"request-timeout",.*"retryable":true/s);
});

test('deadlines are the same where the service speaks TLS itself', async () => {
  const secure = await buildApp(depsAlone(), {} as TlsFiles);
  const deadlines = ({ headersTimeout, requestTimeout, keepAliveTimeout }: FastifyInstance['server']) => [headersTimeout, requestTimeout, keepAliveTimeout];
  expect(deadlines(secure.server)).toEqual(deadlines(app.server));
  await secure.close();
});

describe('pages of other origins', () => {
  const origin = 'https://app.example';
  const bearer = () => ({ authorization: `Bearer ${user}`, origin });
  const allowed = ({ headers }: { readonly headers: Readonly<Record<string, unknown>> }) => headers['access-control-allow-origin'];

  test('read what a token opens, refusals too, with the headers they need', async () => {
    const answers = await Promise.all([
      app.inject({ url: '/v1/limits', headers: { origin } }),
      app.inject({ url: '/openapi.json', headers: { origin } }),
      app.inject({ url: '/v1/sync/trips', headers: bearer() }),
      app.inject({ url: '/v1/sync/trips', headers: { origin } }),
      app.inject({ url: '/v1/sync/trips/none', headers: bearer() }),
      app.inject({ url: '/v1/sync/trips?limit=0', headers: bearer() }),
      app.inject({ url: '/nowhere', headers: { origin } }),
      app.inject({ url: '/%zz', headers: { origin } }),
      app.inject({ method: 'POST', url: '/v1/events', headers: { authorization: `Bearer ${device}`, origin }, payload: '[{' }),
      app.inject({ method: 'POST', url: '/v1/authenticate', headers: { origin }, payload: {} }),
      app.inject({ method: 'POST', url: '/graphql', headers: bearer(), payload: { query: '{ __typename }' } }),
      app.inject({ method: 'POST', url: '/graphql', headers: { origin }, payload: { query: '{ __typename }' } }),
      app.inject({ method: 'HEAD', url: '/v1/stream?ch=inbox', headers: bearer() }),
      app.inject({ url: '/v1/stream?ch=inbox&mode=longpoll&since=nonsense', headers: bearer() }),
    ]);
    expect(answers.map(({ statusCode }) => statusCode)).toEqual([200, 200, 200, 401, 404, 400, 404, 400, 415, 401, 200, 401, 200, 400]);
    expect(answers.map(allowed)).toEqual(answers.map(() => '*'));
    for (const { headers } of answers) expect(headers['access-control-expose-headers']).toMatch(/ETag.*RateLimit.*Retry-After.*X-Request-Id/);
  });

  test('read nothing that only the secret opens, nor what has no credential and tells of the machine', async () => {
    const authorization = `Basic ${secret}`;
    const urls = ['/v1/devices', '/v1/export', '/v1/usage', '/v1/webhooks', '/healthz', '/readyz', '/metrics', '/v1/connection'];
    const answers = await Promise.all(urls.map((url) => app.inject({ url, headers: { authorization, origin } })));
    expect(answers.map(({ statusCode }) => statusCode)).toEqual(urls.map(() => 200));
    expect(answers.map(allowed)).toEqual(urls.map(() => undefined));
  });

  const preflight = (to: FastifyInstance, method: string, url: string, from = origin) =>
    to.inject({
      method: 'OPTIONS',
      url,
      headers: { origin: from, 'access-control-request-method': method, 'access-control-request-headers': 'authorization,if-match' },
    });

  test('ask before, and are told by the route that they mean', async () => {
    for (const [method, url] of [
      ['PUT', '/v1/sync/trips/x'],
      ['GET', '/v1/stream?ch=inbox'],
      ['POST', '/graphql'],
      ['POST', '/v1/events'],
      ['PUT', '/v1/devices/d'],
      ['GET', '/v1/limits'],
    ] as const) {
      const answer = await preflight(app, method, url);
      expect([url, answer.statusCode, answer.body, allowed(answer)]).toEqual([url, 204, '', '*']);
      expect(answer.headers['access-control-allow-headers']).toMatch(/Authorization.*If-Match/);
    }
    for (const [method, url] of [
      ['GET', '/v1/devices'],
      ['DELETE', '/v1/devices/d'],
      ['POST', '/v1/webhooks'],
      ['GET', '/metrics'],
    ] as const) {
      const answer = await preflight(app, method, url);
      expect([url, answer.statusCode, answer.json().code, allowed(answer)]).toEqual([url, 403, 'forbidden', undefined]);
    }
    expect((await preflight(app, 'PATCH', '/v1/sync/trips/x')).statusCode).toBe(404);
    expect((await app.inject({ method: 'OPTIONS', url: '/v1/limits' })).statusCode).toBe(404);
  });

  test('are those that the settings name', async () => {
    const named = await buildApp(depsAlone({ cors: { origins: [origin], secretOrigins: ['https://admin.example'] } }));
    const from = async (url: string, asking: string | undefined) => {
      const { headers } = await named.inject({ url, headers: asking === undefined ? {} : { origin: asking } });
      return [headers['access-control-allow-origin'], headers.vary];
    };
    expect(await from('/v1/limits', origin)).toEqual([origin, 'Origin']);
    expect(await from('/v1/limits', 'https://admin.example')).toEqual([undefined, 'Origin']);
    expect(await from('/v1/limits', undefined)).toEqual([undefined, 'Origin']);
    expect(await from('/v1/devices', 'https://admin.example')).toEqual(['https://admin.example', 'Origin']);
    expect(await from('/v1/devices', origin)).toEqual([undefined, 'Origin']);
    expect([
      (await preflight(named, 'GET', '/v1/devices', 'https://admin.example')).statusCode,
      (await preflight(named, 'GET', '/v1/devices')).statusCode,
    ]).toEqual([204, 403]);
    await named.close();
  });

  test('read that a lane is shed, and when to come back', async () => {
    const shedding = await buildApp(depsAlone({ admissionOverrides: { letIn: () => 0, takeShare: () => false, holdMs: 0 } }));
    await shedding.listen({ host: '127.0.0.1', port: 0 });
    const url = `http://127.0.0.1:${(shedding.server.address() as AddressInfo).port}/v1/sync/trips`;
    const answer = await fetch(url, { headers: { origin } });
    expect([answer.status, answer.headers.get('access-control-allow-origin'), answer.headers.get('vary')]).toEqual([503, '*', 'Origin']);
    expect(answer.headers.get('access-control-expose-headers')).toContain('Retry-After');
    await answer.body?.cancel();
    await shedding.close();
  });

  test('read a stream and a batch’s answer as they come from the socket', async () => {
    const head = (start: string, more: readonly string[]) => `${[start, 'Host: a', `Origin: ${origin}`, ...more, 'Connection: close'].join('\r\n')}\r\n\r\n`;
    const socket = connect({ port, host: '127.0.0.1' });
    socket.write(head('GET /v1/stream?ch=inbox HTTP/1.1', [`Authorization: Bearer ${user}`]));
    const [bytes] = (await once(socket, 'data')) as [Buffer];
    socket.destroy();
    expect(bytes.toString()).toMatch(
      /^HTTP\/1\.1 200 OK\r\n.*\r\nvary: Origin\r\naccess-control-allow-origin: \*\r\naccess-control-expose-headers: .*Sync-Epoch/s,
    );
  });
});
