/** Times, counts and the ledger of webhooks: as seen, and between which bounds when what a stop of the receiver may have caused is left open. */
import { countOf, mergeHistograms } from '#harness/metrics/histogram.ts';
import type { WebhookCell } from '#harness/run-result.ts';
import { type Observation, observeWindows } from './holds.ts';
import type { WebhookField } from './metric.ts';
import type { Figure, JudgedData, SampledFigure } from './samples.ts';
import { bySecond } from './stream-samples.ts';
import type { ParsedThreshold } from './threshold.ts';
import { timeFigure } from './time-figure.ts';
import { missingOf, selectWebhookCells, sumWebhooks } from './webhook-samples.ts';

const exactly = (value: number): Figure => ({ seen: value, low: value, high: value });
const nothing: SampledFigure = { samples: 0, figure: undefined };

export function observeWebhooks(data: JudgedData, threshold: ParsedThreshold): Observation {
  const cells = selectWebhookCells(data, threshold.selector);
  // Of what never came nobody knows in which second it would have: over all of it, it counts as slower than every time.
  const missing = threshold.overSeconds === undefined ? missingOf(data, threshold.selector) : 0;
  return observeWindows(threshold, { cells, secondOf: ({ second }) => second, figureOf: (some) => figureOf(threshold, some, missing) });
}

function figureOf({ metric: { source }, aggregation }: ParsedThreshold, cells: readonly WebhookCell[], missing: number): SampledFigure {
  const samples = sumWebhooks(cells, 'attempts');
  if (source.kind === 'webhook-time') return delayFigure(cells, aggregation, missing);
  if (samples === 0) return nothing;
  if (source.kind === 'webhook-open') return { samples, figure: exactly(Math.max(...cells.map(({ openMax }) => openMax))) };
  if (source.kind !== 'webhook-count') return nothing;
  const inASecond = bySecond(cells, (cell) => sumWebhooks([cell], ...source.counts)).values();
  return { samples, figure: exactly(aggregation.kind === 'max' ? Math.max(...inASecond) : sumWebhooks(cells, ...source.counts)) };
}

function delayFigure(cells: readonly WebhookCell[], aggregation: ParsedThreshold['aggregation'], missing: number): SampledFigure {
  const delays = cells.map(({ times }) => times.delay).filter((both) => both !== undefined);
  const clean = mergeHistograms(delays.map((both) => both.clean));
  const spoiled = mergeHistograms(delays.map((both) => both.spoiled));
  // Read late a delay looks longer, so what came is bounded as it was seen; what never came is certain by the ledger.
  const bounds = { unknown: countOf(spoiled), atMost: spoiled, unbounded: 0 };
  const never = { failed: missing, certainlyFailed: missing, waited: 0, timeoutMicros: Number.POSITIVE_INFINITY };
  return timeFigure({ clean, spoiled, ...bounds, ...never }, aggregation);
}

/** Where nothing had to arrive, nothing is proven. */
export function observeWebhookLedger({ webhooks }: JudgedData, field: WebhookField, receiver: string | undefined): SampledFigure {
  const ledger = webhooks?.ledger;
  if (ledger === undefined || ledger.incomplete !== undefined) return nothing;
  const receivers = ledger.receivers.filter((one) => receiver === undefined || one.receiver === receiver);
  const samples = receivers.reduce((sum, { expected }) => sum + expected, 0);
  return samples === 0 ? nothing : { samples, figure: exactly(receivers.reduce((sum, one) => sum + one[field], 0)) };
}
