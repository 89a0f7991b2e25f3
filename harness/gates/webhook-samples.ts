/** What a threshold on webhooks looks at: cells of phases and receivers, and what of it is unknown because the receiver itself stood still. */
import { addHistograms } from '#harness/metrics/fold.ts';
import { emptyHistogram } from '#harness/metrics/histogram.ts';
import type { WebhookCell, WebhookCounts, WebhooksRecord } from '#harness/run-result.ts';
import type { Noise } from './noise.ts';
import { type JudgedData, phasesOf } from './samples.ts';

type Selector = Readonly<Record<string, string>>;

export function selectWebhookCells(data: Pick<JudgedData, 'webhooks' | 'phases'>, selector: Selector): readonly WebhookCell[] {
  const wanted = phasesOf(data, selector);
  const { receiver } = selector;
  return (data.webhooks?.cells ?? []).filter((cell) => wanted.has(cell.phase) && (receiver === undefined || cell.receiver === receiver));
}

export const sumWebhooks = (cells: readonly Pick<WebhookCell, 'counts'>[], ...names: readonly (keyof WebhookCounts)[]): number =>
  cells.reduce((sum, { counts }) => sum + names.reduce((all, name) => all + counts[name], 0), 0);

/** Events of the phases that were due and never came; 0 until the ledger has been read. */
export function missingOf(data: Pick<JudgedData, 'webhooks' | 'phases'>, selector: Selector): number {
  const ledger = data.webhooks?.ledger;
  if (ledger === undefined || ledger.incomplete !== undefined) return 0;
  const receivers = ledger.receivers.filter(({ receiver }) => selector.receiver === undefined || receiver === selector.receiver);
  return [...phasesOf(data, selector)].reduce((sum, phase) => sum + receivers.reduce((all, { missingByPhase }) => all + (missingByPhase[phase] ?? 0), 0), 0);
}

/** Absent where there are none. Counts of what came stay: no stop makes an attempt, or takes its signature away. */
export function withSpoiledWebhookSeconds(webhooks: WebhooksRecord | undefined, { seconds }: Noise): { readonly webhooks?: WebhooksRecord } {
  if (webhooks === undefined) return {};
  return { webhooks: { ...webhooks, cells: webhooks.cells.map((cell) => (seconds.has(cell.second) ? spoilCell(cell) : cell)) } };
}

function spoilCell(cell: WebhookCell): WebhookCell {
  const { delay } = cell.times;
  return delay === undefined ? cell : { ...cell, times: { delay: { clean: emptyHistogram, spoiled: addHistograms(delay.clean, delay.spoiled) } } };
}
