/** Wires the rooms into a Fastify app. No listen, no globals: tests inject, twins hand in faulty parts, main.ts listens. */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { createGunzip } from 'node:zlib';
import swagger from '@fastify/swagger';
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { type Accounts, type Caller, createAccounts } from './accounts/accounts.ts';
import type { Tokens } from './accounts/tokens.ts';
import {
  type Admission,
  type AdmissionOverrides,
  type AdmissionSettings,
  admissionDefaults,
  createAdmission,
  retryAfterSeconds,
} from './admission/admission.ts';
import type { FoundRoute } from './admission/gate.ts';
import { type LaneName, laneOf } from './admission/lanes.ts';
import type { Metered } from './admission/metering.ts';
import { limitText } from './admission/quotas.ts';
import { laneShed } from './admission/refusal.ts';
import { createRouteTable, type RouteTable } from './admission/routes.ts';
import { createHistory } from './archive/history.ts';
import type { Vault } from './archive/vault.ts';
import type { Bus } from './bus.ts';
import { type Clock, storeMsOf } from './clock.ts';
import { createDevices } from './devices/devices.ts';
import { createEndedTokens, type EndedTokensKnown } from './devices/ended-tokens.ts';
import { createFront, type Front, noFront } from './edge/front.ts';
import { type ClientError, refuseAsProblems, refuseBytes } from './edge/refusals.ts';
import type { GraphqlBounds } from './graphql/server.ts';
import { type Accept, createAccept } from './ingest/accept.ts';
import { createClocks } from './ingest/clocks.ts';
import { createPlainIngest } from './plain-ingest.ts';
import { describeAnswers } from './protocol/answers.ts';
import { notJson, Problem, type ProblemCode, problemDocument, problems, unauthenticated } from './protocol/errors.ts';
import { readCodings } from './protocol/headers/codings.ts';
import { type CorsPolicy, type CorsSettings, corsDefaults, corsHeaders } from './protocol/headers/cors.ts';
import { faultOf } from './protocol/headers/head.ts';
import { limits } from './protocol/limits.ts';
import { parseJsonText } from './protocol/well-formed.ts';
import { type AdminControls, adminRoutes } from './routes-admin.ts';
import { corsHeadersOf, corsPolicyOf, corsRoutes } from './routes-cors.ts';
import { deviceRoutes } from './routes-devices.ts';
import { fleetRoutes } from './routes-fleet.ts';
import { graphqlRoutes } from './routes-graphql.ts';
import { ingestRoutes } from './routes-ingest.ts';
import { serviceRoutes } from './routes-service.ts';
import { shareRoutes } from './routes-shares.ts';
import { streamRoutes } from './routes-streams.ts';
import { syncRoutes } from './routes-sync.ts';
import { usageRoutes } from './routes-usage.ts';
import { webhookRoutes } from './routes-webhooks.ts';
import { outwardEvent, type Store, StoreUnavailable } from './store/store.ts';
import { createHub, type Hub, type StreamSettings } from './stream/hub.ts';
import type { Permits } from './stream/permits.ts';
import { type Counts, outcomeOf } from './telemetry/counts.ts';
import { type Metering, type MeteringOptions, startMetering } from './usage/metering.ts';
import type { UsageSpike } from './usage/spikes.ts';
import { createWebhookKit, type WebhookKit } from './webhooks/kit.ts';
import { webhookDefaults } from './webhooks/settings.ts';
import { createWebhooks } from './webhooks/webhooks.ts';

