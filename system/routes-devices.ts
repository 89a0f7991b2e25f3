/** Registration, tokens, devices, location and history. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { admissionDefaults, retryAfterSeconds } from './admission/admission.ts';
import type { LaneName } from './admission/lanes.ts';
import { limitText, policyText } from './admission/quotas.ts';
import type { AppDeps } from './app.ts';
import type { History } from './archive/history.ts';
import type { Devices, RegisterOutcome } from './devices/devices.ts';
import { accountOf, isUnchanged, otherVersion, sendRaw } from './exchange.ts';
import { Problem, unauthenticated } from './protocol/errors.ts';
import { acceptableTypes } from './protocol/headers/accept.ts';
import { parseInstant } from './protocol/instant.ts';
import { textOf } from './protocol/json-spans.ts';
import { limits } from './protocol/limits.ts';
import { RawJson, rawMember } from './protocol/raw-json.ts';
import { AuthenticateAnswer, AuthenticateBody, DeviceParams, HistoryQuery, RegisterBody, TokensBody } from './protocol/schemas.ts';
import { exportLine, type ShownEvent } from './routes-ingest.ts';
import type { DeviceRow, HistoryPage, Position } from './store/store.ts';
import { conditionOf, etagOf } from './sync/conditions.ts';

type Deps = AppDeps & {
  readonly devices: Devices;
  readonly history: History;
  /** From the caller's quota of this lane; the problem where it is exceeded. */
  readonly spend: (request: FastifyRequest, reply: FastifyReply, lane?: LaneName) => Problem | undefined | Promise<Problem | undefined>;
};

export function deviceRoutes(app: FastifyInstance, deps: Deps): void {
  app.post(
    '/v1/authenticate',
    {
      config: { callers: ['publishable'], lane: 'token' },
      schema: { summary: 'Get a device token', security: [{ basic: [] }], body: AuthenticateBody, response: { 200: AuthenticateAnswer } },
    },
    (request, reply) => authenticate(request, reply, deps),
  );
  app.post(
    '/v1/tokens',
    { config: { callers: ['account'], lane: 'token' }, schema: { summary: 'Mint a user token', security: [{ basic: [] }], body: TokensBody } },
    (request, reply) => {
      const { user, scopes, expires_in = limits.deviceTokenSeconds } = request.body as TokensBody;
      const account = accountOf(request);
      return reply.code(201).send({ access_token: deps.tokens.signUser({ account, user, scopes, expiresInSeconds: expires_in }), expires_in });
    },
  );
  app.put(
    '/v1/devices/:id',
    {
      config: { callers: ['publishable', 'account'], lane: 'registration', spendsOnChange: true },
      schema: { summary: 'Register a device', security: [{ basic: [] }], params: DeviceParams, body: RegisterBody },
    },
    (request, reply) => register(request, reply, deps),
  );
  const readable = { config: { callers: ['account', 'device'] as const, lane: 'read' } };
  const security = [{ basic: [] }, { bearer: [] }];
  app.get('/v1/devices/:id', { ...readable, schema: { summary: 'A device', security, params: DeviceParams } }, (request, reply) =>
    readDevice(request, reply, deps),
  );
  app.get('/v1/devices/:id/location', { ...readable, schema: { summary: 'Its latest location', security, params: DeviceParams } }, (request, reply) =>
    readLocation(request, reply, deps),
  );
  app.get(
    '/v1/devices/:id/history',
    { ...readable, schema: { summary: 'Its events', security, params: DeviceParams, querystring: HistoryQuery } },
    (request, reply) => readHistory(request, reply, deps),
  );
}

const deleted = () => new Problem('device-deleted', 'The device was deleted and its id is not used again.');

