/** GET /v1/stream: chunked NDJSON, server-sent events or a long poll, from one core. */
import { randomUUID } from 'node:crypto';
import type { Socket } from 'node:net';
import type { Writable } from 'node:stream';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Caller } from './accounts/accounts.ts';
import type { AppDeps } from './app.ts';
import { accountOf } from './exchange.ts';
import { type Channel, parseChannel } from './protocol/channels.ts';
import { encodeCursor } from './protocol/cursor.ts';
import { Problem, unauthenticated } from './protocol/errors.ts';
import { acceptableTypes } from './protocol/headers/accept.ts';
import type { CorsSettings } from './protocol/headers/cors.ts';
import { heartbeatMsMax, limits } from './protocol/limits.ts';
import { StreamQuery } from './protocol/schemas.ts';
import { corsHeadersOf } from './routes-cors.ts';
import { changeTexts, readSince } from './routes-sync.ts';
import type { LogKey } from './store/store.ts';
import { contentTypes, type Form, type Format, formOf } from './stream/encode.ts';
import type { Hub, Opening } from './stream/hub.ts';
import { takeSocket } from './stream/outlet.ts';
import { watchingOf } from './stream/states.ts';
import { turn } from './stream/topics.ts';
import { logOf, mayUse } from './sync/access.ts';
import type { Metering } from './usage/metering.ts';

export type StreamDeps = AppDeps & {
  readonly cors: CorsSettings;
  readonly hub: Hub;
  readonly metering: Metering;
  /** What waits is no work. */
  readonly leavePlace: (request: FastifyRequest) => void;
  /** The caller's token was good when it came, and is not any more. */
  readonly isEnded: (caller: Caller) => boolean;
};
const changesPerRead = 500;
const heartbeatMsDefault = 25_000;

export function streamRoutes(app: FastifyInstance, deps: StreamDeps): void {
  app.get(
    '/v1/stream',
    {
      config: { callers: ['device', 'user', 'account'], lane: 'stream', tokenInQuery: true },
      schema: { summary: 'Changes as they happen', security: [{ bearer: [] }, { basic: [] }], querystring: StreamQuery },
    },
    (request, reply) => stream(request, reply, deps),
  );
}

async function stream(request: FastifyRequest, reply: FastifyReply, deps: StreamDeps): Promise<FastifyReply> {
  const query = request.query as StreamQuery;
  const caller = request.caller as Caller;
  const channels = readChannels(query.ch, caller);
  const format = formatOf(request);
  // A stream has no end whose headers could be told beforehand, and a request for headers takes no place of a stream.
  if (request.method === 'HEAD') return reply.type(contentTypes[format]).header('cache-control', 'no-store, no-transform').send();
  if (format === 'sse' && query.mode !== 'longpoll' && deps.isDraining()) return sayGoodbye(reply, deps);
  const admitted = await admitStream(deps, caller, { channels, heartbeatMs: query.hb });
  const lastEventId = request.headers['last-event-id'];
  const since = typeof lastEventId === 'string' && lastEventId !== '' ? lastEventId : (query.since ?? 'now');
  let isOpen = false;
  try {
    if (query.mode === 'longpoll') return await longPoll({ request, reply, deps, admitted, since });
    const first = await readFirst(deps, admitted, since);
    // Out of the parser's own call: it may still be on the stack here, and is about to be closed.
    await turn();
    if (request.raw.destroyed || reply.raw.socket === null || reply.raw.socket.destroyed) return reply.hijack();
    isOpen = true;
    const form = formFor(request, format);
    const headers = headersOf({ request, reply, format, first, cors: deps.cors });
    openStream(deps, caller, {
      ...admitted,
      first,
      socket: takeOver(request, reply, deps),
      headers,
      form,
    });
    return reply;
  } finally {
    if (!isOpen) admitted.onEnded?.();
  }
}

/** An EventSource survives no status but 200, so that a drain is told in the stream's own words. */
const sayGoodbye = (reply: FastifyReply, { hub }: StreamDeps): FastifyReply =>
  reply
    .type(contentTypes.sse)
    .headers({ 'cache-control': 'no-store, no-transform', 'x-accel-buffering': 'no' })
    .send(hub.goodbye(formOf('sse', false)));

type Wanted = { readonly channels: readonly Channel[]; readonly heartbeatMs: number | undefined };
type Admitted = {
  readonly channels: readonly Channel[];
  readonly logChannels: readonly string[];
  readonly heartbeatMs: number;
  readonly log: LogKey | undefined;
  /** Gives back what it took, in any case. */
  readonly onEnded: (() => void) | undefined;
};

