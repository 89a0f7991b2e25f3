/** GET and POST /graphql: what a caller may read becomes sources, a subscription takes its socket. */
import { isUtf8 } from 'node:buffer';
import type { Socket } from 'node:net';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Caller } from './accounts/accounts.ts';
import type { History } from './archive/history.ts';
import { asIs } from './exchange.ts';
import { createGraphqlServer, type Events, type GraphqlServer, graphqlDefaults } from './graphql/server.ts';
import type { DeviceView, Sources, StreamArguments } from './graphql/sources.ts';
import { Problem } from './protocol/errors.ts';
import type { Frame } from './protocol/frames.ts';
import { acceptableTypes } from './protocol/headers/accept.ts';
import { limits } from './protocol/limits.ts';
import { escapeLineBreaks } from './protocol/one-line.ts';
import { jsonText } from './protocol/raw-json.ts';
import { historyPage } from './routes-devices.ts';
import { readDeviceIds } from './routes-fleet.ts';
import { formFor, headersOf, openInnerStream, type StreamDeps, takeOver } from './routes-streams.ts';
import { readUsageDays } from './routes-usage.ts';
import { contentTypes, type Form, isChunked, partOf } from './stream/encode.ts';
import { lastChunk } from './stream/outlet.ts';
import { createFrameReader } from './stream/reader.ts';
import { turn } from './stream/topics.ts';

type Deps = StreamDeps & { readonly history: History };

export async function graphqlRoutes(app: FastifyInstance, deps: Deps): Promise<void> {
  const server = createGraphqlServer({ bounds: deps.graphql ?? graphqlDefaults, log: (text) => deps.log('error', text) });
  await app.register(async (scope) => {
    // The engine reads the body: which media types there are, and what a broken one is answered, is in its specification.
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser('*', { parseAs: 'buffer', bodyLimit: limits.graphqlBytesMax }, (_, body, done) =>
      isUtf8(body as Buffer) ? done(null, body) : done(new Problem('invalid-json', 'The body is not UTF-8.')),
    );
    scope.route({
      method: ['GET', 'POST'],
      // A subscription by GET would stream its answer to a request for headers.
      exposeHeadRoute: false,
      url: '/graphql',
      config: { callers: ['account', 'device', 'user'], lane: 'read', tokenInQuery: true },
      schema: { summary: 'GraphQL over HTTP; subscriptions as server-sent events', security: [{ basic: [] }, { bearer: [] }] },
      handler: (request, reply) => answer(request, reply, deps, server),
    });
  });
}

async function answer(request: FastifyRequest, reply: FastifyReply, deps: Deps, server: GraphqlServer): Promise<FastifyReply> {
  let socket: Socket | undefined;
  const form = formFor(request, 'sse');
  const comment = partOf(form, commentText);
  const keepAlive = (): void => void (socket?.writableNeedDrain === false && socket.write(comment));
  const given = Object.fromEntries(Object.entries(request.headers).map(([name, value]) => [name, String(value)]));
  // Packed or not, the body is what it was unpacked to.
  const { 'content-length': _, 'content-encoding': __, ...rest } = given;
  // The engine knows no weights: it gets what may be given, what is liked best first.
  const types = acceptableTypes(request.headers.accept, graphqlTypes);
  if (types.length === 0) throw notAcceptable();
  const sent = request.headers.accept === undefined ? rest : { ...rest, accept: types.join(', ') };
  const body = Buffer.isBuffer(request.body) ? request.body.toString('utf8') : undefined;
  const context = { sources: sourcesFor(request, deps), keepAlive };
  const result = await server.ask({ method: request.method, url: `http://service${request.url}`, headers: sent, body }, context);
  if (result.kind === 'answer') {
    const { response } = result;
    // The two answers of the engine that are neither GraphQL nor a problem.
    if (response.status === 415) throw new Problem('unsupported-media', 'Send the query as application/json.');
    if (response.status === 406) throw notAcceptable();
    for (const [name, value] of response.headers) if (!ownHeaders.has(name)) reply.header(name, value);
    return reply
      .code(response.status)
      .serializer(asIs)
      .send(await response.text());
  }
  // Out of the parser's own call, as for streams.
  await turn();
  const iterator = result.events[Symbol.asyncIterator]();
  // A request whose body was read is destroyed in any case.
  if (reply.raw.socket === null || reply.raw.socket.destroyed) {
    await iterator.return?.();
    return reply.hijack();
  }
  const headers = headersOf({ request, reply, format: 'sse', cors: deps.cors });
  socket = takeOver(request, reply, deps);
  void tell({ socket, iterator, headers, form }).catch((error) => deps.log('error', `a subscription: ${String(error)}`));
  return reply;
}

const graphqlTypes = ['application/json', 'application/graphql-response+json', contentTypes.sse] as const;
const notAcceptable = () => new Problem('not-acceptable', `GraphQL answers as ${graphqlTypes.join(', ')}.`);