async function authenticate(request: FastifyRequest, reply: FastifyReply, deps: Deps) {
  const { devices, tokens, autoRegistration } = deps;
  const { device_id: device, device_secret: secret } = request.body as AuthenticateBody;
  const account = accountOf(request);
  if (!autoRegistration && (await devices.read({ account, device })) === undefined) throw new Problem('not-found', 'This device is not registered.');
  // A device that is not there yet is a registration, by whatever route.
  const beforeChange = () => spendOrThrow(request, reply, deps, 'registration');
  const outcome = await devices.register({
    account,
    device,
    secret,
    trusted: false,
    user: undefined,
    attributes: undefined,
    condition: { kind: 'any' },
    beforeChange,
  });
  if (outcome.kind === 'unproven') throw unauthenticated();
  if (outcome.kind === 'deleted') throw deleted();
  if (outcome.kind === 'too-often') throw tooOften(reply, outcome.waitMs, deps);
  if (outcome.kind === 'other-version' || outcome.row === undefined) throw new Error('a device was authenticated without its row');
  const { user, generation } = outcome.row;
  const token = tokens.signDevice({ account, device, user, generation, expiresInSeconds: limits.deviceTokenSeconds });
  return {
    token_type: 'Bearer',
    access_token: token,
    expires_in: limits.deviceTokenSeconds,
    ...(outcome.kind === 'created' ? { device_secret: outcome.secret } : {}),
  };
}

async function register(request: FastifyRequest, reply: FastifyReply, deps: Deps): Promise<FastifyReply> {
  const { devices, tokens } = deps;
  const { device_secret: secret, user_token: userToken, user: named, ...attributes } = request.body as RegisterBody;
  const account = accountOf(request);
  const trusted = request.caller?.kind === 'account';
  if (named !== undefined && !trusted) throw new Problem('forbidden', 'A device joins a user by that user’s token, or by the account’s secret.');
  const user = userToken === undefined ? named : userOf(userToken, account, tokens);
  const { id: device } = request.params as DeviceParams;
  const outcome: RegisterOutcome = await devices.register({
    account,
    device,
    secret,
    trusted,
    user,
    attributes,
    condition: conditionOf(request.headers),
    beforeChange: () => spendOrThrow(request, reply, deps),
  });
  switch (outcome.kind) {
    case 'created':
      return reply.code(201).send({ device_secret: outcome.secret });
    case 'known':
      return reply.code(200).send({ changed: outcome.changed });
    case 'too-often':
      throw tooOften(reply, outcome.waitMs, deps);
    case 'deleted':
      throw deleted();
    case 'other-version':
      throw otherVersion(reply, outcome.version);
    case 'unproven':
      throw unauthenticated();
  }
}

async function spendOrThrow(request: FastifyRequest, reply: FastifyReply, { spend }: Deps, lane?: LaneName): Promise<void> {
  const problem = await spend(request, reply, lane);
  if (problem !== undefined) throw problem;
}

/** A device changes its registration seldom; who does it at each launch has a bug, and is told when it may again. */
function tooOften(reply: FastifyReply, waitMs: number, { admission = admissionDefaults }: Deps): Problem {
  const policy = { name: 'device-registration', ratePerSecond: admission.deviceRegistrationsPerMinute / 60, burst: admission.deviceRegistrationBurst };
  const exceeded = { kind: 'exceeded', policy, waitMs } as const;
  const retryAfter = retryAfterSeconds(waitMs, Math.random);
  reply.header('ratelimit-policy', policyText(policy)).header('ratelimit', limitText(exceeded));
  return new Problem('rate-limited', `This device changed its registration too often: come back after ${retryAfter} s.`, { retry_after: retryAfter });
}

function userOf(userToken: string, account: string, tokens: AppDeps['tokens']): string {
  const principal = tokens.verify(userToken);
  if (principal?.kind !== 'user' || principal.account !== account) throw unauthenticated();
  return principal.user;
}

/** The device a caller may read: any of the account's for its secret, itself for a device. Everything else is not there. */
export async function readableDevice(request: FastifyRequest, { devices }: Pick<Deps, 'devices'>): Promise<DeviceRow & { device: string }> {
  const { id: device } = request.params as DeviceParams;
  const { caller } = request;
  if (caller?.kind === 'device' && caller.device !== device) throw new Problem('forbidden', 'A device reads itself only.');
  const row = await devices.read({ account: accountOf(request), device });
  if (row === undefined || row.deleted) throw new Problem('not-found', 'There is no such device.');
  return { ...row, device };
}

export function sendTagged(request: FastifyRequest, reply: FastifyReply, etag: string, body: () => object): FastifyReply {
  return isUnchanged(request, reply, etag) ? reply.code(304).send() : sendRaw(reply, body());
}

