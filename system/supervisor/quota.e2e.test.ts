/** An account's quota of streams holds over all workers, exactly. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Agent, request } from 'undici';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { parsePrometheusText } from '#harness/metrics/prometheus-text.ts';
import { authorizeUser, createAccount } from '#harness/topology/accounts.ts';
import { type Service, startService } from '#harness/topology/service-process.ts';
import { openStream, type StreamReader } from '#harness/topology/stream-reader.ts';

const quota = 5;
let folder: string;
let service: Service;
let readers: StreamReader[] = [];
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'headroom-quota-'));
  service = await startService({ workers: 3, folder });
});
afterEach(async () => {
  for (const reader of readers) reader.close();
  readers = [];
  await service.stop();
  rmSync(folder, { recursive: true, force: true });
});

const open = (authorization: string): StreamReader => {
  const reader = openStream({ url: `${service.url}/v1/stream?ch=sync:trips`, authorization });
  readers.push(reader);
  return reader;
};
const settled = async (reader: StreamReader): Promise<number | undefined> => {
  await expect.poll(() => reader.status() ?? (reader.state() === 'ended' ? 0 : undefined), { interval: 2 }).toBeDefined();
  return reader.status();
};
/** Comes back where the service has too much to do for now: that is the machine's, and the quota is what is asked about. */
const opened = async (authorization: string): Promise<number | undefined> => {
  for (;;) {
    const status = await settled(open(authorization));
    if (status !== 503) return status;
    await sleep(1000);
  }
};
const statuses = async (count: number, authorization: string): Promise<Record<string, number>> => {
  const counts: Record<string, number> = {};
  for (const status of await Promise.all(Array.from({ length: count }, () => opened(authorization))))
    counts[String(status)] = (counts[String(status)] ?? 0) + 1;
  return counts;
};
/** How many each worker holds. */
const heldByWorkers = async (): Promise<readonly number[]> => {
  const answer = await request(`${service.url}/metrics`, { dispatcher: new Agent({ pipelining: 0 }) });
  return Object.entries(parsePrometheusText(await answer.body.text())).flatMap(([name, value]) => (name.startsWith('headroom_streams{') ? [value] : []));
};

test('one after the other and all at once: as many as the quota, on whichever workers, and room again for each that ended', async () => {
  const limited = await createAccount(service.adminUrl, service.adminToken, 'limited', { streams: quota });
  const token = await authorizeUser(service.url, limited, 'u');
  const others = await authorizeUser(service.url, await createAccount(service.adminUrl, service.adminToken, 'others'), 'u');
  const sequence: (number | undefined)[] = [];
  for (let i = 0; i < 30; i++) sequence.push(await opened(token));
  expect(sequence).toEqual([...Array<number>(quota).fill(200), ...Array<number>(30 - quota).fill(429)]);
  const refused = readers.find((reader) => reader.status() === 429);
  await expect.poll(() => refused?.text()).toContain('"code":"too-many-streams"');
  for (const reader of readers.filter((one) => one.status() === 200).slice(0, 2)) reader.close();
  await expect.poll(async () => (await heldByWorkers()).reduce((sum, held) => sum + held, 0)).toBe(quota - 2);
  expect(await statuses(30, token)).toEqual({ 200: 2, 429: 28 });
  // Nobody else is counted with it.
  expect(await statuses(60, others)).toEqual({ 200: 60 });
  expect((await heldByWorkers()).reduce((sum, held) => sum + held, 0)).toBe(quota + 60);
});

test('what a killed worker held is free again', async () => {
  const account = await createAccount(service.adminUrl, service.adminToken, 'limited', { streams: 60 });
  const token = await authorizeUser(service.url, account, 'u');
  expect(await statuses(80, token)).toEqual({ 200: 60, 429: 20 });
  for (const pid of service.workerPids()) process.kill(pid, 'SIGKILL');
  await expect.poll(() => readers.every((reader) => reader.state() === 'ended')).toBe(true);
  await expect.poll(async () => (await heldByWorkers().catch(() => [])).length).toBe(3);
  expect(await statuses(80, token)).toEqual({ 200: 60, 429: 20 });
});
