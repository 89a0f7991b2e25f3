/** Faults of items, shares and streams. */
import { readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import type { PlainDeps } from '#system/app.ts';
import { changesHead, changesStart, type FoundChanges, type ItemRead } from '#system/store/store.ts';
import type { Opening } from '#system/stream/hub.ts';
import { type Fault, withHook, withHub, withStore } from './fault.ts';

const withPages = (change: (page: FoundChanges) => FoundChanges) =>
  withStore((store) => ({
    readChanges: async (query) => {
      const page = await store.readChanges(query);
      return page.kind === 'changes' ? change(page) : page;
    },
  }));
const withOpening = (change: (opening: Opening) => Opening) => withHub((hub) => ({ open: (opening) => hub.open(change(opening)) }));
/** What the stream writes, changed on its way. */
const withWrites = (change: (bytes: Buffer) => Buffer) =>
  withOpening((opening) => {
    const { socket } = opening;
    const write = socket.write.bind(socket) as (bytes: Buffer | string, encoding?: BufferEncoding) => boolean;
    socket.write = ((bytes: Buffer | string, encoding?: BufferEncoding) => write(Buffer.isBuffer(bytes) ? change(bytes) : bytes, encoding)) as Socket['write'];
    return opening;
  });
const deaf = (deps: PlainDeps): PlainDeps => ({ ...deps, bus: { ...deps.bus, poke: () => undefined } });
const aDayMs = 86_400_000;
/** No machine is so slow by itself. */
const lateMs = 12_000;
const staleMs = 1000;
const leakedBytes = 4096;
const lavishBytes = 32_768;

const kept: Buffer[] = [];

let seen = 0;
const remembered = new Map<string, { readonly read: ItemRead; readonly atMs: number }>();

export const streamFaults: readonly Fault[] = [
  {
    name: 'swaps-changes',
    breaks: ['R12'],
    about: 'tells the changes of a page from its end',
    apply: withPages((page) => ({ ...page, changes: page.changes.toReversed() })),
  },
  {
    name: 'skips-a-change',
    breaks: ['R13', 'R14'],
    about: 'forgets to tell every seventh change',
    apply: withPages((page) => ({ ...page, changes: page.changes.filter(() => ++seen % 7 !== 0) })),
  },
  {
    name: 'believes-cursors',
    breaks: ['R15', 'R16'],
    about: 'goes on from the log’s end where a cursor is too old or from the future, and does not say so',
    apply: withStore((store) => ({
      readChanges: async (query) => {
        const page = await store.readChanges(query);
        return page.kind === 'changes' ? page : store.readChanges({ ...query, after: changesHead });
      },
    })),
  },
  { name: 'keeps-its-epoch', breaks: ['R17'], about: 'restores a backup under the epoch it had', apply: (deps) => deps, keepsEpoch: true },
  {
    name: 'chokes-on-cursors',
    breaks: ['R18'],
    about: 'answers 500 to a cursor that it cannot read',
    apply: withHook((reply) => {
      if (reply.statusCode === 400 && reply.request.url.includes('since=')) reply.code(500);
    }),
  },
  {
    name: 'snapshot-loses-item',
    breaks: ['R19'],
    about: 'leaves out the last item of each page of a snapshot',
    apply: withStore((store) => ({
      readSnapshot: async (query) => {
        const page = await store.readSnapshot(query);
        return { ...page, items: page.items.slice(0, -1) };
      },
    })),
  },
  {
    name: 'forgets-deletes',
    breaks: ['R20'],
    about: 'never tells that an item was deleted',
    apply: withPages((page) => ({ ...page, changes: page.changes.filter(({ bytes }) => bytes !== undefined) })),
  },
  {
    name: 'wrong-hash',
    breaks: ['R21'],
    about: 'says a hash that is none',
    apply: withPages((page) => ({ ...page, hashes: Object.fromEntries(Object.keys(page.hashes).map((channel) => [channel, 'f'.repeat(16)])) })),
  },
  {
    name: 'no-heartbeats',
    breaks: ['R22', 'R23'],
    about: 'is silent where nothing changes',
    apply: withOpening((opening) => ({ ...opening, heartbeatMs: aDayMs })),
  },
  {
    name: 'late-hello',
    breaks: ['R24'],
    about: 'says hello after twelve seconds',
    apply: withHub((hub) => ({ open: (opening) => void setTimeout(() => hub.open(opening), lateMs) })),
  },
  {
    name: 'never-cuts',
    breaks: ['R25'],
    about: 'keeps everything for a reader that stopped',
    apply: withOpening((opening) => {
      const { socket } = opening;
      const write = socket.write.bind(socket) as (...args: unknown[]) => boolean;
      socket.write = ((...args: unknown[]) => {
        write(...args);
        return true;
      }) as Socket['write'];
      Object.defineProperty(socket, 'writableLength', { get: () => 0 });
      return opening;
    }),
  },
  {
    name: 'drops-conflated',
    breaks: ['R26'],
    about: 'throws away what a slow reader of a state channel should get later',
    apply: withOpening((opening) => {
      if (opening.watching !== undefined) Object.assign(opening.watching.pending, { set: () => opening.watching?.pending });
      return opening;
    }),
  },
  {
    name: 'always-online',
    breaks: ['R45'],
    about: 'calls every device online that was ever seen',
    apply: withStore((store) => ({
      readPresence: async (query) => {
        const presence = await store.readPresence(query);
        return presence && { ...presence, online: true };
      },
    })),
  },
  {
    name: 'forgets-the-end',
    breaks: ['R45'],
    about: 'counts a device’s silence from before its stream ended',
    apply: (deps) => {
      const ended = new Set<string>();
      const told = withStore((store) => ({ touch: (sign) => (ended.has(sign.device) ? Promise.resolve(false) : store.touch(sign)) }));
      return withOpening((opening) => {
        const { device, socket } = opening;
        if (device !== undefined) socket.once('close', () => ended.add(device));
        return opening;
      })(told(deps));
    },
  },
  {
    name: 'bye-without-cursor',
    breaks: ['R27'],
    about: 'says goodbye with a cursor that is none',
    apply: withWrites((bytes) => (bytes.includes('"t":"bye"') ? Buffer.from(bytes.toString().replace(/"c":"\w{47}"/, `"c":"${'0'.repeat(47)}"`)) : bytes)),
  },
  {
    name: 'same-age',
    breaks: ['R28'],
    about: 'ends all streams after the same time',
    apply: (deps) => ({ ...deps, streams: { ...deps.streams, random: () => 0.5 } }),
  },
  {
    name: 'drops-at-drain',
    breaks: ['R29'],
    about: 'ends without a goodbye',
    apply: withHub((hub) => ({ drain: async () => hub.close() })),
  },
  {
    name: 'refuses-event-sources',
    breaks: ['R29'],
    about: 'answers an event stream that comes during a drain as any other, with 503',
    apply: (deps) => ({
      ...deps,
      customise: (app) => {
        app.addHook('onRequest', (request, _, done) => {
          if (deps.isDraining()) delete request.headers.accept;
          done();
        });
      },
    }),
  },
  {
    name: 'bye-without-retry',
    breaks: ['R29'],
    about: 'says goodbye to an event stream without a time to come back',
    // A comment of the same length, as its chunk's length stands before it.
    apply: withWrites((bytes) => (bytes.includes('"t":"bye"') ? Buffer.from(bytes.toString().replace(/^retry/m, ':etry')) : bytes)),
  },
  { name: 'loses-pokes', breaks: [], about: 'hears of news by the position check only: a condition of R30, not a fault', apply: deaf },
  {
    name: 'deaf',
    breaks: ['R30'],
    about: 'loses pokes and never compares its position',
    apply: (deps) => ({ ...deaf(deps), streams: { ...deps.streams, positionCheckMs: aDayMs } }),
  },
  {
    name: 'ignores-last-event-id',
    breaks: ['R31'],
    about: 'takes no notice of Last-Event-ID',
    apply: (deps) => ({
      ...deps,
      customise: (app) => {
        app.addHook('onRequest', (request, _, done) => {
          delete request.headers['last-event-id'];
          done();
        });
      },
    }),
  },
  {
    name: 'counts-no-streams',
    breaks: ['R32'],
    about: 'opens more streams than it may',
    apply: (deps) => ({ ...deps, permits: { take: async () => true, giveBack: () => undefined } }),
  },
  {
    name: 'keeps-expired',
    breaks: ['R33'],
    about: 'lets a stream outlive its token',
    apply: withOpening((opening) => ({ ...opening, expiresAtMs: undefined })),
  },
  {
    name: 'forgets-deletions',
    breaks: ['R33', 'R46'],
    about: 'takes the token of a deleted device until it ends, and keeps its stream',
    apply: (deps) => withStore(() => ({ readEndedTokens: async () => [] }))({ ...deps, bus: { ...deps.bus, tellEndedTokens: () => undefined } }),
  },
  {
    name: 'keeps-moved-tokens',
    breaks: ['R47'],
    about: 'takes the token of a device that moved to another user until it ends, and keeps its stream',
    apply: (deps) =>
      withStore((store) => ({ putDevice: (command) => store.putDevice({ ...command, row: { ...command.row, generation: command.row.deleted ? 2 : 1 } }) }))({
        ...deps,
        bus: { ...deps.bus, tellEndedTokens: () => undefined },
      }),
  },
  {
    name: 'waits-for-ever',
    breaks: ['R34'],
    about: 'waits as long as a client takes for its request',
    apply: (deps) => ({
      ...deps,
      customise: (app) => {
        app.server.headersTimeout = 0;
        app.server.requestTimeout = 0;
      },
    }),
  },
  {
    name: 'ignores-if-match',
    breaks: ['R41'],
    about: 'changes an item whatever its version',
    apply: withStore((store) => ({
      change: (command) => store.change(command.condition.kind === 'versions' ? { ...command, condition: { kind: 'any' } } : command),
    })),
  },
  {
    name: 'stale-cursors',
    breaks: ['R42'],
    about: 'answers a write with the cursor of the log’s begin',
    apply: withStore((store) => ({
      change: async (command) => {
        const result = await store.change(command);
        return result.kind === 'changed' ? { ...result, position: changesStart } : result;
      },
    })),
  },
  {
    name: 'reads-late',
    breaks: ['R43'],
    about: 'reads an item as it was a second ago',
    apply: withStore((store) => ({
      readItem: async (query) => {
        const name = JSON.stringify(query);
        const known = remembered.get(name);
        if (known !== undefined && performance.now() - known.atMs < staleMs) return known.read;
        const read = await store.readItem(query);
        remembered.set(name, { read, atMs: performance.now() });
        return read;
      },
    })),
  },
  {
    name: 'mixes-users',
    breaks: ['R47'],
    about: 'keeps the items of all users of an account in one log',
    apply: withStore((store) => ({
      change: (command) => store.change({ ...command, principal: 'user:everybody' }),
      readItem: (query) => store.readItem({ ...query, principal: 'user:everybody' }),
      readChanges: (query) => store.readChanges({ ...query, principal: 'user:everybody' }),
      readSnapshot: (query) => store.readSnapshot({ ...query, principal: 'user:everybody' }),
    })),
  },
  {
    name: 'keeps-revoked',
    breaks: ['R44'],
    about: 'says that a share is revoked, and leaves it',
    apply: withStore(() => ({ unshare: async () => ({ kind: 'unshared' }) })),
  },
  {
    name: 'lets-go-early',
    breaks: ['R67'],
    about: 'closes idle connections before the balancer does',
    apply: (deps) => ({
      ...deps,
      customise: (app) => {
        app.server.keepAliveTimeout = 200;
        Object.assign(app.server, { keepAliveTimeoutBuffer: 0 });
      },
    }),
  },
  {
    name: 'keeps-what-ended',
    breaks: ['R69'],
    about: 'keeps a buffer for each stream, the stream’s end or not',
    apply: withOpening((opening) => {
      kept.push(Buffer.alloc(leakedBytes, 1));
      return opening;
    }),
  },
  {
    name: 'lavish',
    breaks: ['R69'],
    about: 'has a large buffer for each stream while it is there',
    apply: withOpening((opening) => {
      const buffer = Buffer.alloc(lavishBytes, 1);
      opening.socket.once('close', () => buffer.fill(0));
      return opening;
    }),
  },
  {
    name: 'dies-of-descriptors',
    breaks: ['R54'],
    about: 'accepts without a limit, and ends where it cannot open a file',
    acceptsAll: true,
    apply: (deps) => {
      setInterval(() => readFileSync('/proc/self/stat'), 20).unref();
      return deps;
    },
  },
  {
    name: 'believes-forwarded',
    breaks: ['R66'],
    about: 'takes the client’s address from a header that anybody can send',
    apply: (deps) => ({
      ...deps,
      customise: (app) => {
        app.addHook('onSend', async (request, _, payload) => {
          const forged = request.headers['x-forwarded-for'];
          return request.url === '/v1/connection' && forged !== undefined ? JSON.stringify({ client_address: forged, client_port: 1 }) : payload;
        });
      },
    }),
  },
];
