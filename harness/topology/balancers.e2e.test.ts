/** Streams through other people's balancers, as they come and as they are tuned: each frame arrives before the next one is written. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EventSource } from 'eventsource';
import { request } from 'undici';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { authorizeUser, createAccount } from './accounts.ts';
import { startHaproxy } from './haproxy.ts';
import { startNginx } from './nginx.ts';
import { provisionFleet } from './provision.ts';
import { type Service, startService } from './service-process.ts';

/** For tests in which nothing may be ended for its silence. */
const longIdleMs = 600_000;
let folder: string;
let service: Service;
let token: string;
let deviceToken: string;
const stops: (() => unknown)[] = [];

const nginx = (directives: readonly string[]) => async (name: string) => {
  const started = await startNginx({ targetUrl: service.url, directives, folder: join(folder, name) });
  stops.push(started.stop);
  return started.url;
};
const haproxy = (listener: 'tcp' | 'http') => async (name: string) => {
  const { hostname: host, port } = new URL(service.url);
  const own = { folder: join(folder, name), logFile: join(folder, `${name}.log`) };
  const targets = [{ name: 'node1', host, port: Number(port) }];
  const started = await startHaproxy({ ...own, listener, proxyHeader: 'off', idleTimeoutMs: longIdleMs, targets, connectionsMax: 100 });
  stops.push(started.stop);
  return started.url;
};

const balancers: readonly (readonly [name: string, start: (name: string) => Promise<string>])[] = [
  ['nginx as it comes', nginx([])],
  ['nginx with HTTP/1.0 upstream', nginx(['proxy_http_version 1.0', 'proxy_buffering on'])],
  [
    'nginx with buffers of its own',
    nginx(['proxy_http_version 1.1', 'proxy_buffering on', 'proxy_buffers 16 64k', 'proxy_buffer_size 64k', 'gzip on', 'gzip_types *']),
  ],
  ['nginx that is tuned', nginx(['proxy_http_version 1.1', 'proxy_buffering off', 'proxy_set_header Connection ""', 'proxy_read_timeout 1h'])],
  ['nginx that ignores X-Accel-Buffering', nginx(['proxy_ignore_headers X-Accel-Buffering', 'proxy_buffering off'])],
  ['HAProxy by connections', haproxy('tcp')],
  ['HAProxy by requests', haproxy('http')],
];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'headroom-balancers-'));
  service = await startService({ workers: 1, folder: join(folder, 'data'), env: { HEADROOM_BALANCER_IDLE_TIMEOUT_MS: String(longIdleMs) } });
  const account = await createAccount(service.adminUrl, service.adminToken, 'x');
  token = await authorizeUser(service.url, account, 'u');
  const { signal } = new AbortController();
  const [device] = await provisionFleet({ url: service.url, accounts: [account], run: 'r', devices: 1, withTokens: true, onProgress: () => undefined, signal });
  deviceToken = `Bearer ${device?.token.replace(/^Bearer /, '')}`;
});
afterAll(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
  await service?.stop();
  rmSync(folder, { recursive: true, force: true });
});

async function put(url: string, key: string): Promise<void> {
  const headers = { authorization: token, 'content-type': 'application/json' };
  const { statusCode, body } = await request(`${url}/v1/sync/trips/${key}`, { method: 'PUT', headers, body: '{"n":1}' });
  await body.dump();
  expect([200, 201]).toContain(statusCode);
}

/** All lines of a body as far as it came. */
async function readLines(url: string, options: Parameters<typeof request>[1]) {
  const { statusCode, body } = await request(url, options);
  expect(statusCode).toBe(200);
  let text = '';
  body.on('data', (bytes: Buffer) => {
    text += bytes.toString();
  });
  body.on('error', () => undefined);
  stops.push(() => body.destroy());
  return { lines: () => text.split('\n').filter((line) => line !== '') };
}

type Stream = { readonly name: string /** Keys of items that came. */; readonly keys: () => readonly string[]; readonly isLive: () => boolean };

