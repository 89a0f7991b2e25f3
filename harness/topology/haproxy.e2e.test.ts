/** The service behind a real HAProxy: addresses, idle timeouts, health, drain. */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Agent, request } from 'undici';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { authorizeUser, createAccount } from './accounts.ts';
import { type Haproxy, startHaproxy } from './haproxy.ts';
import { childrenOf, isRunning } from './processes.ts';
import { type Service, startService } from './service-process.ts';
import { openStream, type StreamReader } from './stream-reader.ts';

let folder: string;
const stops: (() => unknown)[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'headroom-haproxy-'));
});
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
  rmSync(folder, { recursive: true, force: true });
});

/** A heartbeat comes after five twelfths of it: what is left is how long a busy machine may stand still. */
const idleTimeoutMs = 7200;
/** For tests in which nothing may be ended for its silence. */
const longIdleMs = 600_000;

async function service(env: Readonly<Record<string, string>> = {}): Promise<Service> {
  const own = await startService({ workers: 1, folder: join(folder, 'data'), env: { HEADROOM_BALANCER_IDLE_TIMEOUT_MS: String(longIdleMs), ...env } });
  stops.push(() => own.stop());
  return own;
}

async function before(
  nodes: readonly string[],
  options: { readonly proxyHeader?: 'off' | 'v1' | 'v2'; readonly listener?: 'tcp' | 'http'; readonly idleTimeoutMs?: number } = {},
): Promise<Haproxy> {
  const targets = nodes.map((url, i) => ({ name: `node${i + 1}`, host: new URL(url).hostname, port: Number(new URL(url).port) }));
  const { proxyHeader = 'off', listener = 'tcp', idleTimeoutMs = longIdleMs } = options;
  const haproxy = await startHaproxy({
    listener,
    proxyHeader,
    idleTimeoutMs,
    targets,
    connectionsMax: 2000,
    folder: join(folder, 'haproxy'),
    logFile: join(folder, 'haproxy.log'),
  });
  stops.push(() => haproxy.stop());
  return haproxy;
}

async function listen(url: string, authorization: string, query = 'ch=sync:trips'): Promise<StreamReader> {
  const reader = openStream({ url: `${url}/v1/stream?${query}`, authorization });
  stops.push(() => reader.close());
  await expect.poll(() => reader.frames.some(({ t }) => t === 'sync')).toBe(true);
  return reader;
}

const put = async (url: string, authorization: string, key: string): Promise<number> => {
  const answer = await request(`${url}/v1/sync/trips/${key}`, {
    method: 'PUT',
    headers: { authorization, 'content-type': 'application/json' },
    body: '{}',
    dispatcher: new Agent(),
  });
  await answer.body.dump();
  return answer.statusCode;
};

test.each(['v1', 'v2'] as const)('send-proxy %s brings the client’s address, its health checks do not', async (version) => {
  const own = await service({ HEADROOM_PROXY_PROTOCOL: version });
  const haproxy = await before([own.proxyUrl as string], { proxyHeader: version });
  const dispatcher = new Agent({ localAddress: '127.0.0.7' });
  const answer = await request(`${haproxy.url}/v1/connection`, { dispatcher });
  expect(await answer.body.json()).toMatchObject({ client_address: '127.0.0.7' });
  await dispatcher.close();
  expect(haproxy.config).toContain(version === 'v2' ? 'send-proxy-v2' : 'send-proxy ');
});

test('idle: a stream lives by its heartbeats, one that is silent is ended, and a kept connection is reused without a 502', async () => {
  const own = await service({ HEADROOM_BALANCER_IDLE_TIMEOUT_MS: String(idleTimeoutMs) });
  const account = await createAccount(own.adminUrl, own.adminToken, 'x');
  const token = await authorizeUser(own.url, account, 'u');
  const haproxy = await before([own.url], { idleTimeoutMs });
  const kept = await listen(haproxy.url, token);
  // A service that believes in a patient balancer does not speak in time.
  const careless = await startService({ workers: 1, folder: join(folder, 'careless'), env: { HEADROOM_BALANCER_IDLE_TIMEOUT_MS: '3600000' } });
  stops.push(() => careless.stop());
  const carelessToken = await authorizeUser(careless.url, await createAccount(careless.adminUrl, careless.adminToken, 'x'), 'u');
  const carelessFront = await startHaproxy({
    listener: 'tcp',
    proxyHeader: 'off',
    idleTimeoutMs,
    targets: [{ name: 'node1', host: '127.0.0.1', port: Number(new URL(careless.url).port) }],
    connectionsMax: 100,
    folder: join(folder, 'haproxy-2'),
    logFile: join(folder, 'haproxy-2.log'),
  });
  stops.push(() => carelessFront.stop());
  const silent = await listen(carelessFront.url, carelessToken);
  await sleep(3 * idleTimeoutMs);
  expect([kept.state(), silent.state()]).toEqual(['open', 'ended']);
  expect(await put(haproxy.url, token, 'after')).toBe(201);
  await expect.poll(() => kept.frames.at(-1)?.t).toBe('put');
});

