import { createServer as createHttpServer } from 'node:http';
import { connect, createServer, type Socket } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { createDoors, type Doors, doorTo, urlOf } from './doors.ts';
import { holdOne } from './ports.ts';

const hosts = ['127.0.0.1', '127.0.0.2'];
let sockets: Socket[] = [];
let doors: Doors | undefined;
afterEach(() => {
  doors?.shut();
  for (const socket of sockets) socket.destroy();
  sockets = [];
});

/** How it went: `open`, or the error's code. */
const knock = (host: string, port: number): Promise<string> =>
  new Promise((resolve) => {
    const socket = connect(port, host, () => resolve('open'));
    socket.once('error', (error: Error & { code?: string }) => resolve(error.code ?? error.message));
    sockets.push(socket);
  });
const ask = async (host: string, port: number): Promise<number> => (await fetch(`http://${host}:${port}/`, { headers: { connection: 'close' } })).status;

async function openAll(connectionsMax: number | undefined): Promise<number> {
  const http = createHttpServer((_, response) => response.end('here'));
  http.emit('listening');
  doors = createDoors({
    connectionsMax,
    onTrouble: (error) => {
      throw error;
    },
  });
  const addresses = await doors.open({ hosts, port: 0, makeServer: () => doorTo(http) });
  expect(addresses.map(({ address }) => address)).toEqual(hosts);
  expect(new Set(addresses.map(({ port }) => port)).size).toBe(1);
  return addresses[0]?.port as number;
}

test('every host has the same port and the same server behind it; shut, nobody comes in and who is in stays', async () => {
  const port = await openAll(undefined);
  for (const host of hosts) expect(await ask(host, port)).toBe(200);
  expect(await knock('127.0.0.2', port)).toBe('open');
  await expect.poll(() => doors?.connections()).toBe(1);
  doors?.shut();
  for (const host of hosts) expect(await knock(host, port)).toBe('ECONNREFUSED');
  expect(await doors?.connections()).toBe(1);
});

test('as many as there may be over all doors, then they are shut; with room for a twentieth they open again, on the same port', async () => {
  const max = 40;
  const port = await openAll(max);
  for (let i = 0; i < max; i++) expect(await knock(hosts[i % 2] as string, port)).toBe('open');
  await expect.poll(() => doors?.connections()).toBe(max);
  for (const host of hosts) await expect.poll(() => knock(host, port)).toBe('ECONNREFUSED');
  sockets[0]?.destroy();
  await expect.poll(() => doors?.connections()).toBe(max - 1);
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(await knock('127.0.0.1', port)).toBe('ECONNREFUSED');
  sockets[1]?.destroy();
  await expect.poll(() => knock('127.0.0.2', port)).toBe('open');
  // One was free and this one took it: shut again, and never more than there may be.
  expect(await knock('127.0.0.1', port)).toBe('open');
  await expect.poll(() => doors?.connections()).toBe(max);
  await expect.poll(() => knock('127.0.0.1', port)).toBe('ECONNREFUSED');
});

test('a port that is held is taken by number only', async () => {
  const port = await holdOne(hosts);
  const server = createServer();
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, '127.0.0.1', resolve));
  await new Promise((resolve) => server.close(resolve));
  for (const host of hosts) expect(await knock(host, port)).toBe('ECONNREFUSED');
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, '127.0.0.2', resolve));
  await new Promise((resolve) => server.close(resolve));
});

test('a URL is one that a client can use', () => {
  expect(urlOf('http', { address: '0.0.0.0', family: 'IPv4', port: 1 })).toBe('http://127.0.0.1:1');
  expect(urlOf('https', { address: '::', family: 'IPv6', port: 2 })).toBe('https://[::1]:2');
  expect(urlOf('http', { address: '127.0.0.2', family: 'IPv4', port: 3 })).toBe('http://127.0.0.2:3');
});
