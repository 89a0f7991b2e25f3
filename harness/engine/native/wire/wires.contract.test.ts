import { closeSync, openSync } from 'node:fs';
import { type AddressInfo, connect as connectTcp, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { openWires } from './open-wires.ts';
import type { ConnectionEvents, Wire, WireChoice, WireConnection, Wires } from './wire.ts';

// Generous: nothing here waits for so long but what is broken.
const withinMs = 20_000;
const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0).reverse()) close();
});

const nowMs = (): number => performance.now();

async function turnUntil(wires: Wires, isThere: () => boolean): Promise<void> {
  const endMs = nowMs() + withinMs;
  while (!isThere()) {
    if (nowMs() > endMs) throw new Error('it did not happen in time');
    wires.sleep?.(nowMs() + 0.5, 'until-bytes');
    await sleep(1);
  }
}

async function someTurns(wires: Wires): Promise<void> {
  let left = 30;
  await turnUntil(wires, () => left-- === 0);
}

/** What a connection said, in order. */
class Diary implements ConnectionEvents {
  readonly said: string[] = [];
  text = '';
  bytes = 0;
  sinceMs: number[] = [];
  readonly onOpen = (): void => void this.said.push('open');
  readonly onData = (buffer: Buffer, start: number, end: number, sinceMs: number): void => {
    this.bytes += end - start;
    if (this.text.length < 1000) this.text += buffer.toString('latin1', start, end);
    this.sinceMs.push(sinceMs);
  };
  readonly onClose = (code: string): void => void this.said.push(code);
}

type Far = { readonly port: number; readonly sockets: Socket[]; readonly server: Server };

