/** A system as a scenario describes it: nodes, addresses, settings, balancers, and what is done to them. */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Agent, request } from 'undici';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { parsePrometheusText, sumOf } from '#harness/metrics/prometheus-text.ts';
import type { Fault, System } from '#harness/scenario.ts';
import { metricNames } from '#system/protocol/metric-names.ts';
import { authorizeUser } from './accounts.ts';
import { childrenOf, isRunning } from './processes.ts';
import type { AccountCredentials } from './provision.ts';
import { openStream, type StreamReader } from './stream-reader.ts';
import { startTarget, type Target } from './target.ts';

let folder: string;
const stops: (() => unknown)[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'headroom-target-'));
});
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
  rmSync(folder, { recursive: true, force: true });
});

const places = () => ({ accounts: 1, folder: join(folder, 'data'), logFile: join(folder, 'service.log') });

async function start(system: System, scale = 1): Promise<Target> {
  const target = await startTarget({ ...places(), system, scale });
  stops.push(() => target.stop());
  return target;
}

async function listen(url: string, authorization: string): Promise<StreamReader> {
  const reader = openStream({ url: `${url}/v1/stream?ch=sync:trips`, authorization });
  stops.push(() => reader.close());
  await expect.poll(() => reader.frames.some(({ t }) => t === 'sync')).toBe(true);
  return reader;
}

async function put(url: string, authorization: string, key: string): Promise<number> {
  const dispatcher = new Agent();
  const headers = { authorization, 'content-type': 'application/json' };
  const answer = await request(`${url}/v1/sync/trips/${key}`, { method: 'PUT', headers, body: '{}', dispatcher });
  await answer.body.dump();
  await dispatcher.close();
  return answer.statusCode;
}

const tokenFor = (target: Target): Promise<string> => authorizeUser(target.nodeUrls[0] as string, target.accounts[0] as AccountCredentials, 'u');
const keys = ({ frames }: StreamReader): readonly unknown[] => frames.filter(({ t }) => t === 'put').map(({ k }) => k);
const named = (target: Target, name: string): number => target.processes().find((one) => one.name === name)?.pid as number;
const at = { phase: 'load', atSeconds: 0 } as const;
const fault = (kind: 'kill-worker' | 'kill-node' | 'restart-workers', node?: number): Fault =>
  kind === 'kill-node' && node !== undefined ? { kind, node, ...at } : ({ kind, ...at } as Fault);

test('one node as before: its names, its log, and Ctrl-C does not reach it', async () => {
  const target = await startTarget({ workers: 2, ...places() });
  stops.push(() => target.stop());
  expect(target).toMatchObject({ urls: [target.url], nodeUrls: [target.url], nodes: 1, balancer: undefined, workers: 2, owned: true, durability: 'fsync' });
  expect(target.processes().map(({ name, role }) => `${name} ${role}`)).toEqual(['supervisor system', 'worker-1 system', 'worker-2 system']);
  const group = readFileSync(`/proc/${named(target, 'supervisor')}/stat`, 'utf8')
    .split(') ')[1]
    ?.split(' ')[2];
  expect(Number(group)).toBe(named(target, 'supervisor'));
  await target.stop();
  expect(existsSync(join(folder, 'service.log'))).toBe(true);
  expect(target.processes()).toEqual([]);
});

