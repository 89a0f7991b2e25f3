/** Streams with real processes: several workers, one killed, one drain. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { EventSource as NodeEventSource } from 'eventsource';
import { chromium } from 'playwright-core';
import { Agent, request } from 'undici';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { parsePrometheusText, sumOf } from '#harness/metrics/prometheus-text.ts';
import { requirePart } from '#harness/parts/find.ts';
import { authorizeUser, createAccount } from './accounts.ts';
import { provisionFleet, secretAuthorization } from './provision.ts';
import { type Service, startService } from './service-process.ts';
import { openStream, type StreamReader } from './stream-reader.ts';

/** Longer than anything is waited for here. */
const positionCheckMs = 600_000;
let folder: string;
let readers: StreamReader[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'headroom-streams-'));
});
afterEach(() => {
  for (const reader of readers) reader.close();
  readers = [];
  rmSync(folder, { recursive: true, force: true });
});

/** Each on a connection of its own, so that every worker gets some. */
const put = async (url: string, authorization: string, key: string, dispatcher = new Agent()) => {
  const answer = await request(`${url}/v1/sync/trips/${key}`, {
    method: 'PUT',
    dispatcher,
    headers: { authorization, 'content-type': 'application/json' },
    body: '{"n":1}',
  });
  await answer.body.dump();
  await dispatcher.close();
  return answer;
};

const open = (url: string, authorization: string, query = 'ch=sync:trips'): StreamReader => {
  const reader = openStream({ url: `${url}/v1/stream?${query}`, authorization });
  readers.push(reader);
  return reader;
};
const keys = ({ frames }: StreamReader): readonly unknown[] => frames.filter(({ t }) => t === 'put').map(({ k }) => k);
const synced = (reader: StreamReader) => expect.poll(() => reader.frames.some(({ t }) => t === 'sync')).toBe(true);

/** Streams, until each of two workers holds some: which one accepts is the kernel's choice, and a quiet machine's is often the same. */
async function openOnBoth({ url }: Service, openOne: () => StreamReader): Promise<readonly StreamReader[]> {
  const all: StreamReader[] = [];
  for (;;) {
    all.push(...Array.from({ length: 12 }, openOne));
    await Promise.all(all.map(synced));
    const values = parsePrometheusText(await (await request(`${url}/metrics`)).body.text());
    expect(sumOf(values, 'headroom_streams')).toBe(all.length);
    const holders = Object.entries(values).filter(([name, value]) => name.startsWith('headroom_streams{') && value > 0);
    if (holders.length === 2) return all;
    expect(all.length).toBeLessThan(200);
  }
}

test('what is written through one worker reaches the streams of all; a worker killed, its streams resume elsewhere', async () => {
  const service = await startService({ workers: 2, folder, env: { HEADROOM_POSITION_CHECK_MS: String(positionCheckMs) } });
  try {
    const account = await createAccount(service.adminUrl, service.adminToken, 'x');
    const token = await authorizeUser(service.url, account, 'u');
    const all = await openOnBoth(service, () => open(service.url, token));
    const expected = Array.from({ length: 20 }, (_, i) => `k${i}`);
    for (const key of expected) expect((await put(service.url, token, key)).statusCode).toBe(201);
    // A lost poke would take the position check's ten minutes.
    for (const reader of all) await expect.poll(() => keys(reader)).toEqual(expected);
    // Either holds some.
    process.kill(service.workerPids()[0] as number, 'SIGKILL');
    await expect.poll(() => all.filter(({ state }) => state() === 'ended').length).toBeGreaterThan(0);
    const cut = all.filter(({ state }) => state() === 'ended');
    await expect.poll(() => service.workerPids().length).toBe(2);
    expect((await put(service.url, token, 'after')).statusCode).toBe(201);
    const again = cut.map((reader) => open(service.url, token, `ch=sync:trips&since=${reader.frames.findLast(({ c }) => c !== undefined)?.c}`));
    await Promise.all(again.map(synced));
    expect(again.map(keys)).toEqual(again.map(() => ['after']));
  } finally {
    await service.stop();
  }
});

test('a drain: readyz and new streams 503 at once, byes spread over the window, nothing lost', async () => {
  const service = await startService({ workers: 2, folder, env: { HEADROOM_DRAIN_WINDOW_MS: '8000' } });
  const account = await createAccount(service.adminUrl, service.adminToken, 'x');
  const token = await authorizeUser(service.url, account, 'u');
  const all = Array.from({ length: 40 }, () => open(service.url, token));
  await Promise.all(all.map(synced));
  const begunMs = performance.now();
  const stopping = service.stop();
  await expect.poll(async () => (await request(`${service.url}/readyz`, { dispatcher: new Agent() })).statusCode, { interval: 20 }).toBe(503);
  const refused = await request(`${service.url}/v1/stream?ch=sync:trips`, { headers: { authorization: token }, dispatcher: new Agent() });
  expect([refused.statusCode, ((await refused.body.json()) as { code: string }).code]).toEqual([503, 'draining']);
  const written: string[] = [];
  for (let i = 0; i < 10; i++) if ((await put(service.url, token, `d${i}`)).statusCode === 201) written.push(`d${i}`);
  expect(written.length).toBeGreaterThan(0);
  expect(await stopping).toBe(0);
  const byes = all.map(({ frames }) => frames.at(-1));
  expect(byes.map((bye) => bye?.code)).toEqual(all.map(() => 'drain'));
  expect(performance.now() - begunMs).toBeGreaterThan(1000);
  const again = await startService({ workers: 2, folder });
  try {
    for (const [i, reader] of all.entries()) {
      const resumed = open(again.url, token, `ch=sync:trips&since=${byes[i]?.c}`);
      await synced(resumed);
      expect([...keys(reader), ...keys(resumed)]).toEqual(written);
      resumed.close();
    }
  } finally {
    await again.stop();
  }
});

