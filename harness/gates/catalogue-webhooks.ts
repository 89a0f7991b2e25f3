/** The metrics of webhooks, as data: what came to receivers, and what of it the ledger says. */
import type { Metric, WebhookField } from './metric.ts';

type Counts = Extract<Metric['source'], { kind: 'webhook-count' }>['counts'];

const ofReceivers = { selectors: ['phase', 'receiver'], required: [] } as const;

const counted = (name: string, unit: Metric['unit'], what: string, ...counts: Counts): Metric => ({
  ...ofReceivers,
  name,
  unit,
  what,
  aggregations: ['count', 'max'],
  windowed: true,
  source: { kind: 'webhook-count', counts },
});
const ofLedger = (name: string, what: string, field: WebhookField): Metric => ({
  name,
  unit: 'events',
  what,
  aggregations: ['count'],
  selectors: ['receiver'],
  required: [],
  windowed: false,
  source: { kind: 'webhook-ledger', field },
});

export const webhookMetrics: readonly Metric[] = [
  {
    ...ofReceivers,
    name: 'webhook_delay_ms',
    unit: 'ms',
    what: "an event's time → its first arrival",
    aggregations: ['p', 'min', 'max', 'avg', 'med'],
    windowed: true,
    source: { kind: 'webhook-time' },
  },
  counted('webhook_attempts', 'requests', 'attempts that came', 'attempts'),
  counted('webhook_deliveries', 'events', 'events that came a first time', 'deliveries'),
  counted('webhook_repeats', 'requests', 'attempts of an event that had come before', 'repeated'),
  counted('webhooks_unsigned', 'requests', 'attempts without a signature that holds', 'unsigned'),
  {
    ...ofReceivers,
    name: 'webhook_open_max',
    unit: 'requests',
    what: 'attempts of one endpoint that were there at once, neither answered nor given up',
    aggregations: ['max'],
    windowed: false,
    source: { kind: 'webhook-open' },
  },
  ofLedger('webhooks_lost', 'due, and neither accepted nor accounted for; or called delivered and never accepted', 'lost'),
  ofLedger('webhooks_duplicated', 'told again as another event: a repeat of one id is none', 'duplicated'),
  ofLedger('webhooks_leaked', 'of a device of another account', 'leaked'),
];
