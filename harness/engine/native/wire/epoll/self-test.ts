/**
 * Before any of a run's bytes go over it, the wire carries some to a server of this very thread and back: a platform whose structs lie otherwise, a call that is
 * forbidden, a sleep that does not end are found here. Rejects with what was wrong.
 */
import { type AddressInfo, createServer, type Server } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { EpollConnection } from './epoll-connection.ts';
import { EpollLoop } from './epoll-loop.ts';
import type { Libc } from './libc.ts';
import { resolveAddresses } from './socket-address.ts';

/** Also on a machine that has much else to do. */
const withinMs = 5000;
const lookMs = 1;
/** More than one write and one read carry. */
const message = 'headroom '.repeat(20_000);
const sleepMs = 2;
/** A stamp has to lie between the send and the read; so much may the two clocks be apart. */
const clocksApartMsMax = 1;

/** Answers whether the kernel says when bytes came. */
export async function proveStamps(libc: Libc, nowMs: () => number): Promise<boolean> {
  const server = createServer((socket) => socket.on('error', () => socket.destroy()).pipe(socket));
  const loop = new EpollLoop({ libc, nowMs, stamps: true });
  try {
    proveSleep(loop);
    return await proveEcho(loop, await listen(server));
  } finally {
    loop.end();
    server.close();
  }
}

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

function proveSleep(loop: EpollLoop): void {
  for (const deaf of [false, true]) {
    const fromMs = loop.nowMs();
    loop.look(fromMs + sleepMs, deaf);
    const sleptMs = loop.nowMs() - fromMs;
    if (sleptMs < sleepMs) throw new Error(`a sleep of ${sleepMs} ms ended after ${sleptMs.toFixed(3)}`);
  }
}

async function proveEcho(loop: EpollLoop, port: number): Promise<boolean> {
  const beganMs = loop.nowMs();
  let heard = '';
  let stamped = true;
  let closed: string | undefined;
  const connection: EpollConnection = new EpollConnection(
    loop,
    { all: await resolveAddresses('127.0.0.1', port), first: 0 },
    {
      onOpen: () => connection.write(message),
      onData: (buffer, start, end, sinceMs) => {
        heard += buffer.toString('latin1', start, end);
        if (loop.stamps?.read(loop.nowMs()) === undefined || sinceMs < beganMs - clocksApartMsMax) stamped = false;
        if (heard.length >= message.length) connection.close();
      },
      onClose: (code) => {
        closed = code;
      },
    },
  );
  while (closed === undefined && loop.nowMs() - beganMs < withinMs) {
    loop.look(loop.nowMs() + lookMs, false);
    await turn();
  }
  if (heard !== message)
    throw new Error(`${heard.length} of ${message.length} bytes came back from a server of its own${closed === undefined ? '' : ` (${closed})`}`);
  if (loop.openCount !== 0) throw new Error('a connection that was closed is still open');
  return stamped;
}