test('two nodes behind the model balancer: what is written through one reaches streams of the other, and the client’s address both', async () => {
  const settings = { 'position-check-ms': 2000, 'drain-window-ms': 1000 };
  const target = await start({ nodes: 2, settings, balancer: { kind: 'model', preset: 'classic-elb' } }, 20);
  expect(target).toMatchObject({ urls: [target.url], nodes: 2, balancer: 'model classic-elb', workers: 1 });
  expect(target.nodeUrls).toHaveLength(2);
  expect(target.processes().map(({ name, role }) => `${name} ${role}`)).toEqual([
    'node-1 supervisor system',
    'node-1 worker-1 system',
    'node-2 supervisor system',
    'node-2 worker-1 system',
    'balancer balancer',
  ]);
  const token = await tokenFor(target);
  const [first, second] = target.nodeUrls as [string, string];
  const readers = await Promise.all([first, second, target.url, target.url].map((url) => listen(url, token)));
  for (const [index, url] of [first, second, target.url].entries()) expect(await put(url, token, `k${index}`)).toBe(201);
  for (const reader of readers) await expect.poll(() => [...keys(reader)].sort()).toEqual(['k0', 'k1', 'k2']);
  const dispatcher = new Agent({ localAddress: '127.0.0.7' });
  const answer = await request(`${target.url}/v1/connection`, { dispatcher });
  expect(await answer.body.json()).toMatchObject({ client_address: '127.0.0.7' });
  await dispatcher.close();
  await target.act({ kind: 'drop-connections', how: 'rst', ...at });
  expect(await Promise.all(readers.slice(2).map(({ ended }) => ended))).toEqual([{ error: 'ECONNRESET' }, { error: 'ECONNRESET' }]);
  expect(readers.slice(0, 2).map(({ state }) => state())).toEqual(['open', 'open']);
  await target.stop();
  for (const name of ['service-1.log', 'service-2.log', 'balancer.log']) expect(existsSync(join(folder, name))).toBe(true);
  expect(existsSync(join(folder, 'service.log'))).toBe(false);
  const ends = readFileSync(join(folder, 'balancer.log'), 'utf8').match(/"ended":"dropped"/g);
  expect(ends?.length).toBeGreaterThanOrEqual(2);
});

test('a node that is killed gets nothing new, comes back on its port, and is found again', async () => {
  const target = await start({ nodes: 2, workers: 2, balancer: { kind: 'model', preset: 'classic-elb', proxyHeader: 'off' } });
  const token = await tokenFor(target);
  const before = target.processes().filter(({ name }) => name.startsWith('node-2'));
  const reader = await listen(target.nodeUrls[1] as string, token);
  const acting = target.act(fault('kill-node', 1));
  await reader.ended;
  await expect.poll(() => before.filter(({ pid }) => isRunning(pid))).toEqual([]);
  // Once the balancer has noticed.
  const outcomes = async (): Promise<number[]> => Promise.all(Array.from({ length: 4 }, (_, i) => put(target.url, token, `k${i}`).catch(() => 0)));
  await expect.poll(outcomes).not.toContain(0);
  await acting;
  expect(target.processes().filter(({ name }) => name.startsWith('node-2'))).toHaveLength(3);
  expect(await put(target.nodeUrls[1] as string, token, 'back')).toBeLessThan(300);
  const answered = async (): Promise<number> => {
    for (let i = 0; i < 4; i++) await put(target.url, token, `again${i}`);
    const text = await (await request(`${target.nodeUrls[1]}/metrics`)).body.text();
    return sumOf(parsePrometheusText(text), metricNames.requests) ?? 0;
  };
  const now = await answered();
  await expect.poll(answered).toBeGreaterThan(now + 1);
});

test('a worker that is killed is replaced; what cannot be done is said', async () => {
  const target = await start({ workers: 2 });
  const before = target.processes().map(({ pid }) => pid);
  await target.act(fault('kill-worker'));
  const after = target.processes().map(({ pid }) => pid);
  expect(after).toHaveLength(3);
  expect(before.filter((pid) => after.includes(pid))).toHaveLength(2);
  await expect(target.act({ kind: 'drop-connections', how: 'fin', ...at })).rejects.toThrow(/drop-connections needs system\.balancer/);
  await expect(target.act(fault('kill-node', 1))).rejects.toThrow(/names node 1/);
});

test('workers are restarted one after the other while they serve', async () => {
  // A connection without a request is idle, and closed at the window's end: it has to be longer than a machine that others use may stall between the two.
  const target = await start({ nodes: 2, workers: 2, settings: { 'drain-window-ms': 2000 } });
  const token = await tokenFor(target);
  const before = target.processes();
  let isOver = false;
  const acting = target.act(fault('restart-workers')).finally(() => {
    isOver = true;
  });
  const outcomes = new Set<number>();
  while (!isOver) for (const url of target.nodeUrls) outcomes.add(await put(url, token, 'k'));
  await acting;
  expect([...outcomes].sort()).toEqual([200, 201]);
  const after = target.processes();
  expect(after.map(({ name }) => name)).toEqual(before.map(({ name }) => name));
  expect(after.filter(({ pid }) => before.some((one) => one.pid === pid)).map(({ name }) => name)).toEqual(['node-1 supervisor', 'node-2 supervisor']);
});

