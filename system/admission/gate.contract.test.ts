import { EventEmitter } from 'node:events';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { request } from 'undici';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createGate, type Gate } from './gate.ts';
import { laneOf } from './lanes.ts';
import { createPlaces, type Places } from './places.ts';
import { createTurns } from './turns.ts';

let server: Server;
let gate: Gate;
let places: Places;
let part = 1;
let shares = 0;
let served = 0;
let refused = 0;
let answer: () => Promise<void> = async () => undefined;

beforeEach(async () => {
  shares = 0;
  [part, served, refused, answer] = [1, 0, 0, async () => undefined];
  places = createPlaces(10);
  gate = createGate({
    places,
    pressure: { letIn: () => part, takeShare: () => shares-- > 0 },
    turns: createTurns({ monotonicMs: () => performance.now(), busyMs: () => performance.now(), hasRoom: () => true, soon: setImmediate }),
    routeOf: (_, url) => ({ lane: laneOf(url.slice(1)), url, cors: 'open' }),
    onRefused: () => refused++,
    refuse: (_, response, __, isLast) => response.writeHead(503, isLast ? { connection: 'close' } : {}).end(),
    random: () => 0.5,
    holdMs: 250,
  });
  server = createServer((_, response) => {
    served++;
    void answer().then(() => response.end('x'));
  });
  gate.guard(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterEach(() => {
  gate.close();
  server.closeAllConnections();
  server.close();
});

const port = (): number => (server.address() as AddressInfo).port;
const ask = async (lane: string, body?: string): Promise<number> => {
  const { statusCode, body: answered } = await request(`http://127.0.0.1:${port()}/${lane}`, { method: 'POST', ...(body === undefined ? {} : { body }) });
  await answered.text();
  return statusCode;
};

test('a lane that is shed is refused in its part, late, and without the listeners behind', async () => {
  part = 0.4;
  const beganMs = performance.now();
  expect(await ask('registration')).toBe(503);
  expect(performance.now() - beganMs).toBeGreaterThan(150);
  expect([served, refused]).toEqual([0, 1]);
  part = 0.6;
  expect(await ask('registration')).toBe(200);
  expect(served).toBe(1);
  [part, shares] = [0.4, 1];
  expect([await ask('registration'), await ask('registration')], 'its share, and no more').toEqual([200, 503]);
});

test('of a body counts what has come, and not what was announced', async () => {
  answer = () => new Promise(() => undefined);
  const socket = connect(port(), '127.0.0.1');
  socket.write('POST /read HTTP/1.1\r\nHost: x\r\nContent-Length: 4194304\r\n\r\n');
  await expect.poll(() => places.taken().read).toBe(1);
  await sleep(50);
  expect(gate.pendingBytes()).toBe(0);
  socket.write(Buffer.alloc(10_000));
  await expect.poll(() => gate.pendingBytes()).toBe(10_000);
  socket.destroy();
  await expect.poll(() => [places.taken().read, gate.pendingBytes()]).toEqual([0, 0]);
});

test('a place is left with the answer, with the connection, and by who says so', async () => {
  expect(await ask('read', 'abc')).toBe(200);
  await expect.poll(() => [places.taken().read, gate.pendingBytes()]).toEqual([0, 0]);
  answer = () => new Promise(() => undefined);
  const socket = connect(port(), '127.0.0.1');
  socket.write('GET /read HTTP/1.1\r\nHost: x\r\n\r\n');
  await expect.poll(() => places.taken().read).toBe(1);
  socket.destroy();
  await expect.poll(() => places.taken().read).toBe(0);
});

test('without places a lane is refused beyond its share, and health never', async () => {
  answer = () => sleep(300);
  const all = await Promise.all(Array.from({ length: 30 }, () => ask('registration')));
  expect(all.filter((status) => status === 200)).toHaveLength(6);
  expect(await ask('health')).toBe(200);
});

test('who closed before his work began is dropped, and his connection with it', async () => {
  part = 0.6;
  let destroyed = 0;
  const socket = { destroyed: false, readableEnded: false, destroy: () => destroyed++ };
  server.emit('request', { method: 'GET', url: '/registration', headers: {}, socket }, new EventEmitter());
  expect(places.taken().registration).toBe(1);
  socket.readableEnded = true;
  await expect.poll(() => refused).toBe(1);
  expect([served, destroyed, places.taken().registration]).toEqual([0, 1, 0]);
});

test('a refusal that is held for one who closed is not written', async () => {
  part = 0.4;
  const socket = connect(port(), '127.0.0.1');
  const closed = new Promise((resolve) => socket.once('close', resolve));
  let text = '';
  socket.on('data', (bytes) => {
    text += bytes;
  });
  socket.end('GET /registration HTTP/1.1\r\nHost: x\r\n\r\n');
  await closed;
  await expect.poll(() => refused).toBe(1);
  expect([text, served]).toEqual(['', 0]);
});

test('refusals are not held for ever, nor more of them than there may be', async () => {
  part = 0.1;
  const all = await Promise.all(Array.from({ length: 200 }, () => ask('export')));
  expect(all.every((status) => status === 503)).toBe(true);
  expect(refused).toBe(200);
});
