/** Settings of webhooks. */
import { integer, readNetworks, type Setting, text } from './setting.ts';
import { type WebhookSettings, webhookDefaults } from './webhooks/settings.ts';

export type WebhookConfig = {
  readonly publicUrl: string | undefined;
  readonly webhookAllowNetworks: readonly string[];
  readonly webhookDnsServer: string | undefined;
  readonly webhookScheduleMs: readonly number[];
  readonly webhookTimeoutMs: number;
  readonly webhookAttemptsMax: number;
  readonly webhookEndpointAttemptsMax: number;
  readonly webhookBreakerFailures: number;
  readonly webhookBreakerMs: number;
  readonly webhookQueueMax: number;
  readonly webhookEventsMax: number;
  readonly webhookRetentionSeconds: number;
  readonly webhookHandshakeSeconds: number;
  readonly webhookOverlapSeconds: number;
};

/** Of the settings, what the room of webhooks takes. */
export const webhookSettingsOf = (config: WebhookConfig): WebhookSettings => ({
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

function readSchedule(value: string): readonly number[] | undefined {
  const waitsMs = value.split(',').map((wait) => wait.trim());
  const areFine = waitsMs.length <= scheduleMax && waitsMs.every((wait) => /^\d+$/.test(wait) && Number(wait) <= waitMsMax);
  return areFine ? waitsMs.map(Number) : undefined;
}

const scheduleMax = 20;
const waitMsMax = 604_800_000;

export const webhookSettings = {
  publicUrl: {
    flag: 'public-url',
    env: 'HEADROOM_PUBLIC_URL',
    about: 'where this service is reached, for the links it sends; without it what a request called it',
    read: (value: string) => (/^https?:/.test(value) && URL.canParse(value) ? value.replace(/\/+$/, '') : undefined),
    expected: 'a URL as https://api.example.com',
    byDefault: webhookDefaults.publicUrl,
  },
  webhookAllowNetworks: {
    flag: 'webhook-allow-networks',
    env: 'HEADROOM_WEBHOOK_ALLOW_NETWORKS',
    about: 'networks inside that webhooks may reach all the same, by plain HTTP too, with commas between; for tests and development',
    read: readNetworks,
    expected: 'networks as 10.0.0.0/8,::1/128',
    byDefault: webhookDefaults.allowedNetworks,
  },
  webhookDnsServer: {
    flag: 'webhook-dns-server',
    env: 'HEADROOM_WEBHOOK_DNS_SERVER',
    about: 'name server for webhooks’ addresses, as 127.0.0.1:53; without it the machine’s own way',
    ...text,
    byDefault: webhookDefaults.dnsServer,
  },
  webhookScheduleMs: {
    flag: 'webhook-schedule-ms',
    env: 'HEADROOM_WEBHOOK_SCHEDULE_MS',
    about: 'longest wait before each attempt of a webhook, with commas between; the wait is random up to it',
    read: readSchedule,
    expected: `up to ${scheduleMax} whole numbers up to ${waitMsMax} with commas between`,
    byDefault: webhookDefaults.scheduleMs,
  },
  webhookTimeoutMs: {
    flag: 'webhook-timeout-ms',
    env: 'HEADROOM_WEBHOOK_TIMEOUT_MS',
    about: 'how long an attempt of a webhook may take',
    ...integer(100, 60_000),
    byDefault: webhookDefaults.timeoutMs,
  },
  webhookAttemptsMax: {
    flag: 'webhook-attempts-max',
    env: 'HEADROOM_WEBHOOK_ATTEMPTS_MAX',
    about: 'attempts of webhooks at a time, of each worker',
    ...integer(1, 10_000),
    byDefault: webhookDefaults.attemptsAtOnceMax,
  },
  webhookEndpointAttemptsMax: {
    flag: 'webhook-endpoint-attempts-max',
    env: 'HEADROOM_WEBHOOK_ENDPOINT_ATTEMPTS_MAX',
    about: 'attempts at a time of one endpoint, over all workers; one that failed or was slow has one',
    ...integer(1, 64),
    byDefault: webhookDefaults.attemptsPerEndpointMax,
  },
  webhookBreakerFailures: {
    flag: 'webhook-breaker-failures',
    env: 'HEADROOM_WEBHOOK_BREAKER_FAILURES',
    about: 'failures in a row after which an endpoint is left alone for a while',
    ...integer(1, 1_000_000),
    byDefault: webhookDefaults.breaker.failuresMax,
  },
  webhookBreakerMs: {
    flag: 'webhook-breaker-ms',
    env: 'HEADROOM_WEBHOOK_BREAKER_MS',
    about: 'that while; doubled, up to 32 times, whenever the trial behind it fails',
    ...integer(1, 3_600_000),
    byDefault: webhookDefaults.breaker.openMs,
  },
  webhookQueueMax: {
    flag: 'webhook-queue-max',
    env: 'HEADROOM_WEBHOOK_QUEUE_MAX',
    about: 'deliveries that wait for an endpoint; beyond it events are left out for it, and can be replayed',
    ...integer(1, 1_000_000),
    byDefault: webhookDefaults.bounds.queueMax,
  },
  webhookEventsMax: {
    flag: 'webhook-events-max',
    env: 'HEADROOM_WEBHOOK_EVENTS_MAX',
    about: 'events for webhooks that are kept of an account, with their deliveries',
    ...integer(1, 10_000_000),
    byDefault: webhookDefaults.bounds.eventsMax,
  },
  webhookRetentionSeconds: {
    flag: 'webhook-retention-seconds',
    env: 'HEADROOM_WEBHOOK_RETENTION_SECONDS',
    about: 'how long they are kept; shorter than the schedule it ends deliveries early',
    ...integer(1, 31_536_000),
    byDefault: webhookDefaults.bounds.retentionMs / 1000,
  },
  webhookHandshakeSeconds: {
    flag: 'webhook-handshake-seconds',
    env: 'HEADROOM_WEBHOOK_HANDSHAKE_SECONDS',
    about: 'how long a new webhook may be confirmed',
    ...integer(1, 604_800),
    byDefault: webhookDefaults.handshakeSeconds,
  },
  webhookOverlapSeconds: {
    flag: 'webhook-overlap-seconds',
    env: 'HEADROOM_WEBHOOK_OVERLAP_SECONDS',
    about: 'how long a rotated secret signs beside the new one where the request does not say',
    ...integer(0, 604_800),
    byDefault: webhookDefaults.overlapSeconds,
  },
} as const satisfies { [K in keyof WebhookConfig]: Setting<WebhookConfig[K]> };