export type AppDeps = {
  readonly store: Store;
  /** The archive’s; undefined where there is none. */
  readonly vault?: Vault | undefined;
  readonly tokens: Tokens;
  readonly clock: Clock;
  /** Undefined for a twin that nobody observes. */
  readonly counts: Counts | undefined;
  readonly autoRegistration: boolean;
  /** One answer for all workers. */
  readonly metrics: () => Promise<string>;
  /** Not ready any more; no new streams. What else is asked is answered. */
  readonly isDraining: () => boolean;
  /** About to end: connections are told to go elsewhere. */
  readonly isClosing: () => boolean;
  readonly bus: Bus;
  readonly streams: StreamSettings;
  /** Of the balancer before the service: connections are kept for longer, heartbeats come well within it. */
  readonly balancerIdleTimeoutMs: number;
  /** Of this process. */
  readonly streamsMax: number;
  /** The defaults without it. */
  readonly admission?: AdmissionSettings;
  /** The defaults without it. */
  readonly cors?: CorsSettings;
  /** For twins. */
  readonly admissionOverrides?: AdmissionOverrides;
  /** For accounts with a quota of streams of their own. */
  readonly permits: Permits;
  /** For twins. */
  readonly wrapHub?: (hub: Hub) => Hub;
  readonly webhooks: WebhookKit;
  readonly log: (level: 'info' | 'error', text: string) => void;
  /** Default: 10 levels, a cost of 20,000. */
  readonly graphql?: GraphqlBounds;
  /** How many times the day before today has to outrun to be a spike. Default: 100. */
  readonly usageSpikeFactor?: number;
  /** Once a day and measure; tried again where it rejects. Without it a spike is a log line. */
  readonly onUsageSpike?: (spike: UsageSpike) => Promise<void>;
  /** For twins: put in before the routes. */
  readonly accounts: Accounts;
  readonly customise?: (app: FastifyInstance) => void;
  /** Whether plain requests are answered before the framework. Default: unless it is customised, which they would not see. */
  readonly hasFront?: boolean;
};

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Which credentials may come in; none: open to everybody. */
    callers?: readonly Caller['kind'][];
    /** Whose pages may read the answers. Default: nobody's where only the account's secret comes in, else everybody's that the settings name. */
    cors?: CorsPolicy;
    lane?: string;
    /** From the caller's quota of the lane only where something is changed, and by the handler. */
    spendsOnChange?: boolean;
    /** An `access_token` in the query counts as a bearer token: for clients that cannot send headers. */
    tokenInQuery?: boolean;
    /** The handler gets the body as it came, and judges it. */
    keepsBytes?: boolean;
  }
  interface FastifyRequest {
    caller: Caller | undefined;
  }
  interface FastifyInstance {
    hub: Hub;
    metering: Metering;
    front: Front;
  }
}

// A client that dribbles is gone within 30 s, however it dribbles; the checks come in steps.
const requestTimeoutMs = 25_000;
const headersTimeoutMs = 15_000;
const timeoutCheckMs = 2000;
// An idle connection is ended by the balancer and not by the service: a request on its way to a closed one is a 502.
const keepAliveFactor = 1.2;

/** News between workers may be lost, and other nodes hear none: this is how long a token may outlive its end. */
const endedTokensCheckMs = 1000;

/** `ticketKeys`: 48 bytes that all who share sessions have. */
export type TlsFiles = { readonly cert: Buffer; readonly key: Buffer; readonly ticketKeys?: Buffer };

export type PlainDeps = Omit<AppDeps, 'accounts' | 'webhooks'> & Partial<Pick<AppDeps, 'accounts' | 'webhooks'>>;

/** Accounts of the same deps, and webhooks as they are without settings, where nobody put in others. */
export const withDefaults = (deps: PlainDeps): AppDeps => ({
  ...deps,
  accounts: deps.accounts ?? createAccounts(deps),
  webhooks: deps.webhooks ?? createWebhookKit(webhookDefaults),
});

