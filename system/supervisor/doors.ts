/**
 * Where connections come in: listeners that hand their sockets to an HTTP server. All of them are shut while the process holds as many as
 * it may, so that what waits in the sockets it shares goes to workers that have room, and open again once it has room itself.
 */
import type { Server as HttpServer } from 'node:http';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { Server as TlsServer } from 'node:tls';
import { type Front, noFront } from '#system/edge/front.ts';

export type DoorsOptions = {
  /** Undefined: no limit. */
  readonly connectionsMax: number | undefined;
  readonly onTrouble: (error: unknown) => void;
};

export type Opening = {
  readonly hosts: readonly string[];
  /** With 0 the first takes a free one, and the others the same. */
  readonly port: number;
  /** Not listening yet. */
  readonly makeServer: () => Server;
};

export type Doors = {
  /** Resolves with the addresses, in the order of the hosts, once all listen. */
  readonly open: (opening: Opening) => Promise<readonly AddressInfo[]>;
  /** Lets nobody in any more. Who is in stays. */
  readonly shut: () => void;
  readonly connections: () => Promise<number>;
};

type Door = { readonly server: Server; readonly host: string; readonly port: number };

const backlog = 4096;
/** So that a full worker does not open for one and shut again. */
const roomShare = 0.05;
const lookAgainMs = 100;

/** Hands its sockets over as they come. As Node's own: HTTP answers a client that said its last, and below TLS a socket that stays half open is never closed. */
export const doorTo = (http: HttpServer, { take }: Pick<Front, 'take'> = noFront(http)): Server =>
  createServer({ allowHalfOpen: !(http instanceof TlsServer), noDelay: true }, take);

export function createDoors({ connectionsMax = Number.POSITIVE_INFINITY, onTrouble }: DoorsOptions): Doors {
  const doors: Door[] = [];
  let state: 'open' | 'full' | 'reopening' | 'shut' = 'open';
  let room = connectionsMax;
  let looking: NodeJS.Timeout | undefined;
  const connections = async (): Promise<number> => {
    const counts = await Promise.all(doors.map(({ server }) => countOf(server)));
    return counts.reduce((sum, count) => sum + count, 0);
  };
  // Asynchronous by its signature only: it has counted before the loop accepts another one.
  const beFullOrOpen = async (): Promise<void> => {
    room = connectionsMax - (await connections());
    if (room > 0 || state !== 'open') return;
    state = 'full';
    for (const { server } of doors) server.close();
    looking = setInterval(() => void look().catch(onTrouble), lookAgainMs).unref();
  };
  const look = async (): Promise<void> => {
    const count = await connections();
    if (state !== 'full' || count > connectionsMax * (1 - roomShare)) return;
    state = 'reopening';
    try {
      for (const door of doors) if (!door.server.listening) await listen(door);
    } finally {
      if (state === 'reopening') state = 'full';
    }
    if (state !== 'full') return;
    clearInterval(looking);
    state = 'open';
    await beFullOrOpen();
  };
  return {
    connections,
    open: async ({ hosts, port: asked, makeServer }) => {
      const addresses: AddressInfo[] = [];
      for (const host of hosts) {
        const server = makeServer().on('connection', () => {
          if (--room <= 0) void beFullOrOpen();
        });
        const address = await listen({ server, host, port: addresses[0]?.port ?? asked });
        server.on('error', onTrouble);
        doors.push({ server, host, port: address.port });
        addresses.push(address);
      }
      return addresses;
    },
    shut: () => {
      state = 'shut';
      clearInterval(looking);
      for (const { server } of doors) server.close();
    },
  };
}

function listen({ server, host, port }: Door): Promise<AddressInfo> {
  return new Promise((resolve, reject) => {
    server.once('error', reject).listen({ host, port, backlog }, () => {
      server.off('error', reject);
      resolve(server.address() as AddressInfo);
    });
  });
}

const countOf = (server: Server): Promise<number> =>
  new Promise((resolve, reject) => {
    server.getConnections((error, count) => (error === null ? resolve(count) : reject(error)));
  });

/** As a client of the same machine uses it. */
export function urlOf(scheme: 'http' | 'https', { address, port }: AddressInfo): string {
  const reachable = address === '0.0.0.0' ? '127.0.0.1' : address === '::' ? '::1' : address;
  return `${scheme}://${reachable.includes(':') ? `[${reachable}]` : reachable}:${port}`;
}
