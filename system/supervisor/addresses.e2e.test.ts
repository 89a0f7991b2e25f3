/** Several addresses, several workers, few descriptors: who gets in, and where. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { Agent, request } from 'undici';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { parsePrometheusText } from '#harness/metrics/prometheus-text.ts';
import { type Service, startService } from '#harness/topology/service-process.ts';

const hosts = ['127.0.0.1', '127.0.0.2', '127.0.0.3'];
let folder: string;
let service: Service | undefined;
let sockets: Socket[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'headroom-addresses-'));
});
afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  sockets = [];
  if (service !== undefined) expect(await service.stop()).toBe(0);
  service = undefined;
  rmSync(folder, { recursive: true, force: true });
});

const at = (url: string, host: string): string => Object.assign(new URL(url), { hostname: host }).origin;
const ready = async (origin: string): Promise<number> => {
  const dispatcher = new Agent({ connect: { rejectUnauthorized: false } });
  const { statusCode, body } = await request(`${origin}/readyz`, { dispatcher });
  await body.dump();
  await dispatcher.close();
  return statusCode;
};

test('each worker listens on every address, and so does whoever comes after all of them were killed', async () => {
  service = await startService({ workers: 2, folder: join(folder, 'data'), env: { HEADROOM_HOST: hosts.join(',') } });
  const { url } = service;
  for (const host of hosts) expect(await ready(at(url, host))).toBe(200);
  const killed = service.workerPids();
  for (const pid of killed) process.kill(pid, 'SIGKILL');
  const areNew = (): boolean => (service?.workerPids() ?? []).length === 2 && service?.workerPids().every((pid) => !killed.includes(pid)) === true;
  await expect.poll(areNew).toBe(true);
  for (const host of hosts) expect(await ready(at(url, host))).toBe(200);
});

test('with TLS too, and a session of one worker is good at the other', async () => {
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
  const subject = ['-subj', '/CN=localhost', '-days', '2'];
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', key, '-out', cert, ...subject], {
    stdio: 'ignore',
  });
  const env = { HEADROOM_HOST: hosts.join(','), HEADROOM_TLS_CERT: cert, HEADROOM_TLS_KEY: key };
  service = await startService({ workers: 2, folder: join(folder, 'data'), env });
  expect(service.url).toMatch(/^https:/);
  for (const host of hosts) expect(await ready(at(service.url, host))).toBe(200);
  const { port } = new URL(service.url);
  let session: Buffer | undefined;
  const rounds = 40;
  const reused: boolean[] = [];
  for (let i = 0; i < rounds; i++) {
    const socket = connectTls({ port: Number(port), host: '127.0.0.1', rejectUnauthorized: false, ...(session && { session }) });
    const given = new Promise<Buffer>((resolve) => socket.once('session', resolve));
    await new Promise((resolve, reject) => socket.once('secureConnect', resolve).once('error', reject));
    session ??= await given;
    reused.push(socket.isSessionReused());
    socket.destroy();
  }
  expect(reused).toEqual([false, ...Array<boolean>(rounds - 1).fill(true)]);
});

test('a worker that is full leaves what comes to the others; all full, they refuse; with room they take again', async () => {
  const descriptorsMax = 512;
  const perWorker = descriptorsMax - 256;
  service = await startService({ workers: 2, folder: join(folder, 'data'), descriptorsMax });
  const { hostname, port } = new URL(service.url);
  const open = (): Promise<Socket> =>
    new Promise((resolve) => {
      const socket = connect(Number(port), hostname, () => resolve(socket)).on('error', () => resolve(socket));
      socket.resume();
      sockets.push(socket);
    });
  const { adminUrl } = service;
  // The connection that asks for metrics is one of them.
  await Promise.all(Array.from({ length: 2 * perWorker - 2 }, open));
  const dispatcher = new Agent({ connections: 1, pipelining: 1 });
  const held = async (): Promise<number[]> => {
    const answer = await request(`${(service as Service).url}/metrics`, { dispatcher });
    const values = parsePrometheusText(await answer.body.text());
    return Object.entries(values).flatMap(([name, value]) => (name.startsWith('headroom_connections{') ? [value] : []));
  };
  await expect.poll(async () => (await held()).reduce((sum, one) => sum + one, 0)).toBe(2 * perWorker - 1);
  expect(Math.max(...(await held()))).toBeLessThanOrEqual(perWorker);
  expect(sockets.filter(({ closed, errored }) => closed || errored !== null)).toEqual([]);
  await Promise.all(Array.from({ length: 20 }, open));
  await expect.poll(() => sockets.filter(({ closed }) => closed).length).toBe(19);
  // The admin listener has descriptors of its own.
  expect((await request(`${adminUrl}/admin/v1/nothing`, { method: 'POST' })).statusCode).toBe(401);
  for (const socket of sockets.splice(0, perWorker)) socket.destroy();
  await expect.poll(async () => (await open().then((socket) => new Promise((resolve) => setTimeout(() => resolve(socket.closed), 50)))) === false).toBe(true);
  await dispatcher.close();
});