export async function buildApp(given: PlainDeps, tls?: TlsFiles): Promise<FastifyInstance> {
  const deps = withDefaults(given);
  const { accounts } = deps;
  const cors = deps.cors ?? corsDefaults;
  const app = createServer(deps, { tls, cors });
  const table = createRouteTable();
  const admission = admitTo(app, { ...deps, table, cors });
  corsRoutes(app, cors, table);
  app.decorateRequest('caller', undefined);
  const endedTokens = createEndedTokens({
    store: deps.store,
    clock: deps.clock,
    refreshMs: Math.min(endedTokensCheckMs, deps.streams.positionCheckMs),
    onEnded: (ended) => hub.kick(ended),
    onTrouble: (error) => deps.log('error', `the tokens that ended: ${String(error)}`),
  });
  const callers = { ...accounts, identify: (authorization: string | undefined) => valid(accounts.identify(authorization), endedTokens) };
  app.addHook('onRequest', (request, reply, done) => admit({ request, reply, accounts: callers, admission, done }));
  app.addHook('preParsing', unpack);
  const { counts } = deps;
  const metering = startMetering(meteringOf(deps));
  app.decorate('metering', metering);
  app.addHook('onResponse', (request, reply, done) => {
    counts?.record(laneOf(request.routeOptions.config.lane).name, reply.statusCode, reply.elapsedTime);
    if (request.caller !== undefined && outcomeOf(reply.statusCode) === 'good') metering.call(request.caller.account);
    done();
  });
  deps.customise?.(app);
  await describe(app);
  const settings = deps.admission ?? admissionDefaults;
  const devices = createDevices({
    ...deps,
    quota: { perMinute: settings.deviceRegistrationsPerMinute, burst: settings.deviceRegistrationBurst },
    rememberMs: deps.streams.positionCheckMs,
    tellChanged: (ref) => deps.bus.tellRegistrations([ref]),
    onTokensEnded: (end) => deps.bus.tellEndedTokens([end]),
  });
  const hub = hubOf(deps);
  deps.bus.onNews((news) => {
    if (news.kind === 'registrations') devices.forget(news.devices);
    else if (news.kind === 'ended-tokens') endedTokens.add(news.ended);
    else hub.news(news);
  });
  await endedTokens.refresh();
  app.decorate('hub', hub);
  app.addHook('onClose', async () => {
    endedTokens.close();
    await hub.close();
    await metering.close();
  });
  const accept = acceptOf(deps, admission);
  const { hasFront = deps.customise === undefined } = deps;
  const plain = createPlainIngest({ ...deps, identify: callers.identify, admission, accept, onCall: metering.call, newRequestId, server: app.server });
  app.decorate('front', noticed(hasFront ? createFront({ http: app.server, answer: plain }) : noFront(app.server), admission));
  const history = createHistory({ store: deps.store, vault: deps.vault });
  await app.register(async (scope) => {
    ingestRoutes(scope, { ...deps, accept });
    deviceRoutes(scope, {
      ...deps,
      devices,
      history,
      spend: (request, reply, lane) => spend({ request, reply, admission, lane }),
    });
    fleetRoutes(scope, { ...deps, devices });
    serviceRoutes(scope, { ...deps, admission: settings });
    syncRoutes(scope, deps);
    shareRoutes(scope, deps);
    const streaming = { ...deps, hub, metering, leavePlace: ({ raw }: FastifyRequest) => admission.leave(raw), isEnded: endedTokens.has, cors };
    streamRoutes(scope, streaming);
    usageRoutes(scope, { ...deps, metering });
    webhookRoutes(scope, { ...deps, endpoints: createWebhooks({ ...deps, ...deps.webhooks }) });
    await graphqlRoutes(scope, { ...streaming, history });
  });
  return app;
}

/** At /openapi.json. */
async function describe(app: FastifyInstance): Promise<void> {
  await app.register(swagger, {
    transformObject: (described) => ('openapiObject' in described ? describeAnswers(described.openapiObject) : described.swaggerObject),
    openapi: {
      openapi: '3.1.0',
      info: { title: 'Headroom ingest service', version: '1.0.0', license: { name: 'MIT', identifier: 'MIT' } },
      // Wherever the document was asked for.
      servers: [{ url: '/' }],
      components: { securitySchemes: { basic: { type: 'http', scheme: 'basic' }, bearer: { type: 'http', scheme: 'bearer' } } },
    },
  });
}

