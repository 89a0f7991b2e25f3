/** Webhooks of an account. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { AppDeps } from './app.ts';
import { type Clock, shownMs, storeMsOf } from './clock.ts';
import { accountOf } from './exchange.ts';
import { Problem } from './protocol/errors.ts';
import { parseInstant } from './protocol/instant.ts';
import { ConfirmQuery, DeliveriesQuery, ReplayBody, RotateBody, WebhookBody, WebhookParams, WebhookPatch } from './protocol/schemas-webhooks.ts';
import { type Delivery, type Endpoint, type EndpointHealth, type EndpointKey, endpointsPerAccountMax } from './store/store.ts';
import type { WebhookKit } from './webhooks/kit.ts';
import { secretsAt } from './webhooks/signature.ts';
import type { Reached, Refusal, Webhooks } from './webhooks/webhooks.ts';

type Deps = AppDeps & { readonly webhooks: WebhookKit; readonly endpoints: Webhooks };

const config = { callers: ['account'] as const, lane: 'read' };
const security = [{ basic: [] }];
const deliveriesPageDefault = 50;
const replaySlice = 1000;

export function webhookRoutes(app: FastifyInstance, deps: Deps): void {
  const { endpoints, store } = deps;
  app.post('/v1/webhooks', { config, schema: { summary: 'Make a webhook', security, body: WebhookBody } }, async (request, reply) => {
    const outcome = await endpoints.create(accountOf(request), request.body as WebhookBody, reachedAs(request));
    if (outcome.kind !== 'stored') throw refusal(outcome.kind);
    const [newest] = outcome.row.secrets;
    return reply.code(201).send({ ...(await shown(outcome.row, deps)), secret: newest?.secret });
  });
  app.get('/v1/webhooks', { config, schema: { summary: 'The account’s webhooks', security } }, async (request) => {
    const rows = await store.readEndpoints({ account: accountOf(request) });
    return { webhooks: await Promise.all(rows.map((row) => shown(row, deps))) };
  });
  // Asking for headers must change nothing, and mail scanners ask so.
  app.get(
    '/v1/webhooks/confirm',
    { exposeHeadRoute: false, config: { lane: 'read' }, schema: { summary: 'Confirm a webhook, once', querystring: ConfirmQuery } },
    (request) => confirm(request, endpoints),
  );
  const one = { config, schema: { security, params: WebhookParams } };
  app.get('/v1/webhooks/:id', { ...one, schema: { ...one.schema, summary: 'A webhook' } }, async (request) => shown(await endpointOf(request, deps), deps));
  app.patch('/v1/webhooks/:id', { ...one, schema: { ...one.schema, summary: 'Change a webhook', body: WebhookPatch } }, async (request) => {
    const outcome = await endpoints.change(keyOf(request), request.body as WebhookPatch, reachedAs(request));
    if (outcome.kind !== 'stored') throw refusal(outcome.kind);
    return shown(outcome.row, deps);
  });
  app.delete('/v1/webhooks/:id', { ...one, schema: { ...one.schema, summary: 'Delete a webhook' } }, async (request, reply) => {
    const { kind } = await store.dropEndpoint(keyOf(request));
    if (kind === 'missing') throw refusal(kind);
    return reply.code(204).send();
  });
  const rotation = { ...one, schema: { ...one.schema, summary: 'A new secret', body: RotateBody }, preValidation: emptyBody };
  app.post('/v1/webhooks/:id/rotate', rotation, (request) => rotate(request, deps));
  app.post('/v1/webhooks/:id/test', { ...one, schema: { ...one.schema, summary: 'Send a test event' } }, async (request, reply) => {
    const outcome = await endpoints.test(keyOf(request));
    if (outcome.kind !== 'queued') throw refusal(outcome.kind);
    return reply.code(202).send({ event_id: outcome.eventId });
  });
  const deliveries = { ...one, schema: { ...one.schema, summary: 'Its deliveries, the youngest first', querystring: DeliveriesQuery } };
  app.get('/v1/webhooks/:id/deliveries', deliveries, (request) => listDeliveries(request, deps));
  app.post('/v1/webhooks/:id/replay', { ...one, schema: { ...one.schema, summary: 'Send events again', body: ReplayBody } }, (request, reply) =>
    replay(request, reply, deps),
  );
}

/** A body that says nothing need not be there. */
function emptyBody(request: FastifyRequest, _: FastifyReply, done: () => void): void {
  request.body ??= {};
  done();
}

const keyOf = (request: FastifyRequest): EndpointKey => ({ account: accountOf(request), endpoint: (request.params as WebhookParams).id });
const reachedAs = (request: FastifyRequest): Reached => ({ baseUrl: `${request.protocol}://${request.host}` });
const instant = (ms: number): string => new Date(ms).toISOString();

const refusals = {
  missing: () => new Problem('not-found', 'There is no such webhook.'),
  'duplicate-url': () => new Problem('duplicate-url', 'The account has a webhook with this URL already.'),
  full: () => new Problem('too-many', `An account has at most ${endpointsPerAccountMax} webhooks.`),
  'forbidden-url': () => new Problem('forbidden-url', 'A webhook’s URL is https, without a user, and leads to a public address.'),
  'not-active': () => new Problem('webhook-not-active', 'Only a webhook that is confirmed and enabled is told anything.'),
} as const satisfies Record<Refusal['kind'], () => Problem>;
const refusal = (kind: Refusal['kind']): Problem => refusals[kind]();