/** `act` sees each connection. */
async function listen(act: (socket: Socket) => void = () => undefined, allowHalfOpen = false): Promise<Far> {
  const sockets: Socket[] = [];
  const server = createServer({ allowHalfOpen, noDelay: true }, (socket) => {
    sockets.push(socket);
    socket.on('error', () => socket.destroy());
    act(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closers.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, sockets, server };
}

async function open(choice: WireChoice, port: number, host = '127.0.0.1'): Promise<{ readonly wires: Wires; readonly wire: Wire }> {
  const wires = await openWires({ targets: [{ host, port, pathPrefix: '' }], nowMs, choice });
  closers.push(wires.end);
  return { wires, wire: wires.of[0] as Wire };
}

async function dial(choice: WireChoice, port: number, host?: string) {
  const { wires, wire } = await open(choice, port, host);
  const diary = new Diary();
  const connection: WireConnection = wire.connect(diary);
  expect(diary.said).toEqual([]);
  await turnUntil(wires, () => diary.said.length > 0);
  return { wires, wire, diary, connection };
}

const echo = (socket: Socket): void => void socket.pipe(socket);

describe.each(['net', 'epoll'] as const)('the wire %s', (choice) => {
  it('opens, writes, reads, and tells once that it is closed, never from within close', async () => {
    const { port } = await listen(echo);
    const { wires, diary, connection } = await dial(choice, port);
    connection.write('GET / HTTP/1.1\r\n\r\n\u00e9');
    await turnUntil(wires, () => diary.bytes === 19);
    expect(diary.text).toBe('GET / HTTP/1.1\r\n\r\n\u00e9');
    connection.close();
    expect(diary.said).toEqual(['open']);
    connection.close();
    await someTurns(wires);
    expect(diary.said).toEqual(['open', 'closed']);
  });

  it('says when bytes came, or since when they may have been there', async () => {
    const { port, sockets } = await listen();
    const { wires, wire, diary } = await dial(choice, port);
    await turnUntil(wires, () => sockets.length === 1);
    const beforeMs = nowMs();
    sockets[0]?.write('x');
    await sleep(500);
    const lookMs = nowMs();
    await turnUntil(wires, () => diary.bytes === 1);
    expect(diary.sinceMs[0]).toBeLessThanOrEqual(nowMs());
    // The one is told; the other must have looked meanwhile.
    if (wire.stampsArrivals) expect(diary.sinceMs[0]).toBeGreaterThan(beforeMs - 1);
    if (wire.stampsArrivals) expect(diary.sinceMs[0]).toBeLessThan(lookMs - 20);
  });

  it('finds a name, also where only its second address listens', async () => {
    const { port } = await listen(echo);
    const { wires, diary, connection } = await dial(choice, port, 'localhost');
    connection.write('hello');
    await turnUntil(wires, () => diary.text === 'hello');
  });

  it('names a refusal', async () => {
    const { port, server } = await listen();
    await new Promise<void>((resolve) => server.close(() => resolve()));
    const { diary } = await dial(choice, port);
    expect(diary.said).toEqual(['ECONNREFUSED']);
  });

  it('tells a reset from an end', async () => {
    const { port, sockets } = await listen();
    const { wires, wire, diary } = await dial(choice, port);
    const second = new Diary();
    wire.connect(second);
    await turnUntil(wires, () => sockets.length === 2 && second.said.length === 1);
    sockets[0]?.resetAndDestroy();
    sockets[1]?.end();
    await turnUntil(wires, () => diary.said.length === 2 && second.said.length === 2);
    expect([diary.said[1], second.said[1]].sort()).toEqual(['ECONNRESET', 'closed']);
  });

  it('takes the bytes before an end, and then closes although the far side would still read', async () => {
    const { port } = await listen((socket) => socket.end('last words'), true);
    const { wires, diary } = await dial(choice, port);
    await turnUntil(wires, () => diary.said.length === 2);
    expect([diary.text, diary.said]).toEqual(['last words', ['open', 'closed']]);
  });

  it('sends megabytes to a far side that reads late, in order, without a byte lost', async () => {
    let got = 0;
    let right = true;
    const { port, sockets } = await listen((socket) => {
      socket.pause();
      socket.on('data', (chunk: Buffer) => {
        for (const byte of chunk) right &&= byte === (got++ % 251) + 1;
      });
    });
    const { wires, diary, connection } = await dial(choice, port);
    const text = Array.from({ length: 251 * 400 }, (_, i) => String.fromCharCode((i % 251) + 1)).join('');
    for (let i = 0; i < 100; i++) connection.write(text);
    connection.write(text.slice(0, 251));
    await someTurns(wires);
    sockets[0]?.resume();
    await turnUntil(wires, () => got === text.length * 100 + 251);
    expect([right, diary.said]).toEqual([true, ['open']]);
  });

  it('reads nothing while it is paused, so that the far side feels it, and then everything', async () => {
    const size = 32 * 1024 * 1024;
    const { port, sockets } = await listen((socket) => socket.write(Buffer.alloc(size)));
    const { wires, diary, connection } = await dial(choice, port);
    connection.pause();
    await someTurns(wires);
    const heldBytes = diary.bytes;
    await someTurns(wires);
    expect([diary.bytes, sockets[0]?.writableNeedDrain]).toEqual([heldBytes, true]);
    connection.resume();
    await turnUntil(wires, () => diary.bytes === size);
  });

  it('finds the reset of a paused connection when it reads again', async () => {
    const { port, sockets } = await listen();
    const { wires, diary, connection } = await dial(choice, port);
    connection.pause();
    await turnUntil(wires, () => sockets.length === 1);
    sockets[0]?.resetAndDestroy();
    await someTurns(wires);
    connection.resume();
    await turnUntil(wires, () => diary.said.length === 2);
    expect(diary.said).toEqual(['open', 'ECONNRESET']);
  });

  it('may be closed, written to and joined by others from within its own calls', async () => {
    const { port } = await listen(echo);
    const { wires, wire } = await open(choice, port);
    const said: string[] = [];
    const again = (left: number): void => {
      const connection = wire.connect({
        onOpen: () => connection.write('x'),
        onData: () => {
          connection.close();
          connection.write('nobody hears this');
          if (left > 0) again(left - 1);
        },
        onClose: (code) => void said.push(code),
      });
    };
    for (let i = 0; i < 10; i++) again(9);
    await turnUntil(wires, () => said.length === 100);
    expect(new Set(said)).toEqual(new Set(['closed']));
  });

  it('drops a connection that is closed while it is made', async () => {
    const { port } = await listen(echo);
    const { wires, wire } = await open(choice, port);
    const diary = new Diary();
    wire.connect(diary).close();
    await someTurns(wires);
    expect(diary.said).toEqual(['closed']);
  });

  it('names the want of descriptors, and works again when there are some', async () => {
    const { port } = await listen(echo);
    const { wires, wire } = await open(choice, port);
    const hoard: number[] = [];
    try {
      for (;;) hoard.push(openSync('/dev/null', 'r'));
    } catch {}
    const diary = new Diary();
    try {
      wire.connect(diary);
      wires.sleep?.(nowMs(), 'until-bytes');
      await new Promise<void>((resolve) => setImmediate(resolve));
      await new Promise<void>((resolve) => setImmediate(resolve));
    } finally {
      for (const descriptor of hoard) closeSync(descriptor);
    }
    await turnUntil(wires, () => diary.said.length > 0);
    expect(diary.said).toEqual(['EMFILE']);
    const second = new Diary();
    wire.connect(second);
    await turnUntil(wires, () => second.said.length > 0);
    expect(second.said).toEqual(['open']);
  });
});

describe('which wire', () => {
  it('is epoll by itself, and net where that cannot be', async () => {
    const { port } = await listen(echo);
    const target = { host: '127.0.0.1', port, pathPrefix: '' };
    const nameOf = async (choice: WireChoice, tls?: object): Promise<string> => {
      const wires = await openWires({ targets: [{ ...target, ...(tls === undefined ? {} : { tls }) }], nowMs, choice });
      wires.end();
      return wires.name;
    };
    expect(await nameOf('auto')).toBe(process.platform === 'linux' ? 'epoll' : 'net');
    expect(await nameOf('auto', {})).toBe('tls');
    expect(await nameOf('net')).toBe('net');
    await expect(nameOf('epoll', {})).rejects.toThrow('the epoll wire cannot be used here: it speaks no TLS');
  });

  it('leaves no descriptor behind', async () => {
    const { port, sockets } = await listen();
    const { wires, wire } = await open('epoll', port);
    for (let i = 0; i < 20; i++) wire.connect(new Diary());
    await turnUntil(wires, () => sockets.length === 20);
    let ended = 0;
    for (const socket of sockets) socket.on('close', () => ended++).resume();
    wires.end();
    await turnUntil(wires.sleep === undefined ? wires : { ...wires, sleep: undefined }, () => ended === 20);
    // The listener itself is still there.
    connectTcp(port, '127.0.0.1')
      .on('error', () => undefined)
      .destroy();
  });
});