function noticed(front: Front, { connectionCame }: Admission): Front {
  const take: Front['take'] = (socket) => {
    connectionCame();
    front.take(socket);
  };
  return { ...front, take };
}

type Identified = ReturnType<Accounts['identify']>;

/** Nobody where the token has ended; at once where it was known at once. */
function valid(identified: Identified, endedTokens: EndedTokensKnown): Identified {
  if (identified instanceof Promise) return identified.then((caller) => valid(caller, endedTokens));
  return identified !== undefined && endedTokens.has(identified) ? undefined : identified;
}

function acceptOf({ store, clock, counts, log }: AppDeps, { appendBegan }: Admission): Accept {
  const onTrouble = (error: unknown): void => log('error', `a device’s clock: ${String(error)}`);
  const clocks = createClocks({ store, clock, toleranceMs: limits.clockChangeMs, onTrouble });
  return createAccept({ store, clock, clocks, appendBegan, onAppended: (elapsedMs) => counts?.recordAppend(elapsedMs) });
}

function hubOf({ store, clock, streams, bus, log, wrapHub = (hub) => hub }: AppDeps): Hub {
  return wrapHub(
    createHub({
      store,
      clock,
      settings: streams,
      onWatch: bus.watch,
      onAppeared: bus.tellDevices,
      onTrouble: (error) => log('error', `a stream: ${String(error)}`),
    }),
  );
}

const usageSpikeFactorDefault = 100;

function meteringOf({ store, clock, counts, log, usageSpikeFactor = usageSpikeFactorDefault, onUsageSpike, webhooks }: AppDeps): MeteringOptions {
  return {
    store,
    clock,
    source: randomUUID(),
    factor: usageSpikeFactor,
    tell: async (spike) => {
      const { id, account, type, at, data } = spike;
      const event = outwardEvent({ account, type, source: id, atMs: Date.parse(at), data });
      await store.enqueueOutward({ account, event, nowMs: storeMsOf(clock), bounds: webhooks.settings.bounds });
      await onUsageSpike?.(spike);
      counts?.recordSpike();
      log('info', `usage spike: ${JSON.stringify(spike)}`);
    },
    onTrouble: (error) => log('error', `usage: ${String(error)}`),
  };
}

/** The admin listener's own app: loopback only, its own token. */
export async function buildAdminApp(given: PlainDeps & AdminControls): Promise<FastifyInstance> {
  const deps = withDefaults(given);
  const app = createServer(deps);
  const { adminToken, startDrain, restartWorkers } = given;
  adminRoutes(app, { ...deps, adminToken, startDrain, restartWorkers });
  return app;
}

let requestNumber = 0;
const requestIdPrefix = Math.random().toString(36).slice(2, 10);
const newRequestId = (): string => `${requestIdPrefix}${(requestNumber++).toString(36)}`;

/** Node's own answer to a request without Host is no problem: `checkHead` asks for one. */
const http = { headersTimeout: headersTimeoutMs, connectionsCheckingInterval: timeoutCheckMs, requireHostHeader: false };

type ServerOptions = {
  readonly tls?: TlsFiles | undefined /** Whose pages may read what is refused before there is a route; nobody's without it. */;
  readonly cors?: CorsSettings;
};

