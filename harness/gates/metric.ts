/** What a metric is: its name, what may be asked of it, and where its figure comes from. */
import type {
  CellCounts,
  ItemLedgerRecord,
  LedgerRecord,
  StreamCounts,
  StreamTimeName,
  TimeName,
  WebhookCounts,
  WebhookReceiverLedger,
} from '#harness/run-result.ts';

export const aggregationNames = ['p', 'min', 'max', 'avg', 'med', 'rate', 'count', 'value', 'last'] as const;
export type AggregationName = (typeof aggregationNames)[number];
export type SelectorName = 'phase' | 'operation' | 'outcome' | 'baseline' | 'process' | 'reader' | 'receiver';

/** `unlisted`: what the export did not list and the device's history has. */
export type LedgerField = Extract<keyof LedgerRecord, 'lost' | 'duplicated' | 'reordered' | 'conservationError'> | 'unlisted';
export type ItemField = Extract<keyof ItemLedgerRecord, 'lostFromLog' | 'lost' | 'duplicated' | 'reordered' | 'leaked'>;

export type WebhookField = Extract<keyof WebhookReceiverLedger, 'lost' | 'duplicated' | 'leaked'>;

/** Where a metric's samples come from; decides how it is observed and what its unknown samples are. */
export type MetricSource =
  /** `failuresAreWorst`: a failed request stands behind every time. False for times the generator alone is answerable for. */
  | { readonly kind: 'time'; readonly time: TimeName; readonly failuresAreWorst: boolean }
  | { readonly kind: 'count'; readonly count: Extract<keyof CellCounts, 'failed' | 'shed' | 'timedOut' | 'neverFired' | 'firedLate' | 'givenUp'> }
  | { readonly kind: 'ledger'; readonly field: LedgerField }
  | { readonly kind: 'recovery' }
  | { readonly kind: 'drain' }
  | { readonly kind: 'cpu'; readonly per: 'request' | 'frame' }
  | { readonly kind: 'scrape' }
  /** `never`: what is said of a quantile among those whose time never came; undefined where every stream has its time. */
  | { readonly kind: 'stream-time'; readonly time: StreamTimeName; readonly never?: string }
  /** The sum of these. */
  | { readonly kind: 'stream-count'; readonly counts: readonly (keyof StreamCounts)[] }
  | { readonly kind: 'held' }
  /** The sum of these. */
  | { readonly kind: 'items'; readonly fields: readonly ItemField[] }
  | { readonly kind: 'resident' }
  | { readonly kind: 'growth'; readonly figure: 'ownBytes' | 'descriptors' }
  /** What never came stands behind every time. */
  | { readonly kind: 'webhook-time' }
  /** The sum of these. */
  | { readonly kind: 'webhook-count'; readonly counts: readonly (keyof WebhookCounts)[] }
  | { readonly kind: 'webhook-open' }
  | { readonly kind: 'webhook-ledger'; readonly field: WebhookField };

export type Metric = {
  readonly name: string;
  readonly unit: 'ms' | 's' | 'µs' | 'requests' | 'events' | 'streams' | 'frames' | 'heartbeats' | 'changes' | 'bytes' | 'ratio' | 'as scraped';
  readonly what: string;
  readonly aggregations: readonly AggregationName[];
  readonly selectors: readonly SelectorName[];
  readonly required: readonly SelectorName[];
  readonly windowed: boolean;
  readonly source: MetricSource;
};
