/** The balancer itself: listens, chooses targets, keeps count; its relays do the rest. */
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer as createTcpServer, type Server, type Socket } from 'node:net';
import { createCapacity } from './capacity.ts';
import { relayHttp } from './http-relay.ts';
import type { BalancerSettings } from './presets.ts';
import { type AccessLine, type BalancerCounts, nameOf, type Passing, type Relaying, type TargetAddress } from './relaying.ts';
import { relayTcp } from './tcp-relay.ts';

export type { AccessLine, TargetAddress } from './relaying.ts';

export type BalancerOptions = {
  readonly settings: BalancerSettings;
  readonly targets: readonly TargetAddress[];
  /** 20: a minute passes in three seconds. */
  readonly scale?: number;
  readonly port?: number;
  readonly onAccess?: (line: AccessLine) => void;
};

export type Balancer = {
  readonly url: string;
  readonly counts: Readonly<BalancerCounts>;
  readonly units: () => number | undefined;
  readonly setTargets: (targets: readonly TargetAddress[]) => void;
  /** No new connections to it; after `delayMs` those that are left are closed. */
  readonly drain: (target: TargetAddress, delayMs: number) => void;
  /** Every connection at once, as when a balancer or a node behind it dies. */
  readonly dropAll: (how: 'fin' | 'rst') => void;
  readonly close: () => Promise<void>;
};

/** Of the balancer's own clock. */
const settleEveryMs = 1000;
const delayStepMs = 250;

export async function startBalancer({ settings, targets: given, scale = 1, port = 0, onAccess = () => undefined }: BalancerOptions): Promise<Balancer> {
  let targets = given;
  let turn = 0;
  const nowMs = (): number => performance.now() * scale;
  const capacity = settings.capacity === undefined ? undefined : createCapacity(settings.capacity, settings.unitsOf, nowMs());
  const counts: BalancerCounts = { accepted: 0, refused: 0, delayed: 0, expired: 0, active: 0 };
  const sockets = new Set<Socket>();
  const relaying: Relaying = {
    settings,
    scale,
    counts,
    passing: new Set(),
    nextTarget: () => targets[turn++ % Math.max(1, targets.length)],
    moved: (bytes) => capacity?.moved(bytes),
    requested: () => capacity?.requested(),
    log: onAccess,
  };
  const relay = settings.listener === 'tcp' ? tcpListener(relaying) : httpListener(relaying);
  const server = createTcpServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true }, (client) => {
    const admit = (): void => {
      if (client.destroyed) return;
      const isFull = settings.connectionsMax !== undefined && counts.active >= settings.connectionsMax;
      if (!isFull && (capacity === undefined || capacity.admit(nowMs()))) {
        counts.accepted++;
        counts.active++;
        sockets.add(client);
        client.once('close', () => {
          counts.active--;
          sockets.delete(client);
          capacity?.release();
        });
        relay.take(client);
      } else if (!isFull && settings.capacity?.above === 'delay') {
        counts.delayed++;
        setTimeout(admit, delayStepMs / scale);
      } else {
        counts.refused++;
        relay.refuse(client);
        onAccess({ atMs: Date.now(), client: nameOf(client), target: undefined, seconds: 0, bytesIn: 0, bytesOut: 0, ended: 'refused' });
      }
    };
    client.on('error', () => undefined);
    admit();
  });
  const settling = setInterval(() => capacity?.settle(nowMs()), settleEveryMs / scale).unref();
  await listening(server, port);
  const drop = (which: (passing: Passing) => boolean, how: 'fin' | 'rst', why: AccessLine['ended']): void => {
    for (const passing of [...relaying.passing]) if (which(passing)) passing.drop(how, why);
  };
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    counts,
    units: () => capacity?.units(),
    setTargets: (next) => {
      targets = next;
    },
    drain: (target, delayMs) => {
      const isIt = ({ host, port: own }: TargetAddress): boolean => host === target.host && own === target.port;
      targets = targets.filter((each) => !isIt(each));
      setTimeout(() => drop((passing) => isIt(passing.target), 'fin', 'drained'), delayMs / scale).unref();
    },
    dropAll: (how) => {
      drop(() => true, how, 'dropped');
      for (const socket of sockets) how === 'rst' ? socket.resetAndDestroy() : socket.destroy();
    },
    close: async () => {
      clearInterval(settling);
      drop(() => true, 'rst', 'dropped');
      for (const socket of sockets) socket.destroy();
      relay.close();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

type Listener = { readonly take: (client: Socket) => void; readonly refuse: (client: Socket) => void; readonly close: () => void };

const tcpListener = (relaying: Relaying): Listener => ({
  take: (client) => relayTcp(client, relaying),
  refuse: (client) => client.resetAndDestroy(),
  close: () => undefined,
});

function httpListener(relaying: Relaying): Listener {
  const { settings, scale } = relaying;
  const relay = relayHttp(relaying);
  const server = createHttpServer({ keepAliveTimeout: settings.idleTimeoutMs / scale, keepAliveTimeoutBuffer: 0 } as object, relay.handle);
  // Our own timeouts are what is modelled.
  server.requestTimeout = 0;
  server.headersTimeout = 0;
  return {
    take: (client) => {
      server.emit('connection', client);
      client.resume();
    },
    refuse: (client) => {
      client.end('HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n');
      client.resume();
    },
    close: relay.close,
  };
}

function listening(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    // Stays: without descriptors each connection that cannot be accepted is told here, and must not end the balancer.
    server.on('error', reject).listen({ host: '127.0.0.1', port, backlog: 4096 }, resolve);
  });
}