function createServer(deps: AppDeps, { tls, cors }: ServerOptions = {}): FastifyInstance {
  const app = Fastify({
    logger: false,
    bodyLimit: limits.batchBytesMax,
    requestTimeout: requestTimeoutMs,
    http,
    keepAliveTimeout: Math.round(deps.balancerIdleTimeoutMs * keepAliveFactor),
    requestIdHeader: 'x-request-id',
    genReqId: newRequestId,
    // A drain announces itself by `Connection: close`; a request that still comes in is answered.
    return503OnClosing: false,
    frameworkErrors: (error: { code: string }, request: FastifyRequest, reply: FastifyReply) => refuseAddress({ error, request, reply, cors }),
    forceCloseConnections: 'idle',
    ajv: { customOptions: { removeAdditional: false, coerceTypes: 'array', useDefaults: false } },
    clientErrorHandler: (error: ClientError, socket: Socket) => refuseBytes(error, socket, newRequestId()),
    ...(tls === undefined ? {} : { https: { ...http, ...tls } }),
  } as object) as unknown as FastifyInstance;
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'buffer', bodyLimit: limits.unpackedBytesMax }, parseJson);
  app.setErrorHandler((error, request, reply) => sendError(error, request, reply));
  app.setNotFoundHandler((request, reply) => sendProblem(request, reply, new Problem('not-found', `No route ${request.method} ${pathOf(request)}.`)));
  app.addHook('onRequest', checkHead);
  refuseAsProblems(app.server, newRequestId);
  app.addHook('onSend', (request, reply, _payload, done) => {
    reply.header('x-request-id', request.id);
    if (deps.isClosing()) reply.header('connection', 'close');
    done();
  });
  return app;
}

function checkHead({ raw }: FastifyRequest, reply: FastifyReply, done: (error?: Error) => void): void {
  const { headers, rawHeaders, httpVersionMajor, httpVersionMinor } = raw;
  const fault = faultOf({ isHttp10: httpVersionMajor === 1 && httpVersionMinor === 0, headers, rawHeaders });
  if (fault === undefined) return done();
  if (fault.isLast) reply.header('connection', 'close');
  done(new Problem(fault.code, fault.detail));
}

/** What no route was found for, since the address itself is none: no hook runs for it. */
function refuseAddress({
  error,
  request,
  reply,
  cors,
}: {
  readonly error: { readonly code: string };
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  readonly cors: CorsSettings | undefined;
}): void {
  const code = error.code === 'FST_ERR_MAX_PARAM_LENGTH' ? 'address-too-long' : 'bad-request';
  reply.header('x-request-id', request.id);
  if (cors !== undefined) reply.headers(corsHeadersOf(cors, request));
  sendProblem(request, reply, new Problem(code, 'This is not an address of ours.'));
}

function parseJson(request: FastifyRequest, body: Buffer | string, done: (error: Error | null, body?: unknown) => void): void {
  const bytes = body as Buffer;
  if (readCodings(request.headers['content-encoding']).length === 0 && bytes.length > limits.batchBytesMax) {
    done(new Problem('body-too-large', `A body has at most ${limits.batchBytesMax} bytes.`));
  } else if (request.routeOptions.config.keepsBytes === true) done(null, bytes);
  else {
    const parsed = parseJsonText(bytes);
    if (parsed === undefined) done(notJson());
    else done(null, parsed.value);
  }
}

/** gzip only, with its bound enforced while it unpacks, so that a bomb costs what it may unpack and no more. */
async function unpack(request: FastifyRequest, reply: FastifyReply, payload: NodeJS.ReadableStream): Promise<NodeJS.ReadableStream> {
  const codings = readCodings(request.headers['content-encoding']);
  if (codings.length === 0) return payload;
  if (codings.length > 1 || codings[0] !== 'gzip') {
    reply.header('accept-encoding', 'gzip, identity');
    throw new Problem('unsupported-media', `The encoding ${codings.join(', ').slice(0, 40)} is not supported; gzip is, by itself.`);
  }
  const gunzip = createGunzip() as ReturnType<typeof createGunzip> & { receivedEncodedLength?: number };
  let unpackedBytes = 0;
  const { push } = gunzip;
  gunzip.push = (chunk: Buffer | null, ...rest: never[]) => {
    unpackedBytes += chunk?.length ?? 0;
    if (unpackedBytes > limits.unpackedBytesMax) {
      payload.unpipe(gunzip);
      gunzip.destroy(new Problem('body-too-large', `A body has at most ${limits.unpackedBytesMax} bytes when unpacked.`));
      return false;
    }
    return push.call(gunzip, chunk, ...rest);
  };
  // Fastify compares this with Content-Length, which counts packed bytes.
  gunzip.receivedEncodedLength = 0;
  payload.on('data', (chunk: Buffer) => {
    gunzip.receivedEncodedLength = (gunzip.receivedEncodedLength ?? 0) + chunk.length;
  });
  gunzip.on('error', () => payload.resume());
  payload.pipe(gunzip);
  return gunzip;
}