test('a node that drains is DOWN by its readyz, its streams come back on the other one, and nothing is lost', async () => {
  const first = await service({ HEADROOM_DRAIN_WINDOW_MS: '8000' });
  const second = await service({ HEADROOM_POSITION_CHECK_MS: '200' });
  const token = await authorizeUser(first.url, await createAccount(first.adminUrl, first.adminToken, 'x'), 'u');
  const haproxy = await before([first.url, second.url]);
  await expect.poll(async () => Object.values(await haproxy.states())).toEqual(['UP', 'UP']);
  const readers = await Promise.all(Array.from({ length: 10 }, () => listen(haproxy.url, token)));
  const stopping = first.stop();
  await expect.poll(async () => (await haproxy.states()).node1).toMatch(/^DOWN/);
  const written = [];
  for (let i = 0; i < 5; i++) if ((await put(haproxy.url, token, `k${i}`)) === 201) written.push(`k${i}`);
  expect(written).toHaveLength(5);
  await stopping;
  const gone = readers.filter(({ frames }) => frames.at(-1)?.code === 'drain');
  expect(gone.length).toBeGreaterThan(0);
  for (const reader of gone) {
    const again = await listen(haproxy.url, token, `ch=sync:trips&since=${reader.frames.at(-1)?.c}`);
    const keys = [...reader.frames, ...again.frames].filter(({ t }) => t === 'put').map(({ k }) => k);
    expect(keys).toEqual(written);
  }
  for (const reader of readers.filter((one) => !gone.includes(one))) await expect.poll(() => reader.frames.filter(({ t }) => t === 'put').length).toBe(5);
});

test('a server set to drain gets nothing new and keeps what it has; in maintenance it loses that too', async () => {
  const first = await service();
  const second = await service();
  const token = await authorizeUser(first.url, await createAccount(first.adminUrl, first.adminToken, 'x'), 'u');
  const haproxy = await before([first.url, second.url]);
  await expect.poll(async () => Object.values(await haproxy.states())).toEqual(['UP', 'UP']);
  const early = await Promise.all(Array.from({ length: 6 }, () => listen(haproxy.url, token)));
  await haproxy.setState('node1', 'drain');
  expect((await haproxy.states()).node1).toMatch(/^DRAIN/);
  await Promise.all(Array.from({ length: 6 }, () => listen(haproxy.url, token)));
  const held = async (own: Service): Promise<number> =>
    Number(/^headroom_streams\{.*\} (\d+)/m.exec(await (await request(`${own.url}/metrics`)).body.text())?.[1]);
  expect([await held(first), await held(second)]).toEqual([3, 9]);
  expect(early.every(({ state }) => state() === 'open')).toBe(true);
  await haproxy.setState('node1', 'maint');
  await expect.poll(() => held(first)).toBe(0);
  expect(early.filter(({ state }) => state() === 'ended')).toHaveLength(3);
  await expect(haproxy.setState('nobody', 'drain')).rejects.toThrow(/haproxy: /);
});

test('all connections dropped: both sides are told by FIN, and new ones are taken', async () => {
  const own = await service();
  const token = await authorizeUser(own.url, await createAccount(own.adminUrl, own.adminToken, 'x'), 'u');
  const haproxy = await before([own.url]);
  const readers = await Promise.all(Array.from({ length: 10 }, () => listen(haproxy.url, token)));
  await haproxy.dropAll();
  const ends = await Promise.all(readers.map(({ ended }) => ended));
  expect(ends).toEqual(Array(10).fill({ error: undefined }));
  await listen(haproxy.url, token);
});

test('it ends with who started it, even when that one is killed', async () => {
  const own = await service();
  const module = fileURLToPath(new URL('./haproxy.ts', import.meta.url));
  const target = { name: 'node1', host: '127.0.0.1', port: Number(new URL(own.url).port) };
  const logFile = join(folder, 'haproxy.log');
  const options = { listener: 'tcp', proxyHeader: 'off', idleTimeoutMs, targets: [target], connectionsMax: 100, folder, logFile };
  const script = `const { startHaproxy } = await import(${JSON.stringify(module)}); const { url, pid } = await startHaproxy(${JSON.stringify(options)}); console.log(JSON.stringify({ url, pid })); setInterval(() => undefined, 1000);`;
  const starter = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  stops.push(() => starter.kill('SIGKILL'));
  const { url, pid } = await new Promise<{ url: string; pid: number }>((resolve) =>
    starter.stdout.once('data', (text) => resolve(JSON.parse(String(text)) as { url: string; pid: number })),
  );
  const dispatcher = new Agent();
  await (await request(`${url}/healthz`, { dispatcher })).body.dump();
  await dispatcher.close();
  await expect.poll(() => readFileSync(logFile, 'utf8')).toContain('clients nodes/node1 ');
  const keeper = childrenOf(starter.pid as number);
  expect([keeper.length, isRunning(pid)]).toEqual([1, true]);
  starter.kill('SIGKILL');
  await expect.poll(() => [pid, ...keeper].filter(isRunning)).toEqual([]);
});
