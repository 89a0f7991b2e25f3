/** The wires of a thread on epoll: made where it can be, after it has proved itself on a connection to itself. */
import { isIP } from 'node:net';
import type { EngineTarget } from '#harness/engine/engine.ts';
import type { ConnectionEvents, Wire, Wires } from '#harness/engine/native/wire/wire.ts';
import { type Addresses, EpollConnection } from './epoll-connection.ts';
import { EpollLoop } from './epoll-loop.ts';
import { type Libc, loadLibc } from './libc.ts';
import { proveStamps } from './self-test.ts';
import { resolveAddresses, type SocketAddress } from './socket-address.ts';

const resolveEveryMsDefault = 10_000;

export type EpollWiresOptions = {
  readonly targets: readonly Pick<EngineTarget, 'host' | 'port' | 'tls'>[];
  readonly nowMs: () => number;
  readonly libc?: Libc;
  readonly resolve?: typeof resolveAddresses;
  readonly resolveEveryMs?: number;
};

/** Rejects with the reason where it cannot be. */
export async function createEpollWires(options: EpollWiresOptions): Promise<Wires> {
  const { targets, nowMs, libc: given, resolve = resolveAddresses, resolveEveryMs = resolveEveryMsDefault } = options;
  if (targets.some(({ tls }) => tls !== undefined)) throw new Error('it speaks no TLS');
  const libc = given ?? (await loadLibc());
  const addresses = await Promise.all(targets.map(async ({ host, port }): Promise<Addresses> => ({ all: await resolve(host, port), first: 0 })));
  const stampsArrivals = await proveStamps(libc, nowMs);
  const loop = new EpollLoop({ libc, nowMs, stamps: stampsArrivals });
  const again = (): void => {
    for (const [i, { host, port }] of targets.entries()) void resolve(host, port).then((all) => move(addresses[i] as Addresses, all), keep);
  };
  const timer = targets.every(({ host }) => isIP(host) !== 0) ? undefined : setInterval(again, resolveEveryMs).unref();
  return {
    name: 'epoll',
    of: addresses.map((each) => wireOf(loop, each, stampsArrivals)),
    sleep: (untilMs, kind) => loop.look(untilMs, kind === 'deaf'),
    noteTurn: () => undefined,
    end: () => {
      clearInterval(timer);
      loop.end();
    },
  };
}

/** New connections go where the name points now: a balancer that grows changes its addresses. */
function move(addresses: Addresses, all: readonly SocketAddress[]): void {
  const text = (list: readonly SocketAddress[]): string => list.map(({ bytes }) => bytes.join()).join(';');
  if (text(addresses.all) === text(all)) return;
  addresses.all = all;
  addresses.first = 0;
}

/** A name that cannot be resolved now is where it was. */
const keep = (): void => undefined;

function wireOf(loop: EpollLoop, addresses: Addresses, stampsArrivals: boolean): Wire {
  return { name: 'epoll', stampsArrivals, connect: (events: ConnectionEvents) => new EpollConnection(loop, addresses, events) };
}