type Asking = { readonly request: FastifyRequest; readonly reply: FastifyReply; readonly admission: Admission };
type Admitting = Asking & {
  readonly accounts: Pick<Accounts, 'identify'>;
  readonly done: (error?: Error) => void;
};

/** Puts the gate before Fastify. What it refuses is counted as what Fastify answers is. */
function admitTo(app: FastifyInstance, { table, cors, ...deps }: AppDeps & { readonly table: RouteTable; readonly cors: CorsSettings }): Admission {
  app.addHook('onRoute', ({ method, url, config }) => {
    for (const each of [method].flat()) table.add({ method: each, url, lane: config?.lane, cors: corsPolicyOf(config) });
  });
  const made = createAdmission({
    leaseQuota: deps.store.leaseQuota,
    clock: deps.clock,
    settings: deps.admission ?? admissionDefaults,
    quota: deps.accounts.quota,
    ...(deps.admissionOverrides === undefined ? {} : { overrides: deps.admissionOverrides }),
    routeOf: table.find,
    onRefused: ({ lane }) => deps.counts?.record(lane.name, 503, 0),
    refuse: (request, response, route, isLast) =>
      refuse({ request, response, route, isLast: isLast || deps.isClosing(), retryAfter: made.retryAfterSeconds(0), cors }),
  });
  made.guard(app.server);
  app.addHook('onClose', () => made.close());
  return made;
}

type Refusing = {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly route: FoundRoute;
  readonly isLast: boolean;
  readonly retryAfter: number;
  readonly cors: CorsSettings;
};

function refuse({ request, response, route, isLast, retryAfter, cors }: Refusing): void {
  const given = request.headers['x-request-id'];
  const requestId = typeof given === 'string' && /^[\x21-\x7e]{1,200}$/.test(given) ? given : newRequestId();
  const instance = (request.url ?? '/').split('?', 1)[0] ?? '/';
  const { headers, body } = laneShed({ lane: route.lane.name, instance, requestId, retryAfter });
  const allowed = corsHeaders(cors, { origin: request.headers.origin, method: request.method ?? 'GET', policy: route.cors });
  response.writeHead(503, { ...headers, ...allowed, ...(isLast ? { connection: 'close' } : {}) });
  response.end(body);
}

function admit({ request, reply, accounts, admission, done }: Admitting): void {
  const callers = request.routeOptions.config.callers;
  if (callers === undefined) {
    done();
    return;
  }
  const settle = (caller: Caller | undefined) => {
    request.caller = caller;
    if (caller === undefined) done(unauthenticated());
    else if (!callers.includes(caller.kind)) done(new Problem('forbidden', 'This credential is not for this route.'));
    else settleQuota({ request, reply, admission, done });
  };
  // A bearer token is known at once: no promise on the hot path.
  const identified = accounts.identify(authorizationOf(request));
  if (identified instanceof Promise) identified.then(settle, done);
  else settle(identified);
}

function settleQuota({ request, reply, admission, done }: Omit<Admitting, 'accounts'>): void {
  if (request.routeOptions.config.spendsOnChange === true) return done();
  const told = spend({ request, reply, admission });
  if (told instanceof Promise) told.then((problem) => done(problem), done);
  else done(told);
}

/** `lane`: whose quota; the route's own without it. */
type Spending = Asking & { readonly lane?: LaneName | undefined };

