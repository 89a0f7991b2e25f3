// What a healthy kernel does not do on request: calls that are interrupted, take a part, or have no room.
import { type AddressInfo, createServer, type Server } from 'node:net';
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { createEpollWires } from './epoll-wires.ts';
import { type Libc, linux, loadLibc } from './libc.ts';
import { resolveAddresses } from './socket-address.ts';

const withinMs = 20_000;
const nowMs = (): number => performance.now();
const libc = await loadLibc();
let server: Server | undefined;
afterEach(() => server?.close());

type Call = 'send' | 'recvmsg' | 'epoll_pwait2' | 'socket' | 'epoll_ctl';

/** Fails every second call of a kind with that error, once the self-test is over. */
function failing(call: Call, errno: number): { readonly libc: Libc; readonly begin: () => void; readonly failed: () => number } {
  let begun = false;
  let calls = 0;
  let failed = 0;
  let last = 0;
  const broken = (...args: never[]): number => {
    last = 0;
    if (begun && calls++ % 2 === 0) {
      failed++;
      last = errno;
      return -1;
    }
    return (libc[call] as (...args: never[]) => number)(...args);
  };
  const begin = (): void => {
    begun = true;
  };
  return { libc: { ...libc, [call]: broken, errno: () => (last === 0 ? libc.errno() : last) }, begin, failed: () => failed };
}

/** Sends through a libc and gives what came back from an echo, and how it was closed. */
async function exchange(faulty: ReturnType<typeof failing>, text: string) {
  server = createServer((socket) => socket.on('error', () => socket.destroy()).pipe(socket));
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
  const wires = await createEpollWires({ targets: [{ host: '127.0.0.1', port: (server.address() as AddressInfo).port }], nowMs, libc: faulty.libc });
  let heard = '';
  let code: string | undefined;
  faulty.begin();
  const connection = wires.of[0]?.connect({
    onOpen: () => connection?.write(text),
    onData: (buffer, start, end) => {
      heard += buffer.toString('latin1', start, end);
      if (heard.length >= text.length) connection?.close();
    },
    onClose: (closed) => {
      code = closed;
    },
  });
  const endMs = nowMs() + withinMs;
  while (code === undefined && nowMs() < endMs) {
    wires.sleep?.(nowMs() + 0.5, 'until-bytes');
    await turn();
  }
  wires.end();
  return { heard, code, failed: faulty.failed() };
}

const long = 'abcdefghij'.repeat(50_000);

describe('a connection on epoll', () => {
  it.each([
    ['send', linux.EAGAIN],
    ['send', linux.ENOBUFS],
    ['send', linux.EINTR],
    ['recvmsg', linux.EAGAIN],
    ['recvmsg', linux.EINTR],
    ['epoll_pwait2', linux.EINTR],
  ] as const)('tries again where %s says %i', async (call, errno) => {
    const { heard, code, failed } = await exchange(failing(call, errno), long);
    expect([heard === long, code, failed > 0]).toEqual([true, 'closed', true]);
  });

  it.each([
    ['send', 32, 'EPIPE'],
    ['recvmsg', 104, 'ECONNRESET'],
    ['socket', 24, 'EMFILE'],
    ['socket', 105, 'ENOBUFS'],
    ['epoll_ctl', 28, 'ENOSPC'],
  ] as const)('ends where %s says %i, and names it', async (call, errno, name) => {
    const { code, failed } = await exchange(failing(call, errno), 'hello');
    expect([code, failed]).toEqual([name, 1]);
  });

  it('sends the rest where the kernel takes a part', async () => {
    const one: Libc = { ...libc, send: (descriptor, bytes, length, flags) => libc.send(descriptor, bytes, Math.ceil(length / 7), flags) };
    const text = long;
    const { heard, code } = await exchange({ libc: one, begin: () => undefined, failed: () => 0 }, text);
    expect([heard === text, code]).toEqual([true, 'closed']);
  });
});

it('goes where a name points now', async () => {
  const heard: string[] = [];
  const listenAt = async (name: string): Promise<Server> => {
    const one = createServer((socket) => {
      heard.push(name);
      socket.on('error', () => undefined).destroy();
    });
    await new Promise<void>((resolve) => one.listen(0, '127.0.0.1', resolve));
    return one;
  };
  const [before, after] = [await listenAt('before'), await listenAt('after')];
  const portOf = (one: Server): number => (one.address() as AddressInfo).port;
  let isMoved = false;
  const resolve: typeof resolveAddresses = () => resolveAddresses('127.0.0.1', portOf(isMoved ? after : before));
  const wires = await createEpollWires({ targets: [{ host: 'service.test', port: 80 }], nowMs, resolve, resolveEveryMs: 5 });
  const endMs = nowMs() + withinMs;
  while (!heard.includes('after') && nowMs() < endMs) {
    wires.of[0]?.connect({ onOpen: () => undefined, onData: () => undefined, onClose: () => undefined });
    wires.sleep?.(nowMs() + 1, 'until-bytes');
    await sleep(2);
    isMoved = heard.length > 0;
  }
  wires.end();
  before.close();
  after.close();
  expect([heard[0], heard.at(-1)]).toEqual(['before', 'after']);
});

describe('the self-test', () => {
  it.each([
    ['a sleep that does not sleep', { epoll_pwait2: () => 0 }, 'a sleep of 2 ms ended after'],
    ['a clock that does not sleep', { clock_nanosleep: () => 0 }, 'a sleep of 2 ms ended after'],
    ['a kernel without epoll', { epoll_create1: () => -1, errno: () => 38 }, 'epoll_create1: ENOSYS'],
    ['reads that bring nothing', { recvmsg: () => 0 }, '0 of 180000 bytes came back from a server of its own (closed)'],
  ] as const)('refuses %s', async (_what, fault, sentence) => {
    const wires = createEpollWires({ targets: [], nowMs, libc: { ...libc, ...fault } });
    await expect(wires).rejects.toThrow(sentence);
  });

  it('finds out that nobody stamps', async () => {
    const silent: Libc = {
      ...libc,
      setsockopt: (descriptor, level, name, value, length) => (name === linux.SO_TIMESTAMPNS ? -1 : libc.setsockopt(descriptor, level, name, value, length)),
    };
    const wires = await createEpollWires({ targets: [{ host: '127.0.0.1', port: 1 }], nowMs, libc: silent });
    expect(wires.of[0]?.stampsArrivals).toBe(false);
    wires.end();
  });
});
