/** Whether taking a socket out of Node's HTTP server still fits the Node that runs. */
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect, Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { chunkOf, lastChunk, takeSocket } from './outlet.ts';

let server: Server;
let port: number;
let taken: Socket[] = [];

beforeEach(async () => {
  taken = [];
  server = createServer({ connectionsCheckingInterval: 50, requestTimeout: 200, headersTimeout: 200 }, (incoming, outgoing) => {
    if (incoming.url !== '/take') return void outgoing.end('plain');
    setImmediate(() => {
      const socket = takeSocket(outgoing);
      taken.push(socket);
      socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n');
      socket.write(chunkOf('first\n'));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  ({ port } = server.address() as AddressInfo);
});
afterEach(() => {
  server.closeAllConnections();
  for (const socket of taken) socket.destroy();
  server.close();
});

function dial(text: string): { readonly socket: Socket; readonly came: () => string } {
  let came = '';
  const socket = connect(port, '127.0.0.1', () => socket.write(text));
  socket.on('data', (bytes) => {
    came += bytes.toString();
  });
  socket.on('error', () => undefined);
  return { socket, came: () => came };
}
const ask = 'GET /take HTTP/1.1\r\nHost: x\r\n\r\n';

test('what is left is a plain socket: no parser, no listener of HTTP, no method of its own', async () => {
  const { socket, came } = dial(ask);
  await expect.poll(came).toContain('6\r\nfirst\n\r\n');
  const [own] = taken as [Socket & { parser?: unknown; _httpMessage?: unknown }];
  expect(own.parser ?? undefined).toBeUndefined();
  expect(own._httpMessage ?? undefined).toBeUndefined();
  expect(own.eventNames()).toEqual([]);
  for (const name of ['on', 'addListener', 'prependListener', 'setEncoding'] as const) expect(Object.hasOwn(own, name)).toBe(false);
  expect(own.on).toBe(Socket.prototype.on);
  socket.destroy();
});

test('the server’s request timeout and its closing of idle connections do not reach it', async () => {
  const { socket, came } = dial(ask);
  await expect.poll(() => taken.length).toBe(1);
  await sleep(500);
  server.closeIdleConnections();
  taken[0]?.write(chunkOf('second\n'));
  await expect.poll(came).toContain('second');
  taken[0]?.end(lastChunk);
  await expect.poll(() => socket.readableEnded).toBe(true);
});

test('after earlier requests on the connection, with bytes that come later, many times over', async () => {
  for (let i = 0; i < 100; i++) {
    const { socket, came } = dial('GET /plain HTTP/1.1\r\nHost: x\r\n\r\n');
    await expect.poll(came, { interval: 1 }).toContain('plain');
    socket.write(ask);
    await expect.poll(came, { interval: 1 }).toContain('first');
    socket.write(`${ask}GET /plain HTTP/1.1\r\n\r\n`);
    taken.at(-1)?.write(chunkOf(`more ${i}\n`));
    await expect.poll(came, { interval: 1 }).toContain(`more ${i}`);
    expect(came().match(/plain/g)).toHaveLength(1);
    socket.destroy();
  }
  expect(taken).toHaveLength(100);
});

test('the client’s end and its reset are seen', async () => {
  const seen: string[] = [];
  for (const end of ['end', 'resetAndDestroy'] as const) {
    const { socket } = dial(ask);
    const before = taken.length;
    await expect.poll(() => taken.length).toBe(before + 1);
    const own = taken.at(-1) as Socket;
    own.on('end', () => own.destroy()).on('error', (error: Error & { code?: string }) => seen.push(error.code ?? ''));
    const closed = new Promise((resolve) => own.once('close', resolve));
    socket[end]();
    await closed;
  }
  expect(seen).toEqual(['ECONNRESET']);
});
