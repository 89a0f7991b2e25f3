/** Every metric a threshold may name, as data. What is not here is an error before the run. */
import { streamMetrics } from './catalogue-streams.ts';
import { webhookMetrics } from './catalogue-webhooks.ts';
import type { Metric } from './metric.ts';

const ofTimes = {
  unit: 'ms',
  aggregations: ['p', 'min', 'max', 'avg', 'med'],
  selectors: ['phase', 'operation', 'outcome'],
  required: [],
  windowed: true,
} as const;
const ofCounts = { unit: 'requests', aggregations: ['rate', 'count'], selectors: ['phase', 'operation'], required: [], windowed: true } as const;
const ofLedger = { unit: 'events', aggregations: ['count'], selectors: [], required: [], windowed: false } as const;

export const systemPrefix = 'system:';
export const outcomes = ['ok'] as const;
export const processes = ['generator', 'system'] as const;

const grown = (name: string, what: string, figure: 'ownBytes' | 'descriptors'): Metric => ({
  name,
  unit: 'ratio',
  what: `${what}, in the last fifth of the phases by what it was in the second`,
  aggregations: ['value'],
  selectors: ['process', 'phase'],
  required: ['process'],
  windowed: false,
  source: { kind: 'growth', figure },
});

export const metrics: readonly Metric[] = [
  {
    name: 'response_ms',
    what: "planned → last byte read, of a chain's first operation",
    ...ofTimes,
    source: { kind: 'time', time: 'response', failuresAreWorst: true },
  },
  {
    name: 'service_ms',
    what: 'first byte written → last byte there (epoll wire) or read',
    ...ofTimes,
    source: { kind: 'time', time: 'service', failuresAreWorst: true },
  },
  {
    name: 'chain_ms',
    what: 'planned → success of the last operation, without what was thought',
    ...ofTimes,
    source: { kind: 'time', time: 'chain', failuresAreWorst: true },
  },
  { name: 'connect_ms', what: 'connecting, with TLS', ...ofTimes, source: { kind: 'time', time: 'connect', failuresAreWorst: false } },
  { name: 'dispatch_delay_ms', what: 'planned → first byte written', ...ofTimes, source: { kind: 'time', time: 'dispatch_delay', failuresAreWorst: false } },
  {
    name: 'read_uncertainty_ms',
    what: 'how long an answer lay there before it was read: measured on the epoll wire, a bound on the others',
    ...ofTimes,
    source: { kind: 'time', time: 'read_uncertainty', failuresAreWorst: false },
  },
  { name: 'failed', what: 'wrong, late, cut, refused or timed out', ...ofCounts, source: { kind: 'count', count: 'failed' } },
  { name: 'shed', what: 'refused by design: 429, 503 with Retry-After', ...ofCounts, source: { kind: 'count', count: 'shed' } },
  { name: 'timed_out', what: 'given up after fleet.timeoutMs', ...ofCounts, source: { kind: 'count', count: 'timedOut' } },
  { name: 'given_up', what: 'arrivals that never succeeded, with all their tries', ...ofCounts, source: { kind: 'count', count: 'givenUp' } },
  { name: 'never_fired', what: 'planned, and not one byte of them went out', ...ofCounts, source: { kind: 'count', count: 'neverFired' } },
  { name: 'fired_late', what: 'fired more than 100 ms after they were due', ...ofCounts, source: { kind: 'count', count: 'firedLate' } },
  {
    name: 'events_lost',
    what: 'acknowledged, and neither in the export nor in the history of the device',
    ...ofLedger,
    source: { kind: 'ledger', field: 'lost' },
  },
  {
    name: 'events_unlisted',
    what: 'acknowledged and in the history of the device, but not in the export',
    ...ofLedger,
    source: { kind: 'ledger', field: 'unlisted' },
  },
  { name: 'events_duplicated', what: 'there more than once', ...ofLedger, source: { kind: 'ledger', field: 'duplicated' } },
  {
    name: 'events_reordered',
    what: 'behind an event of its device that was sent after its acknowledgement',
    ...ofLedger,
    source: { kind: 'ledger', field: 'reordered' },
  },
  {
    name: 'conservation_error',
    what: 'by how much the service’s own counters do not add up',
    ...ofLedger,
    source: { kind: 'ledger', field: 'conservationError' },
  },
  {
    name: 'recovery_seconds',
    unit: 's',
    what: "from the phase's end to the first of three consecutive seconds with a response p99 of at most twice the baseline's, or 50 ms",
    aggregations: ['value'],
    selectors: ['phase', 'baseline', 'operation'],
    required: ['phase', 'baseline'],
    windowed: false,
    source: { kind: 'recovery' },
  },
  {
    name: 'pipeline_drain_seconds',
    unit: 's',
    what: 'from the end of the load until the service says that nothing is pending',
    aggregations: ['value'],
    selectors: [],
    required: [],
    windowed: false,
    source: { kind: 'drain' },
  },
  {
    name: 'cpu_micros_per_request',
    unit: 'µs',
    what: 'processor time a fired request',
    aggregations: ['value'],
    selectors: ['process', 'phase'],
    required: ['process'],
    windowed: false,
    source: { kind: 'cpu', per: 'request' },
  },
  grown('memory_growth', 'memory that processes hold without mapped files', 'ownBytes'),
  grown('descriptors_growth', 'open descriptors', 'descriptors'),
  ...streamMetrics,
  ...webhookMetrics,
];

/** `system:<scraped name>`: any sample of the service's own metrics; every selector but `phase` is one of its labels. */
export function scrapedMetric(name: string): Metric {
  return {
    name,
    unit: 'as scraped',
    what: "a sample of the service's own metrics",
    aggregations: ['max', 'last', 'value'],
    selectors: ['phase'],
    required: [],
    windowed: false,
    source: { kind: 'scrape' },
  };
}

export const metricNames: readonly string[] = metrics.map((metric) => metric.name);

export function metricOf(name: string): Metric | undefined {
  if (name.startsWith(systemPrefix)) return scrapedMetric(name);
  return metrics.find((metric) => metric.name === name);
}
