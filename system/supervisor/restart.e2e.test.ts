/** A rolling restart under load: nobody is refused, nothing is lost. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Agent, type Dispatcher, request } from 'undici';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { parsePrometheusText } from '#harness/metrics/prometheus-text.ts';
import { authorizeUser, createAccount } from '#harness/topology/accounts.ts';
import { type Service, startService } from '#harness/topology/service-process.ts';
import { openStream, type StreamReader } from '#harness/topology/stream-reader.ts';

let folder: string;
let service: Service;
const stops: (() => void)[] = [];
const start = async (workers: number, env: Readonly<Record<string, string>> = {}): Promise<void> => {
  service = await startService({ workers, folder: join(folder, 'data'), env: { HEADROOM_DRAIN_WINDOW_MS: '2000', ...env } });
};
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'headroom-restart-'));
});
afterEach(async () => {
  for (const stop of stops.splice(0)) stop();
  await service.stop();
  rmSync(folder, { recursive: true, force: true });
});

const restart = async (): Promise<readonly [number, string | undefined]> => {
  const headers = { authorization: `Bearer ${service.adminToken}` };
  const { statusCode, body } = await request(`${service.adminUrl}/admin/v1/restart-workers`, { method: 'POST', headers, dispatcher: new Agent() });
  return [statusCode, ((await body.json()) as { code?: string }).code];
};

const areAllNew = (before: readonly number[]) => (): boolean =>
  service.workerPids().length === before.length && service.workerPids().every((pid) => !before.includes(pid));

/** Repeats `one` every so often until it is stopped; each result, and each error by its code. */
function repeat(everyMs: number, one: (i: number) => Promise<unknown>): { readonly outcomes: unknown[]; readonly stop: () => Promise<void> } {
  const outcomes: unknown[] = [];
  let stopped = false;
  const run = async (): Promise<void> => {
    for (let i = 0; !stopped; i++) {
      outcomes.push(await one(i).catch((error: Error & { code?: string }) => error.code ?? error.message));
      await sleep(everyMs);
    }
  };
  const running = run();
  const stop = (): Promise<void> => {
    stopped = true;
    return running;
  };
  stops.push(() => void stop());
  return { outcomes, stop };
}

/** A listener that comes back from each bye where it left off. */
function listen(authorization: string): { readonly readers: StreamReader[]; readonly keys: () => readonly unknown[] } {
  const readers: StreamReader[] = [];
  const open = (since: string): void => {
    const reader = openStream({ url: `${service.url}/v1/stream?ch=sync:trips&since=${since}`, authorization });
    readers.push(reader);
    stops.push(() => reader.close());
    void reader.ended.then(() => {
      const last = reader.frames.at(-1);
      if (last?.t === 'bye' && last.c !== undefined) open(last.c);
    });
  };
  open('now');
  return { readers, keys: () => readers.flatMap(({ frames }) => frames.flatMap(({ t, k }) => (t === 'put' ? [k] : []))) };
}