/** All that may refuse a stream, but for its cursor. */
async function admitStream(deps: StreamDeps, caller: Caller, { channels, heartbeatMs: asked }: Wanted): Promise<Admitted> {
  const logChannels = channels.filter(({ kind }) => kind === 'collection' || kind === 'inbox').map(({ name }) => name);
  const heartbeatMs = readHeartbeat(asked, heartbeatMsMax(deps.balancerIdleTimeoutMs));
  if (deps.isDraining()) throw new Problem('draining', 'This service is going down.');
  const log = logChannels.length === 0 ? undefined : logOf(caller);
  const onEnded = await takePermit(caller.account, deps);
  return { channels, logChannels, heartbeatMs, log, onEnded };
}

type First = Awaited<ReturnType<typeof readSince>> | undefined;

/** What stands behind the cursor; undefined without a log. */
const readFirst = async (deps: StreamDeps, { log, logChannels }: Admitted, since: string): Promise<First> =>
  log && (await readSince({ deps, log, channels: logChannels, since, limit: changesPerRead }));

type InnerWanted = { readonly names: readonly string[]; readonly since: string; readonly heartbeatMs: number | undefined };

/** A stream that is read inside: its frames come out of the reader's other end. */
export async function openInnerStream(deps: StreamDeps, caller: Caller, socket: Writable, { names, since, heartbeatMs }: InnerWanted): Promise<void> {
  if (names.length === 0) throw new Problem('bad-request', 'A stream has one channel at least.');
  const admitted = await admitStream(deps, caller, { channels: readChannels(names, caller), heartbeatMs });
  try {
    const first = await readFirst(deps, admitted, since);
    openStream(deps, caller, { ...admitted, first, socket, headers: '', form: formOf('ndjson', false) });
  } catch (error) {
    admitted.onEnded?.();
    throw error;
  }
}

type Ready = Admitted & Pick<Opening, 'socket' | 'headers' | 'form'> & { readonly first: First };

function openStream({ hub, metering }: StreamDeps, caller: Caller, { channels, logChannels, first, onEnded, ...ready }: Ready): void {
  const { account } = caller;
  metering.streamOpened(account);
  hub.open({
    ...ready,
    account,
    channels: logChannels,
    watching: watchingOf(channels),
    device: caller.kind === 'device' ? caller.device : undefined,
    generation: caller.kind === 'device' ? caller.generation : undefined,
    onEnded: () => {
      metering.streamEnded(account);
      onEnded?.();
    },
    first: first?.page,
    from: first?.from,
    resumed: first?.resumed ?? false,
    connectionId: randomUUID(),
    expiresAtMs: 'expiresAtMs' in caller ? caller.expiresAtMs : undefined,
  });
}

/** The socket of an answer that goes on without the framework. To the counts and the meter it was answered. */
export function takeOver(request: FastifyRequest, reply: FastifyReply, deps: StreamDeps): Socket {
  const { elapsedTime } = reply;
  deps.leavePlace(request);
  reply.hijack();
  deps.counts?.record('stream', 200, elapsedTime);
  deps.metering.call(accountOf(request));
  return takeSocket(reply.raw);
}

/** How to give it back; undefined for an account without a quota of its own. */
async function takePermit(account: string, { accounts, hub, permits, streamsMax }: StreamDeps): Promise<(() => void) | undefined> {
  if (hub.held() >= streamsMax) throw new Problem('too-many-streams', `This process holds ${streamsMax} streams, and no more.`);
  const quota = await accounts.quota(account, 'streams');
  if (quota === undefined) return undefined;
  if (!(await permits.take({ account, quota }))) throw new Problem('too-many-streams', `This account holds ${quota} streams, and may hold no more.`);
  return () => permits.giveBack(account);
}

function readChannels(names: readonly string[], caller: Caller): readonly Channel[] {
  const all = [...new Set(names.flatMap((name) => name.split(',')))];
  if (all.length > limits.channelsPerStreamMax) throw new Problem('bad-request', `A stream has at most ${limits.channelsPerStreamMax} channels.`);
  return all.map((name) => {
    const channel = parseChannel(name);
    if (channel === undefined)
      throw new Problem('bad-request', `There is no channel "${name.slice(0, 80)}"; there are sync:{collection}, inbox, device:{id} and devices.`);
    if (!mayUse(caller, channel)) throw new Problem('forbidden', `This credential is not for the channel ${channel.name}.`);
    return channel;
  });
}

