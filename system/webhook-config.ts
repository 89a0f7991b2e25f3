/** The settings of webhooks as their room takes them. */
import type { Config } from './config.ts';
import type { WebhookSettings } from './webhooks/settings.ts';

export const webhookSettingsOf = (config: Config): WebhookSettings => ({
  scheduleMs: config.webhookScheduleMs,
  timeoutMs: config.webhookTimeoutMs,
  attemptsAtOnceMax: config.webhookAttemptsMax,
  attemptsPerEndpointMax: config.webhookEndpointAttemptsMax,
  breaker: { failuresMax: config.webhookBreakerFailures, openMs: config.webhookBreakerMs },
  bounds: { queueMax: config.webhookQueueMax, eventsMax: config.webhookEventsMax, retentionMs: config.webhookRetentionSeconds * 1000 },
  handshakeSeconds: config.webhookHandshakeSeconds,
  overlapSeconds: config.webhookOverlapSeconds,
  publicUrl: config.publicUrl,
  allowedNetworks: config.webhookAllowNetworks,
  dnsServer: config.webhookDnsServer,
});