test('under steady writes and 200 streams: no request fails, every stream is told and loses nothing, no counter goes back', async () => {
  await start(2);
  const before = service.workerPids();
  const account = await createAccount(service.adminUrl, service.adminToken, 'x');
  const token = await authorizeUser(service.url, account, 'u');
  const listeners = Array.from({ length: 200 }, () => listen(token));
  for (const { readers } of listeners) await expect.poll(() => readers[0]?.frames.some(({ t }) => t === 'sync')).toBe(true);
  const status = async (path: string, dispatcher: Dispatcher): Promise<number> => {
    const { statusCode, body } = await request(`${service.url}${path}`, { dispatcher });
    await body.dump();
    return statusCode;
  };
  const put = async (key: string, dispatcher: Dispatcher): Promise<number> => {
    const headers = { authorization: token, 'content-type': 'application/json' };
    const { statusCode, body } = await request(`${service.url}/v1/sync/trips/${key}`, { method: 'PUT', headers, body: '{}', dispatcher });
    await body.dump();
    return statusCode;
  };
  const kept = new Agent({ connections: 1 });
  const lanes = Array.from({ length: 8 }, (_, lane) => {
    const dispatcher = new Agent({ connections: 1 });
    return repeat(20, (i) => put(`l${lane}-${i}`, dispatcher));
  });
  const probes = [repeat(20, () => status('/readyz', new Agent({ pipelining: 0 }))), repeat(20, () => status('/readyz', kept))];
  const seen = new Map<string, number>();
  const backwards: unknown[] = [];
  const scraping = repeat(100, async () => {
    const { body } = await request(`${service.url}/metrics`, { dispatcher: kept });
    const sums = new Map<string, number>();
    for (const [name, value] of Object.entries(parsePrometheusText(await body.text()))) {
      const plain = name.split('{', 1)[0] as string;
      if (/_(total|count|sum|bucket)$/.test(plain)) sums.set(plain, (sums.get(plain) ?? 0) + value);
    }
    for (const [name, value] of sums) {
      if (value < (seen.get(name) ?? 0) - 1e-9) backwards.push([name, seen.get(name), value]);
      seen.set(name, value);
    }
    return 200;
  });
  await sleep(500);
  expect(await restart()).toEqual([202, undefined]);
  expect(await restart()).toEqual([409, 'restart-running']);
  await expect.poll(areAllNew(before)).toBe(true);
  await sleep(300);
  for (const load of [...lanes, ...probes, scraping]) await load.stop();
  const written = lanes.flatMap(({ outcomes }, lane) => outcomes.map((_, i) => `l${lane}-${i}`));
  expect(lanes.flatMap(({ outcomes }) => outcomes.filter((outcome) => outcome !== 201))).toEqual([]);
  for (const { outcomes } of probes) expect(outcomes.filter((outcome) => outcome !== 200)).toEqual([]);
  expect(scraping.outcomes.filter((outcome) => outcome !== 200)).toEqual([]);
  expect(backwards).toEqual([]);
  expect(seen.get('headroom_streams_opened_total')).toBeGreaterThanOrEqual(400);
  for (const { readers, keys } of listeners) {
    expect(readers[0]?.frames.at(-1)).toMatchObject({ t: 'bye', code: 'drain' });
    await expect.poll(() => keys().length).toBe(written.length);
    expect(new Set(keys())).toEqual(new Set(written));
  }
  expect(areAllNew(before)()).toBe(true);
  // It is over: the next one may come.
  expect((await restart())[0]).toBe(202);
});

test('SIGHUP does the same, with one worker too; a SIGTERM meanwhile ends it all', async () => {
  await start(1);
  const before = service.workerPids();
  const probe = repeat(10, async () => (await request(`${service.url}/readyz`, { dispatcher: new Agent({ pipelining: 0 }) })).statusCode);
  process.kill(service.pid, 'SIGHUP');
  await expect.poll(areAllNew(before)).toBe(true);
  await probe.stop();
  expect(probe.outcomes.filter((outcome) => outcome !== 200)).toEqual([]);
  process.kill(service.pid, 'SIGHUP');
  await sleep(100);
  expect(await service.stop()).toBe(0);
});

test('a replacement that does not come up ends the restart, and nothing changes', async () => {
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
  const subject = ['-subj', '/CN=localhost', '-days', '2'];
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', key, '-out', cert, ...subject], {
    stdio: 'ignore',
  });
  await start(2, { HEADROOM_TLS_CERT: cert, HEADROOM_TLS_KEY: key });
  const before = service.workerPids();
  rmSync(cert);
  for (let round = 0; round < 2; round++) {
    expect((await restart())[0]).toBe(202);
    await expect.poll(() => service.stderrTail().split('the restart stops').length).toBe(2 + round);
  }
  await sleep(500);
  expect(service.workerPids()).toEqual(before);
  const dispatcher = new Agent({ connect: { rejectUnauthorized: false } });
  expect((await request(`${service.url}/readyz`, { dispatcher })).statusCode).toBe(200);
  await dispatcher.destroy();
});

test('a worker that dies while it goes on leaves as many as there were, all new', async () => {
  await start(3);
  const before = service.workerPids();
  expect((await restart())[0]).toBe(202);
  process.kill(before[1] as number, 'SIGKILL');
  await expect.poll(areAllNew(before)).toBe(true);
  expect((await request(`${service.url}/readyz`)).statusCode).toBe(200);
});
