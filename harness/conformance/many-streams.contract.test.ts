import { createServer, type Server, type Socket } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { openMany } from './many-streams.ts';
import { Broken } from './rule.ts';

let server: Server | undefined;
const sockets = new Set<Socket>();
afterEach(() => {
  for (const socket of sockets) socket.destroy();
  sockets.clear();
  server?.close();
});

/** A server that does `react` with each connection's request; its address. */
async function serve(react: (socket: Socket, i: number) => void): Promise<string> {
  let connections = 0;
  const created = createServer((socket) => {
    sockets.add(socket);
    const i = connections++;
    socket.on('error', () => undefined).once('data', () => react(socket, i));
  });
  server = created;
  await new Promise<void>((resolve) => created.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(created.address() as { port: number }).port}`;
}

const sync = '{"t":"hello"}\n{"t":"sync"}\n';
const stream = (socket: Socket): void =>
  void socket.write(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${Buffer.byteLength(sync).toString(16)}\r\n${sync}\r\n`);

test('as many as were asked for, each in sync', async () => {
  const readers = await openMany({ url: await serve(stream), authorization: 'x' }, 130);
  expect(readers.map((reader) => reader.frames.at(-1)?.t)).toEqual(Array.from({ length: 130 }, () => 'sync'));
  for (const reader of readers) reader.close();
});

test.each([
  ['cuts one', (socket: Socket, i: number) => (i === 3 ? socket.resetAndDestroy() : stream(socket))],
  ['refuses one', (socket: Socket, i: number) => (i === 3 ? socket.end('HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n') : stream(socket))],
] as const)('a service that %s breaks the rule: it is not skipped', async (_, react) => {
  const url = await serve(react);
  await expect(openMany({ url, authorization: 'x' }, 20)).rejects.toThrow(Broken);
});

test('nobody there breaks the rule too', async () => {
  const url = await serve(stream);
  await new Promise((resolve) => server?.close(resolve));
  await expect(openMany({ url, authorization: 'x' }, 2)).rejects.toThrow(Broken);
});
