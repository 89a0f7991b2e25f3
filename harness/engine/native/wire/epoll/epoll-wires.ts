/** The wires of a thread on epoll: made where it can be, after it has proved itself on a connection to itself. */
import type { EngineTarget } from '#harness/engine/engine.ts';
import type { ConnectionEvents, Wire, Wires } from '#harness/engine/native/wire/wire.ts';
import { type Addresses, EpollConnection } from './epoll-connection.ts';
import { EpollLoop } from './epoll-loop.ts';
import { type Libc, loadLibc } from './libc.ts';
import { proveStamps } from './self-test.ts';
import { resolveAddresses } from './socket-address.ts';

export type EpollWiresOptions = {
  readonly targets: readonly Pick<EngineTarget, 'host' | 'port' | 'tls'>[];
  readonly nowMs: () => number;
  readonly libc?: Libc;
};

/** Rejects with the reason where it cannot be. */
export async function createEpollWires({ targets, nowMs, libc: given }: EpollWiresOptions): Promise<Wires> {
  if (targets.some(({ tls }) => tls !== undefined)) throw new Error('it speaks no TLS');
  const libc = given ?? (await loadLibc());
  const addresses = await Promise.all(targets.map(({ host, port }) => resolveAddresses(host, port)));
  const stampsArrivals = await proveStamps(libc, nowMs);
  const loop = new EpollLoop({ libc, nowMs, stamps: stampsArrivals });
  return {
    name: 'epoll',
    of: addresses.map((all) => wireOf(loop, { all, first: 0 }, stampsArrivals)),
    sleep: (untilMs, kind) => loop.look(untilMs, kind === 'deaf'),
    noteTurn: () => undefined,
    end: () => loop.end(),
  };
}

function wireOf(loop: EpollLoop, addresses: Addresses, stampsArrivals: boolean): Wire {
  return { name: 'epoll', stampsArrivals, connect: (events: ConnectionEvents) => new EpollConnection(loop, addresses, events) };
}