test('every address of a node is one to connect to', async () => {
  const target = await start({ nodes: 2, addresses: 2 });
  expect(target.urls.map((url) => new URL(url).hostname)).toEqual(['127.0.0.1', '127.0.0.2', '127.0.0.1', '127.0.0.2']);
  for (const url of target.urls) expect((await request(`${url}/healthz`)).statusCode).toBe(200);
});

test('haproxy before two nodes, PROXY v2: the client’s address arrives, connections are dropped by fin', async () => {
  const target = await start({ nodes: 2, balancer: { kind: 'haproxy', proxyHeader: 'v2' } }, 20);
  expect(target.balancer).toMatch(/^haproxy \d+\.\d+/);
  expect(target.processes().at(-1)).toMatchObject({ name: 'haproxy', role: 'balancer' });
  const dispatcher = new Agent({ localAddress: '127.0.0.7' });
  const answer = await request(`${target.url}/v1/connection`, { dispatcher });
  expect(await answer.body.json()).toMatchObject({ client_address: '127.0.0.7' });
  await dispatcher.close();
  const token = await tokenFor(target);
  const readers = await Promise.all(Array.from({ length: 4 }, () => listen(target.url, token)));
  await expect(target.act({ kind: 'drop-connections', how: 'rst', ...at })).rejects.toThrow(/by fin only/);
  await target.act({ kind: 'drop-connections', how: 'fin', ...at });
  expect(await Promise.all(readers.map(({ ended }) => ended))).toEqual(Array(4).fill({ error: undefined }));
  const acting = target.act(fault('kill-node', 0));
  await expect.poll(() => put(target.url, token, 'meanwhile').catch(() => 0)).toBeLessThan(300);
  await acting;
  await target.stop();
  expect(readFileSync(join(folder, 'balancer.log'), 'utf8')).toMatch(/nodes\/node-1 .*\n?/);
});

test('settings that the service does not take are a usage error in its own words', async () => {
  const attempt = (system: System, scale = 1): Promise<Target> => start(system, scale);
  await expect(attempt({ settings: { 'drain-windov-ms': 5 } })).rejects.toMatchObject({
    name: 'UsageError',
    message: expect.stringMatching(/Unknown argument: drain-windov-ms/),
  });
  await expect(attempt({ settings: { 'position-check-ms': 200 } }, 100)).rejects.toMatchObject({
    name: 'UsageError',
    message: expect.stringMatching(/position-check-ms: expected a whole number from 50 .* got "2" \(settings in -ms are/),
  });
  await expect(attempt({ settings: { port: 8080 } })).rejects.toMatchObject({
    name: 'UsageError',
    message: expect.stringMatching(/harness sets this one itself/),
  });
});

test('what this machine does not have is said before anything is started', async () => {
  vi.stubEnv('HEADROOM_HAPROXY', '/nowhere/haproxy');
  stops.push(() => vi.unstubAllEnvs());
  await expect(start({ balancer: { kind: 'haproxy' } })).rejects.toThrow(/haproxy is missing.*HEADROOM_HAPROXY is "\/nowhere\/haproxy"/);
  await expect(start({ balancer: { kind: 'model', preset: 'alb', connectionsMax: 1_000_000 } })).rejects.toMatchObject({ name: 'UsageError' });
  expect(existsSync(join(folder, 'service.log'))).toBe(false);
});

test('nobody outlives who started them, even when that one is killed in the midst of a fault', async () => {
  const module = fileURLToPath(new URL('./target.ts', import.meta.url));
  const own = { ...places(), system: { nodes: 2, balancer: { kind: 'model', preset: 'nlb' } } };
  const script = `const { startTarget } = await import(${JSON.stringify(module)});
    const target = await startTarget(${JSON.stringify(own)});
    console.log(JSON.stringify(target.processes().map(({ pid }) => pid)));
    await target.act({ kind: 'kill-node', node: 1, phase: 'x', atSeconds: 0 });`;
  const starter = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  stops.push(() => starter.kill('SIGKILL'));
  const pids = await new Promise<number[]>((resolve) => starter.stdout.once('data', (text) => resolve(JSON.parse(String(text)) as number[])));
  expect(pids).toHaveLength(5);
  // The killed node is on its way back.
  await expect.poll(() => childrenOf(starter.pid as number).filter((pid) => !pids.includes(pid)).length, { interval: 5 }).toBe(1);
  const all = [...pids, ...childrenOf(starter.pid as number)];
  starter.kill('SIGKILL');
  await expect.poll(() => all.filter(isRunning)).toEqual([]);
});