async function ndjson(url: string): Promise<Stream> {
  const { lines } = await readLines(`${url}/v1/stream?ch=sync:trips`, { headers: { authorization: token } });
  const frames = () => lines().map((line) => JSON.parse(line) as { t: string; k?: string });
  const keys = () => frames().flatMap(({ t, k }) => (t === 'put' ? [k as string] : []));
  return { name: 'ndjson', keys, isLive: () => frames().some(({ t }) => t === 'sync') };
}

async function eventSource(url: string): Promise<Stream> {
  const seen: string[] = [];
  const source = new EventSource(`${url}/v1/stream?ch=sync:trips&access_token=${token.slice('Bearer '.length)}`);
  stops.push(() => source.close());
  let isLive = false;
  source.addEventListener('sync', () => {
    isLive = true;
  });
  source.addEventListener('put', ({ data }) => void seen.push(JSON.parse(data as string).k));
  return { name: 'EventSource', keys: () => seen, isLive: () => isLive };
}

async function subscription(url: string): Promise<Stream> {
  const { lines } = await readLines(`${url}/graphql`, {
    method: 'POST',
    headers: { authorization: token, accept: 'text/event-stream', 'content-type': 'application/json' },
    body: JSON.stringify({ query: 'subscription { stream(channels: ["sync:trips"]) { t key } }' }),
  });
  type Told = { readonly data: { readonly stream: { readonly t: string; readonly key: string | null } } };
  const told = () => lines().flatMap((line) => (line.startsWith('data: {') ? [(JSON.parse(line.slice(6)) as Told).data.stream] : []));
  const keys = () => told().flatMap(({ t, key }) => (t === 'put' ? [key as string] : []));
  return { name: 'subscription', keys, isLive: () => told().some(({ t }) => t === 'sync') };
}

describe.each(balancers)('%s', (name, start) => {
  const id = name.replaceAll(/[^a-z]+/gi, '-');
  let url: string;
  beforeAll(async () => {
    url = await start(id);
  });

  test('streams of every form arrive frame by frame', async () => {
    const streams = await Promise.all([ndjson(url), eventSource(url), subscription(url)]);
    for (const stream of streams) await expect.poll(() => [stream.name, stream.isLive()]).toEqual([stream.name, true]);
    const wanted: string[] = [];
    for (const n of [1, 2, 3]) {
      wanted.push(`${id}-${n}`);
      await put(url, `${id}-${n}`);
      for (const stream of streams) await expect.poll(() => [stream.name, stream.keys()]).toEqual([stream.name, wanted]);
    }
  });

  test('a long poll and a batch are answered, and a refusal comes through as it is', async () => {
    const poll = await request(`${url}/v1/stream?ch=sync:trips&mode=longpoll&since=-1`, { headers: { authorization: token } });
    expect([poll.statusCode, (await poll.body.text()).includes(`${id}-1`)]).toEqual([200, true]);
    const event = { id: `e-${id}`, type: 'battery', recorded_at: '2026-11-24T10:00:00Z', data: { level: 1 } };
    const headers = { authorization: deviceToken, 'content-type': 'application/json' };
    const batch = await request(`${url}/v1/events`, { method: 'POST', headers, body: JSON.stringify([event]) });
    expect([batch.statusCode, await batch.body.json()]).toEqual([202, expect.objectContaining({ accepted: 1 })]);
    const refused = await request(`${url}/v1/stream?ch=sync:trips`);
    expect([refused.statusCode, await refused.body.json()]).toEqual([401, expect.objectContaining({ code: 'unauthenticated' })]);
  });
});

test('a drain says goodbye through all of them, with the time to come back', async () => {
  const urls = await Promise.all(balancers.map(([name, start]) => start(`last-${name.replaceAll(/[^a-z]+/gi, '-')}`)));
  const heard = await Promise.all(
    urls.map((url) => readLines(`${url}/v1/stream?ch=inbox`, { headers: { authorization: token, accept: 'text/event-stream' } })),
  );
  for (const { lines } of heard) await expect.poll(() => lines().includes('event: sync')).toBe(true);
  const stopping = service.stop();
  for (const [i, { lines }] of heard.entries())
    await expect
      .poll(() => [balancers[i]?.[0], lines().includes('event: bye'), lines().filter((line) => /^retry: \d+$/.test(line)).length])
      .toEqual([balancers[i]?.[0], true, 2]);
  await stopping;
});