test('news of devices cross workers: whoever steps over an event, whoever listens', async () => {
  const service = await startService({ workers: 2, folder });
  try {
    const account = await createAccount(service.adminUrl, service.adminToken, 'x');
    const { signal } = new AbortController();
    const fleet = await provisionFleet({ url: service.url, accounts: [account], run: 'r', devices: 20, withTokens: true, onProgress: () => undefined, signal });
    const watchers = await openOnBoth(service, () => open(service.url, secretAuthorization(account), 'ch=devices'));
    for (const [i, { token }] of fleet.entries()) {
      const event = { id: `e${i}`, type: 'location', recorded_at: new Date().toISOString(), data: { lat: 1, lon: 2 } };
      const answer = await request(`${service.url}/v1/events`, {
        method: 'POST',
        headers: { authorization: `Bearer ${token.replace(/^Bearer /, '')}`, 'content-type': 'application/json' },
        body: JSON.stringify([event]),
      });
      expect(answer.statusCode, await answer.body.text()).toBe(202);
    }
    for (const watcher of watchers) await expect.poll(() => new Set(keys(watcher)).size).toBe(20);
    // What a worker knew that is killed was perhaps told to nobody: all is told again.
    const before = watchers.map((watcher) => keys(watcher).length);
    process.kill(service.workerPids()[0] as number, 'SIGKILL');
    const isToldAgain = (watcher: StreamReader, i: number): boolean => watcher.state() === 'ended' || new Set(keys(watcher).slice(before[i])).size === 20;
    await expect.poll(() => watchers.every(isToldAgain)).toBe(true);
    expect(new Set(watchers.map(({ state }) => state()))).toEqual(new Set(['open', 'ended']));
  } finally {
    await service.stop();
  }
});

test('a browser’s EventSource of another origin reads a stream, and comes back by itself from its last id', async () => {
  const service = await startService({ workers: 1, folder, env: { HEADROOM_STREAM_AGE_MS: '1500' } });
  const browser = await chromium.launch({ executablePath: requirePart('chromium'), headless: true, args: ['--no-sandbox', '--disable-gpu'] });
  try {
    const account = await createAccount(service.adminUrl, service.adminToken, 'x');
    const token = await authorizeUser(service.url, account, 'u');
    const page = await browser.newPage();
    const address = `${service.url}/v1/stream?ch=sync:trips&access_token=${token.slice('Bearer '.length)}`;
    await page.evaluate((url) => {
      const seen: string[] = [];
      Object.assign(globalThis, { seen });
      const source = new EventSource(url);
      for (const t of ['hello', 'put', 'bye'])
        source.addEventListener(t, (event) => seen.push(`${t} ${JSON.parse((event as MessageEvent).data).k ?? ''}`.trim()));
    }, address);
    const seen = (): Promise<readonly string[]> => page.evaluate(() => (globalThis as unknown as { seen: readonly string[] }).seen);
    await expect.poll(seen).toContain('hello');
    await put(service.url, token, 'k1');
    await expect.poll(seen).toContain('bye');
    // While it waits for the time that hello named.
    await put(service.url, token, 'k2');
    await expect.poll(seen).toContain('put k2');
    const all = await seen();
    expect(all.filter((one) => one.startsWith('put'))).toEqual(['put k1', 'put k2']);
    expect(all.filter((one) => one === 'hello').length).toBeGreaterThanOrEqual(2);
  } finally {
    await browser.close();
    await service.stop();
  }
});

test('shares are delivered by the service itself, and real clients read streams: the eventsource package and curl -N', async () => {
  const service = await startService({ workers: 2, folder });
  try {
    const account = await createAccount(service.adminUrl, service.adminToken, 'x');
    const [owner, friend] = [await authorizeUser(service.url, account, 'u'), await authorizeUser(service.url, account, 'v')];
    const source = new NodeEventSource(`${service.url}/v1/stream?ch=inbox&access_token=${friend.slice('Bearer '.length)}`);
    const received: string[] = [];
    for (const t of ['hello', 'put', 'del']) source.addEventListener(t, ({ data }) => received.push(data as string));
    const { spawn } = await import('node:child_process');
    const curl = spawn('curl', ['-sN', '-H', `Authorization: ${friend}`, `${service.url}/v1/stream?ch=inbox`]);
    let lines = '';
    curl.stdout.on('data', (text: Buffer) => {
      lines += text.toString();
    });
    await expect.poll(() => received.length > 0 && lines.includes('"sync"')).toBe(true);
    await put(service.url, owner, 't1');
    const shared = await request(`${service.url}/v1/shares`, {
      method: 'POST',
      headers: { authorization: owner, 'content-type': 'application/json' },
      body: JSON.stringify({ collection: 'trips', item: 't1', to: { user: 'v' } }),
    });
    expect(shared.statusCode).toBe(201);
    await expect.poll(() => received.at(-1)).toContain('"item":"t1"');
    await expect.poll(() => lines).toContain('"item":"t1"');
    source.close();
    curl.kill();
    await sleep(10);
  } finally {
    await service.stop();
  }
});