async function readDevice(request: FastifyRequest, reply: FastifyReply, deps: Deps): Promise<FastifyReply> {
  const row = await readableDevice(request, deps);
  return sendTagged(request, reply, etagOf(row.version), () => shownDevice(row));
}

export const shownDevice = ({ device, attributes, user, registeredAtMs, changedAtMs }: DeviceRow & { readonly device: string }) => ({
  device_id: device,
  ...attributes,
  ...(user === undefined ? {} : { user }),
  registered_at: new Date(registeredAtMs).toISOString(),
  changed_at: new Date(changedAtMs).toISOString(),
});

async function readLocation(request: FastifyRequest, reply: FastifyReply, deps: Deps): Promise<FastifyReply> {
  const { device } = await readableDevice(request, deps);
  const latest = await deps.store.readLatest({ account: accountOf(request), device });
  if (latest === undefined) throw new Problem('no-location', 'The device has not sent a location that was kept.');
  return sendTagged(request, reply, `"${latest.position}"`, () => {
    const { id, recorded_at } = JSON.parse(textOf(latest.bytes)) as { id: string; recorded_at: string };
    return { device_id: device, id, recorded_at, position: latest.position, data: rawMember(latest.bytes, 'data') };
  });
}

type AskedHistory = {
  readonly account: string;
  readonly device: string;
  readonly from?: string | undefined;
  readonly to?: string | undefined;
  readonly after: string | undefined;
  /** As the caller calls it. */
  readonly afterName: string;
  readonly limit: number | undefined;
  readonly includeFiltered: boolean;
};
type ShownHistory = Pick<HistoryPage, 'events'> & { /** What the next page is asked with; undefined at the end. */ readonly next: Position | undefined };

const historyPageDefault = 100;

async function readHistory(request: FastifyRequest, reply: FastifyReply, deps: Deps): Promise<FastifyReply> {
  const { device } = await readableDevice(request, deps);
  const { pagination_token: after, limit, include, ...range } = request.query as HistoryQuery;
  const account = accountOf(request);
  const { events, next } = await historyPage(deps.history, {
    account,
    device,
    after,
    afterName: 'pagination_token',
    limit,
    includeFiltered: include === 'filtered',
    ...range,
  });
  const [form] = acceptableTypes(request.headers.accept, ['application/json', 'application/x-ndjson']);
  if (form === 'application/x-ndjson') {
    if (next !== undefined) reply.header('pagination-token', next);
    return reply.type('application/x-ndjson; charset=utf-8').send(Buffer.concat(events.flatMap(exportLine)));
  }
  return sendRaw(reply, { events: events.map(shown), ...(next === undefined ? {} : { pagination_token: next }) });
}

const shown = ({ position, disposition, id, receivedAtMs, bytes }: ShownEvent) => ({
  position,
  disposition,
  id,
  received_at: new Date(receivedAtMs).toISOString(),
  event: new RawJson(textOf(bytes)),
});

/** Over REST and GraphQL alike: from the log and the archive behind it. */
export async function historyPage(history: History, asked: AskedHistory): Promise<ShownHistory> {
  const { account, device, after = '', afterName, limit = historyPageDefault, includeFiltered } = asked;
  if (!/^[0-9A-Za-z-]{0,32}$/.test(after)) throw new Problem('bad-range', `This ${afterName} was not given out by the history.`);
  const fromMs = readInstant('from', asked.from);
  const toMs = readInstant('to', asked.to);
  if (fromMs !== undefined && toMs !== undefined && fromMs > toMs) throw new Problem('bad-range', '"from" lies behind "to".');
  const times = { ...(fromMs === undefined ? {} : { fromMs }), ...(toMs === undefined ? {} : { toMs }) };
  const { events, atEnd, next } = await history.read({ account, device, after, limit, include: includeFiltered ? 'all' : 'kept', ...times });
  return { events, next: atEnd ? undefined : (next ?? events.at(-1)?.position) };
}

function readInstant(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const instant = parseInstant(text);
  if (instant === undefined) throw new Problem('bad-range', `"${name}" is no RFC 3339 time from ${limits.instantMin} to ${limits.instantMax}.`);
  return instant;
}