async function endpointOf(request: FastifyRequest, { store }: Deps): Promise<Endpoint> {
  const row = await store.readEndpoint(keyOf(request));
  if (row === undefined) throw refusal('missing');
  return row;
}

async function confirm(request: FastifyRequest, endpoints: Webhooks): Promise<{ webhook_id: string; state: string }> {
  const outcome = await endpoints.confirm((request.query as ConfirmQuery).token);
  if (outcome.kind === 'expired') throw new Problem('token-expired', 'This token was used, or its time is over.');
  if (outcome.kind !== 'stored') throw new Problem('not-found', 'This token was not given out, or belongs to an older handshake.');
  return { webhook_id: outcome.row.id, state: outcome.row.state.kind };
}

async function rotate(request: FastifyRequest, { endpoints, webhooks, clock }: Deps): Promise<unknown> {
  const { overlap_seconds: overlapSeconds = webhooks.settings.overlapSeconds } = request.body as RotateBody;
  const outcome = await endpoints.rotate(keyOf(request), overlapSeconds);
  if (outcome.kind !== 'stored') throw refusal(outcome.kind);
  const [newest, before] = outcome.row.secrets;
  return {
    webhook_id: outcome.row.id,
    secret: newest?.secret,
    ...(before?.untilMs === undefined ? {} : { previous_until: instant(shownMs(clock, before.untilMs)) }),
  };
}

async function listDeliveries(request: FastifyRequest, deps: Deps): Promise<unknown> {
  const { limit = deliveriesPageDefault, pagination_token: token } = request.query as DeliveriesQuery;
  await endpointOf(request, deps);
  const deliveries = await deps.store.readDeliveries({ ...keyOf(request), before: token === undefined ? undefined : Number(token), limit });
  const last = deliveries.length === limit ? deliveries.at(-1)?.number : undefined;
  return { deliveries: deliveries.map((delivery) => shownDelivery(delivery, deps.clock)), ...(last === undefined ? {} : { pagination_token: String(last) }) };
}

async function replay(request: FastifyRequest, reply: FastifyReply, deps: Deps): Promise<FastifyReply> {
  const { event_id: eventId, from, to } = request.body as ReplayBody;
  const row = await endpointOf(request, deps);
  if (row.state.kind !== 'active') throw refusal('not-active');
  const given = { ...keyOf(request), nowMs: storeMsOf(deps.clock), bounds: deps.webhooks.settings.bounds };
  if (eventId !== undefined) {
    const { replayed, dropped } = await deps.store.replayDeliveries({ ...given, which: { eventId } });
    if (replayed + dropped === 0) throw new Problem('not-found', 'There is no such event for this webhook.');
    return reply.code(202).send({ replayed, dropped });
  }
  const range = { fromMs: parseInstant(from ?? '') ?? Number.NaN, toMs: to === undefined ? deps.clock.wallMs() : (parseInstant(to) ?? Number.NaN) };
  if (!(range.fromMs <= range.toMs))
    throw new Problem('bad-range', 'Give an event_id, or a time to begin with as "from" and perhaps one to end with as "to", in RFC 3339.');
  const sum = { replayed: 0, dropped: 0 };
  for (let after: number | undefined = 0; after !== undefined; ) {
    const slice = await deps.store.replayDeliveries({ ...given, which: { ...range, after, limit: replaySlice } });
    sum.replayed += slice.replayed;
    sum.dropped += slice.dropped;
    after = slice.next;
  }
  return reply.code(202).send(sum);
}

async function shown(row: Endpoint, { store, clock }: Deps): Promise<Readonly<Record<string, unknown>>> {
  const { id, url, types, description, state, createdAtMs, handshake, secrets, account } = row;
  const health: EndpointHealth = await store.readEndpointHealth({ account, endpoint: id });
  const nowMs = storeMsOf(clock);
  return {
    webhook_id: id,
    url,
    types,
    ...(description === undefined ? {} : { description }),
    state: state.kind,
    ...(state.kind === 'disabled' ? { reason: state.reason } : {}),
    ...(state.kind === 'pending' ? { confirm_until: instant(shownMs(clock, handshake.expiresAtMs)) } : {}),
    created_at: instant(createdAtMs),
    secrets: secretsAt(secrets, nowMs).length,
    waiting: health.waiting,
    dropped: health.dropped,
    failures_in_a_row: health.failuresInARow,
    ...(health.breakerUntilMs > nowMs ? { paused_until: instant(shownMs(clock, health.breakerUntilMs)) } : {}),
  };
}

const shownDelivery = ({ eventId, type, state, createdAtMs, attempts, attemptsMade, dueAtMs }: Delivery, clock: Clock) => ({
  event_id: eventId,
  type,
  state,
  created_at: instant(createdAtMs),
  attempts_made: attemptsMade,
  ...(state === 'waiting' ? { next_attempt_at: instant(shownMs(clock, dueAtMs)) } : {}),
  attempts: attempts.map(({ atMs, tookMs, status, error }) => ({
    at: instant(atMs),
    took_ms: tookMs,
    ...(status === undefined ? {} : { status }),
    ...(error === undefined ? {} : { error }),
  })),
});