function readHeartbeat(asked: number | undefined, maxMs: number): number {
  const { heartbeatMsMin } = limits;
  if (asked === undefined) return Math.min(heartbeatMsDefault, maxMs);
  if (asked < heartbeatMsMin || asked > maxMs) throw new Problem('bad-request', `"hb" is in milliseconds, from ${heartbeatMsMin} to ${maxMs}.`);
  return asked;
}

/** NDJSON where the client likes both alike. */
function formatOf(request: FastifyRequest): Format {
  const [type] = acceptableTypes(request.headers.accept, [contentTypes.ndjson, contentTypes.sse]);
  if (type !== undefined) return type === contentTypes.sse ? 'sse' : 'ndjson';
  throw new Problem('not-acceptable', `A stream is ${contentTypes.ndjson} or ${contentTypes.sse}.`);
}

/** HTTP/1.0, which balancers before an nginx of 1.29.7 speak upstream by default, has no chunks. */
export const speaksChunks = ({ raw }: FastifyRequest): boolean => raw.httpVersionMajor > 1 || raw.httpVersionMinor > 0;

export const formFor = (request: FastifyRequest, format: Format): Form => formOf(format, speaksChunks(request));

type Answering = {
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  readonly format: Format;
  readonly first?: First;
  readonly cors: CorsSettings;
};

/** To be made before the socket is taken over. */
export function headersOf({ request, reply, format, first, cors }: Answering): string {
  const lines = [
    'HTTP/1.1 200 OK',
    `Content-Type: ${contentTypes[format]}`,
    'Cache-Control: no-store, no-transform',
    'X-Accel-Buffering: no',
    'X-Content-Type-Options: nosniff',
    ...Object.entries(corsHeadersOf(cors, request)).map(([name, value]) => `${name}: ${value}`),
    `X-Request-Id: ${request.id}`,
    ...limitLinesOf(reply),
    ...(first === undefined ? [] : [`Sync-Epoch: ${first.page.epoch}`, `Sync-Replay-From: ${first.from}`]),
    ...(speaksChunks(request) ? ['Transfer-Encoding: chunked'] : []),
    // The connection is the stream's from here on.
    'Connection: close',
  ];
  return `${lines.join('\r\n')}\r\n\r\n`;
}

const limitLinesOf = (reply: FastifyReply): readonly string[] =>
  ['RateLimit-Policy', 'RateLimit'].flatMap((name) => {
    const value = reply.getHeader(name.toLowerCase());
    return value === undefined ? [] : [`${name}: ${value}`];
  });

type Polling = {
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  readonly deps: StreamDeps;
  readonly admitted: Admitted;
  readonly since: string;
};

/** Answers with what there is, or waits for the first change up to a heartbeat's length. */
async function longPoll({ request, reply, deps, admitted, since }: Polling): Promise<FastifyReply> {
  const { log, logChannels: channels, heartbeatMs } = admitted;
  if (log === undefined) throw new Problem('bad-request', 'A long poll is for sync:{collection} and inbox: the others have no cursor.');
  const filter = new Set(channels);
  deps.leavePlace(request);
  const deadline = AbortSignal.any([AbortSignal.timeout(heartbeatMs), closedSignal(request, reply)]);
  for (let from = since; ; ) {
    const { page } = await readSince({ deps, log, channels, since: from, limit: changesPerRead });
    if (deps.isEnded(request.caller as Caller)) throw unauthenticated();
    const own = page.changes.filter(({ channel }) => filter.has(channel));
    from = encodeCursor(page, log);
    reply.header('sync-cursor', from).header('sync-epoch', page.epoch).header('cache-control', 'no-store, no-transform');
    if (own.length > 0) {
      const lines = changeTexts(own, { log, epoch: page.epoch }).map((text) => `${text}\n`);
      return reply.type(contentTypes.ndjson).send(lines.join(''));
    }
    if (!page.atEnd) continue;
    if (deadline.aborted || deps.hub.isDraining()) return reply.code(204).send();
    await deps.hub.wait({ log, epoch: page.epoch, position: page.position }, deadline);
  }
}

/** Of this exchange alone: a listener at the socket would stay, with its request, for as long as that is kept alive. */
function closedSignal(request: FastifyRequest, reply: FastifyReply): AbortSignal {
  const stop = new AbortController();
  request.raw.once('close', () => {
    if (!request.raw.complete || request.raw.destroyed) stop.abort();
  });
  reply.raw.once('close', () => stop.abort());
  return stop.signal;
}
