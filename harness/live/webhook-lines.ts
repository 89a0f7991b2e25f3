/** Webhooks → lines. Pure. */
import { sumWebhooks } from '#harness/gates/webhook-samples.ts';
import { timesOf } from '#harness/metrics/fold.ts';
import type { WebhookCell } from '#harness/run-result.ts';
import { type Line, type Part, styled, titled } from './styled.ts';
import { timeText, whole } from './texts.ts';

export type LiveWebhooks = {
  /** Of the last whole second. */
  readonly cells: readonly WebhookCell[];
  /** Of the run until now; asked only where thresholds are shown. */
  readonly allCells: () => readonly WebhookCell[];
};

type Told = { readonly receiver: string; readonly attempts: number; readonly unsigned: number; readonly delay: string; readonly openMax: number };

/** Of receivers to whom something came or happened in the second. */
const toldOf = ({ cells }: LiveWebhooks): readonly Told[] =>
  [...Map.groupBy(cells, ({ receiver }) => receiver)].map(([receiver, group]) => ({
    receiver,
    attempts: sumWebhooks(group, 'attempts'),
    unsigned: sumWebhooks(group, 'unsigned'),
    delay: timeText(timesOf(group, 'delay'), 0.99),
    openMax: Math.max(...group.map(({ openMax }) => openMax)),
  }));

export function webhookLines(webhooks: LiveWebhooks): readonly Line[] {
  const told = toldOf(webhooks);
  const parts = told.flatMap(({ receiver, attempts, unsigned, delay, openMax }): readonly Part[] => [
    `${receiver} ${whole(attempts)}/s p99 `,
    styled('bold', delay),
    ` open ${openMax}   `,
    ...(unsigned > 0 ? [styled('red', `unsigned ${whole(unsigned)}   `)] : []),
  ]);
  return [titled('webhooks', ...(parts.length === 0 ? ['none'] : parts))];
}

/** What a log gets of them. */
export const plainWebhookParts = (webhooks: LiveWebhooks): readonly string[] =>
  toldOf(webhooks).map(
    ({ receiver, attempts, unsigned, delay, openMax }) =>
      `told ${receiver} ${attempts}/s p99 ${delay} open ${openMax}${unsigned > 0 ? ` unsigned ${unsigned}` : ''}`,
  );