/** What the connection needs is not the engine's to say. */
const ownHeaders = new Set(['content-length', 'connection', 'content-encoding']);
const commentText = ':\n\n';

type Telling = {
  readonly socket: Socket;
  readonly iterator: ReturnType<Events[typeof Symbol.asyncIterator]>;
  readonly headers: string;
  readonly form: Form;
};

/** Each event as the client takes it; the end of either is the other's. */
async function tell({ socket, iterator, headers, form }: Telling): Promise<void> {
  socket.on('error', () => undefined).on('end', () => socket.destroy());
  socket.once('close', () => void iterator.return?.());
  socket.write(headers, 'latin1');
  socket.write(partOf(form, commentText));
  for (;;) {
    const { done, value } = await iterator.next();
    if (socket.destroyed) return;
    if (done === true) break;
    const data = escapeLineBreaks(jsonText(value as object));
    if (!socket.write(partOf(form, `event: next\ndata: ${data}\n\n`))) await drained(socket);
  }
  socket.write(partOf(form, 'event: complete\ndata:\n\n'));
  if (isChunked(form)) socket.end(lastChunk);
  else socket.end();
  setTimeout(() => socket.destroy(), closingMs).unref();
}

const closingMs = 1000;

const drained = (socket: Socket): Promise<void> =>
  new Promise((resolve) => {
    const done = (): void => {
      socket.off('drain', done).off('close', done);
      resolve();
    };
    socket.once('drain', done).once('close', done);
    if (socket.destroyed) done();
  });

/** What this caller may read; the same as over REST. */
function sourcesFor(request: FastifyRequest, deps: Deps): Sources {
  const caller = request.caller as Caller;
  const { account } = caller;
  const { store, history } = deps;
  const mayReadDevice = (device: string): void => {
    if (caller.kind === 'account') return;
    if (caller.kind !== 'device') throw new Problem('forbidden', 'A user’s token listens to its channels; it reads no devices.');
    if (caller.device !== device) throw new Problem('forbidden', 'A device reads itself only.');
  };
  const onlyAccount = (): void => {
    if (caller.kind !== 'account') throw new Problem('forbidden', 'This needs the account’s secret.');
  };
  const readDevice = async (id: string): Promise<DeviceView | undefined> => {
    const row = await store.readDevice({ account, device: id });
    return row === undefined || row.deleted ? undefined : { id, row };
  };
  // Each field of a device asks for it: a row is read once a query.
  const known = new Map<string, Promise<DeviceView | undefined>>();
  const device: Sources['device'] = async (id) => {
    mayReadDevice(id);
    const reading = known.get(id) ?? readDevice(id);
    known.set(id, reading);
    return reading;
  };
  /** What is left of a deleted device is nobody's to read. */
  const ofDevice = async <T>(id: string, read: () => Promise<T>): Promise<T | undefined> => ((await device(id)) === undefined ? undefined : read());
  return {
    device,
    devices: async ({ first, after }) => {
      onlyAccount();
      const { ids, next } = await readDeviceIds(store, { account, after: after ?? '', limit: first });
      return { items: (await Promise.all(ids.map(device))).filter((found): found is DeviceView => found !== undefined), after: next ?? null };
    },
    isOnline: async (id) => (await ofDevice(id, () => store.readPresence({ account, device: id })))?.online === true,
    location: (id) => ofDevice(id, () => store.readLatest({ account, device: id })),
    history: async (id, { from, to, first, after, includeFiltered }) => {
      const range = { from: from ?? undefined, to: to ?? undefined, after: after ?? undefined };
      const page = await ofDevice(id, () => historyPage(history, { account, device: id, ...range, afterName: '"after"', limit: first, includeFiltered }));
      if (page === undefined) throw new Problem('not-found', 'There is no such device.');
      return page;
    },
    usage: async ({ from, to }) => {
      onlyAccount();
      return [...(await readUsageDays(deps, account, { ...(from == null ? {} : { from }), ...(to == null ? {} : { to }) }))];
    },
    frames: (stream) => openFrames(request, deps, stream),
  };
}

/** Who names no type would get JSON, in which there is no subscription. */
const isEventsAccepted = ({ headers: { accept } }: FastifyRequest): boolean => accept !== undefined && acceptableTypes(accept, [contentTypes.sse]).length > 0;

/** A stream as any other, read inside. */
async function openFrames(request: FastifyRequest, deps: Deps, { channels, since, heartbeatMs }: StreamArguments): Promise<AsyncIterableIterator<Frame>> {
  if (!isEventsAccepted(request)) throw new Problem('not-acceptable', 'A subscription is text/event-stream: ask with that Accept.');
  const { outlet, frames } = createFrameReader();
  const wanted = { names: channels, since: since ?? 'now', heartbeatMs: heartbeatMs ?? undefined };
  await openInnerStream(deps, request.caller as Caller, outlet, wanted);
  return frames;
}
