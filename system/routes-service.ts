/** Health, limits, metrics, the description of it all. */
import type { FastifyInstance } from 'fastify';
import { type AdmissionSettings, publishedAdmission } from './admission/admission.ts';
import type { AppDeps } from './app.ts';
import { graphqlDefaults } from './graphql/server.ts';
import { Problem } from './protocol/errors.ts';
import { heartbeatMsMax, limits } from './protocol/limits.ts';
import { endpointsPerAccountMax, itemsPerPrincipalMax, outwardBodyBytesMax } from './store/store.ts';
import type { WebhookSettings } from './webhooks/settings.ts';

type Deps = AppDeps & { readonly admission: AdmissionSettings };

export function serviceRoutes(
  app: FastifyInstance,
  { store, metrics, isDraining, streams, balancerIdleTimeoutMs, streamsMax, webhooks, admission, graphql }: Deps,
): void {
  const config = { lane: 'health' };
  // Without a credential, and about the machine: a page that somebody inside opens must not read it for its maker.
  const inside = { lane: 'health', cors: 'none' as const };
  app.get('/healthz', { config: inside, schema: { summary: 'Alive' } }, () => ({ alive: true }));
  app.get('/readyz', { config: inside, schema: { summary: 'Ready for work' } }, async () => {
    if (isDraining()) throw new Problem('draining', 'This service is going down.');
    const trouble = await store.readTrouble?.();
    if (trouble !== undefined) throw new Problem('store-unavailable', `What is read is answered, and nothing can be written now (${trouble}).`);
    return { ready: true };
  });
  app.get('/v1/connection', { config: inside, schema: { summary: 'Who this connection comes from, as the service sees it' } }, (request) => ({
    client_address: request.socket.remoteAddress,
    client_port: request.socket.remotePort,
  }));
  const { depthMax, costMax } = graphql ?? graphqlDefaults;
  app.get('/v1/limits', { config, schema: { summary: 'What is enforced' } }, () => ({
    durability: store.ackLevel,
    events_per_batch_max: limits.eventsPerBatchMax,
    event_bytes_max: limits.eventBytesMax,
    batch_bytes_max: limits.batchBytesMax,
    unpacked_bytes_max: limits.unpackedBytesMax,
    event_id_characters_max: limits.eventIdCharactersMax,
    device_id_characters_max: limits.deviceIdCharactersMax,
    dedupe_hours: limits.dedupeHours,
    idempotency_hours: limits.idempotencyHours,
    hot_window_hours: limits.hotWindowHours,
    instant_min: limits.instantMin,
    instant_max: limits.instantMax,
    recorded_ahead_ms_max: limits.recordedAheadMsMax,
    history_page_max: limits.historyPageMax,
    export_page_max: limits.exportPageMax,
    devices_page_max: limits.devicesPageMax,
    graphql_bytes_max: limits.graphqlBytesMax,
    graphql_tokens_max: limits.graphqlTokensMax,
    graphql_depth_max: depthMax,
    graphql_cost_max: costMax,
    device_token_seconds: limits.deviceTokenSeconds,
    user_token_seconds_max: limits.userTokenSecondsMax,
    item_bytes_max: limits.itemBytesMax,
    item_key_characters_max: limits.itemKeyCharactersMax,
    collection_characters_max: limits.collectionCharactersMax,
    items_per_user_max: itemsPerPrincipalMax,
    changes_page_max: limits.changesPageMax,
    channels_per_stream_max: limits.channelsPerStreamMax,
    frame_bytes_max: limits.frameBytesMax,
    heartbeat_ms_min: limits.heartbeatMsMin,
    heartbeat_ms_max: heartbeatMsMax(balancerIdleTimeoutMs),
    streams_max: streamsMax,
    stream_pending_bytes_max: limits.streamPendingBytesMax,
    stream_undrained_ms_max: limits.streamUndrainedMsMax,
    stream_age_ms_min: streams.ageMs,
    stream_age_ms_max: 2 * streams.ageMs,
    position_check_ms: streams.positionCheckMs,
    presence_timeout_ms: streams.presenceTimeoutMs,
    ...webhookLimits(webhooks.settings),
    ...publishedAdmission(admission),
  }));
  app.get('/metrics', { config: inside, schema: { summary: 'Prometheus text, one answer for all workers' } }, async (_, reply) =>
    reply.type('text/plain; version=0.0.4; charset=utf-8').send(await metrics()),
  );
  app.get('/openapi.json', { config, schema: { hide: true } }, () => app.swagger());
}

const webhookLimits = ({ scheduleMs, timeoutMs, attemptsPerEndpointMax, breaker, bounds, handshakeSeconds, overlapSeconds }: WebhookSettings) => ({
  webhooks_max: endpointsPerAccountMax,
  webhook_body_bytes_max: outwardBodyBytesMax,
  webhook_schedule_ms: scheduleMs,
  webhook_timeout_ms: timeoutMs,
  webhook_attempts_at_once_max: attemptsPerEndpointMax,
  webhook_breaker_failures: breaker.failuresMax,
  webhook_breaker_ms: breaker.openMs,
  webhook_queue_max: bounds.queueMax,
  webhook_events_max: bounds.eventsMax,
  webhook_retention_seconds: bounds.retentionMs / 1000,
  webhook_handshake_seconds: handshakeSeconds,
  webhook_overlap_seconds: overlapSeconds,
});
