/** Streams as other people's clients read them: EventSource, HTTP/1.0, line readers. */
import { connect } from 'node:net';
import { EventSource } from 'eventsource';
import type { FastifyInstance } from 'fastify';
import { request } from 'undici';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createTokens } from '#system/accounts/tokens.ts';
import { buildApp, type PlainDeps } from '#system/app.ts';
import { systemClock } from '#system/clock.ts';
import { depsAlone } from '#system/deps-alone.ts';

const account = `acc${'0'.repeat(18)}`;
const tokens = createTokens({ key: 'k'.repeat(43), clock: systemClock });
const token = tokens.signUser({ account, user: 'u', scopes: ['ch:*'], expiresInSeconds: 3600 });
const authorization = `Bearer ${token}`;
let app: FastifyInstance;
let base: string;

async function start(change: Partial<PlainDeps> = {}): Promise<void> {
  app = await buildApp(depsAlone({ tokens, ...change }));
  base = await app.listen({ host: '127.0.0.1', port: 0 });
}
afterEach(() => app.close());

const put = (key: string, text: string) =>
  request(`${base}/v1/sync/trips/${key}`, {
    method: 'PUT',
    headers: { authorization, 'content-type': 'application/json' },
    body: text,
  }).then(({ body }) => body.text());

/** Everything that comes until the connection ends, or until it holds `enough`. */
const read = (lines: readonly string[], enough: string, body = ''): Promise<string> =>
  new Promise((resolve) => {
    let text = '';
    const socket = connect(Number(new URL(base).port), '127.0.0.1');
    socket.write(`${[...lines, `Authorization: ${authorization}`].join('\r\n')}\r\n\r\n${body}`);
    socket.setEncoding('utf8').on('data', (part: string) => {
      text += part;
      if (text.includes(enough)) socket.destroy();
    });
    socket.on('close', () => resolve(text));
  });

const bodyOf = (answer: string): string => answer.slice(answer.indexOf('\r\n\r\n') + 4);
const retriesOf = (text: string): readonly number[] => [...text.matchAll(/^retry: (\d+)$/gm)].map(([, ms]) => Number(ms));

describe('an EventSource', () => {
  beforeEach(() => start());
  const stream = ['GET /v1/stream?ch=sync:trips HTTP/1.1', 'Host: x', 'Accept: text/event-stream'];

  test('is told by every bye when to come back: `retry_ms` is nothing to it', async () => {
    await app.close();
    await start({ streams: { ageMs: 1, positionCheckMs: 10_000, presenceTimeoutMs: 120_000 } });
    const text = await read(stream, 'never said');
    expect(text).toContain('event: bye');
    expect(retriesOf(text)).toHaveLength(2);
    expect(retriesOf(text)[1]).toBe(Number(/"retry_ms":(\d+)/.exec(text)?.[1]));
  });

  test('is kept away until the window of a drain is over', async () => {
    const reading = read(stream, 'never said');
    await expect.poll(() => app.hub.held()).toBe(1);
    const windowMs = 400;
    const beganMs = performance.now();
    await app.hub.drain({ windowMs });
    const text = await reading;
    const endedAfterMs = performance.now() - beganMs;
    const [, retryMs = 0] = retriesOf(text);
    expect(text).toContain('"code":"drain"');
    expect(endedAfterMs + retryMs).toBeGreaterThanOrEqual(windowMs);
  });

  test('comes back soon where others listen', async () => {
    const reading = read(stream, 'never said');
    await expect.poll(() => app.hub.held()).toBe(1);
    await app.hub.drain({ windowMs: 100, retryMsMax: 10 });
    expect(retriesOf(await reading)[1]).toBeLessThanOrEqual(10);
  });

  test('lives through a node that goes down: 200, bye, and again', async () => {
    await app.close();
    let draining = true;
    let random = 0;
    const streams = { ageMs: 600_000, positionCheckMs: 10_000, presenceTimeoutMs: 120_000 };
    await start({ isDraining: () => draining, streams: { ...streams, random: () => random } });
    const source = new EventSource(`${base}/v1/stream?ch=sync:trips&access_token=${token}`);
    const next = (event: string) => new Promise<MessageEvent>((resolve) => source.addEventListener(event, resolve, { once: true }));
    const bye = await next('bye');
    expect(JSON.parse(bye.data)).toMatchObject({ code: 'drain', retry_ms: 0 });
    draining = false;
    random = 0.5;
    expect(JSON.parse((await next('hello')).data)).toMatchObject({ t: 'hello' });
    source.close();
  });

  test('who reads lines gets a status during a drain', async () => {
    await app.close();
    await start({ isDraining: () => true });
    const answer = await request(`${base}/v1/stream?ch=sync:trips`, { headers: { authorization } });
    expect([answer.statusCode, await answer.body.json()]).toMatchObject([503, { code: 'draining' }]);
  });
});

describe('HTTP/1.0', () => {
  beforeEach(() => start());

  test('gets a stream without chunks, ended by close', async () => {
    await put('t1', '{"a":1}');
    const text = await read(['GET /v1/stream?ch=sync:trips&since=-1 HTTP/1.0', 'Host: x'], '"t":"sync"');
    expect(text).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(text).not.toMatch(/transfer-encoding/i);
    expect(text).toMatch(/\r\nConnection: close\r\n/);
    const frames = bodyOf(text).trim().split('\n');
    expect(frames.map((line) => JSON.parse(line).t)).toEqual(['hello', 'put', 'sync']);
  });

  test('is told goodbye, and then its connection ends', async () => {
    const lines = ['GET /v1/stream?ch=sync:trips HTTP/1.0', 'Accept: text/event-stream', 'Host: x'];
    const reading = read(lines, 'never said');
    await expect.poll(() => app.hub.held()).toBe(1);
    await app.hub.drain({ windowMs: 50 });
    const text = bodyOf(await reading);
    expect(text).toMatch(/^retry: \d+\n(id: .*\n)?event: hello\n/);
    expect(text).toMatch(/event: bye\ndata: .*\n\n$/);
  });

  test('gets a subscription without chunks', async () => {
    const body = JSON.stringify({ query: 'subscription { stream(channels: ["inbox"]) { t } }' });
    const lines = ['POST /graphql HTTP/1.0', 'Host: x', 'Accept: text/event-stream'];
    const type = ['Content-Type: application/json', `Content-Length: ${body.length}`];
    const text = await read([...lines, ...type], '"sync"', body);
    expect(text).not.toMatch(/transfer-encoding/i);
    expect(bodyOf(text)).toMatch(/^:\n\nevent: next\ndata: \{.*\n\nevent: next\n/);
  });
});

describe('a reader of lines that also ends them at U+0085, U+2028 and U+2029', () => {
  beforeEach(() => start());
  const said = 'a\u2028b\u2029c\u0085d';

  test.each(['ndjson', 'sse'])('finds one record a line: %s', async (form) => {
    await put('t1', JSON.stringify({ said }));
    const accept = form === 'sse' ? ['Accept: text/event-stream'] : [];
    const asked = 'GET /v1/stream?ch=sync:trips&since=-1 HTTP/1.0';
    const text = bodyOf(await read([asked, 'Host: x', ...accept], '"t":"sync"'));
    const lines = text.split(/\r\n|[\n\r\u0085\u2028\u2029]/).filter((line) => line.includes('{'));
    const frames = lines.map((line) => JSON.parse(line.slice(line.indexOf('{'))));
    expect(frames.find(({ t }) => t === 'put').d).toEqual({ said });
  });
});