/** From the caller's quotas, and tells the caller what is left. The problem where one is exceeded. */
function spend({ request, reply, admission, lane }: Spending): Problem | undefined | Promise<Problem | undefined> {
  const caller = request.caller as Caller;
  const metered = admission.spend({
    lane: lane ?? laneOf(request.routeOptions.config.lane).name,
    account: caller.account,
    device: caller.kind === 'device' ? caller.device : undefined,
  });
  return metered instanceof Promise
    ? metered.then((outcome) => tell({ reply, admission, lane }, outcome))
    : metered && tell({ reply, admission, lane }, metered);
}

function tell({ reply, admission, lane }: Omit<Spending, 'request'>, { policies, tightest }: Metered): Problem | undefined {
  reply.header('ratelimit-policy', policies).header('ratelimit', limitText(tightest));
  if (tightest.kind === 'spent') return undefined;
  const retryAfter = admission.retryAfterSeconds(tightest.waitMs);
  return new Problem('rate-limited', `The quota ${tightest.policy.name} is spent: come back after ${retryAfter} s.`, {
    retry_after: retryAfter,
    ...(lane === undefined ? {} : { lane }),
  });
}

function authorizationOf(request: FastifyRequest): string | undefined {
  const { authorization } = request.headers;
  if (authorization !== undefined || request.routeOptions.config.tokenInQuery !== true) return authorization;
  const { access_token: token } = request.query as { access_token?: unknown };
  return typeof token === 'string' ? `Bearer ${token}` : undefined;
}

const pathOf = (request: FastifyRequest): string => request.url.split('?', 1)[0] ?? '/';

function sendError(error: unknown, request: FastifyRequest, reply: FastifyReply): void {
  if (error instanceof Problem) sendProblem(request, reply, error);
  else if (error instanceof StoreUnavailable)
    sendProblem(request, reply, new Problem('store-unavailable', `The store cannot keep a promise now (${error.trouble}).`));
  else sendProblem(request, reply, translate(error as { code?: string; statusCode?: number; validation?: unknown; message?: string }));
}

function translate(error: { code?: string; statusCode?: number; validation?: unknown; message?: string }): Problem {
  if (error.validation !== undefined) return new Problem('bad-request', error.message ?? 'The request does not fit its schema.');
  if (error.code === 'FST_ERR_CTP_BODY_TOO_LARGE') return new Problem('body-too-large', 'The body is too large.');
  if (error.code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE') return new Problem('unsupported-media', 'Send application/json.');
  if (error.code?.startsWith('Z_') === true || error.code === 'ERR_STREAM_PREMATURE_CLOSE') return new Problem('bad-request', 'The body is not gzip.');
  const status = error.statusCode ?? 500;
  if (status >= 400 && status < 500) {
    const code = (Object.keys(problems) as ProblemCode[]).find((candidate) => problems[candidate].status === status) ?? 'bad-request';
    return new Problem(code, 'The request is not understood.');
  }
  process.stderr.write(`${JSON.stringify({ level: 'error', text: 'unexpected error', error: String((error as Error).stack ?? error) })}\n`);
  return new Problem('internal', 'The service failed; it was logged under this request id.');
}

export function sendProblem(request: FastifyRequest, reply: FastifyReply, error: Problem): void {
  const { status } = problems[error.code];
  // Jittered, so that those refused together do not come back together.
  const refusal =
    status === 429 || status === 503 ? { lane: laneOf(request.routeOptions.config.lane).name, retry_after: retryAfterSeconds(0, Math.random) } : {};
  const extra: Readonly<Record<string, unknown>> = { ...refusal, ...error.extra };
  const document = problemDocument({ code: error.code, detail: error.message, instance: pathOf(request), requestId: request.id, extra });
  if (document.status === 401) reply.header('www-authenticate', 'Basic realm="headroom", Bearer realm="headroom"');
  if (extra.retry_after !== undefined) reply.header('retry-after', String(extra.retry_after));
  reply.code(document.status).type('application/problem+json').serializer(JSON.stringify).send(document);
}
