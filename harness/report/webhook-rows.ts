/** Webhooks by receiver, as rows of figures for the page and the summary alike. */
import { missingOf } from '#harness/gates/webhook-samples.ts';
import type { QuantileSet, RunResult, Verdict, WebhookReceiverLedger } from '#harness/run-result.ts';
import type { WebhookReaction } from '#harness/scenario.ts';

export const receiverCounts = ['attempts', 'accepted', 'repeated', 'unsigned', 'deliveries', 'openMax'] as const;
export const receiverWords = {
  attempts: 'attempts',
  accepted: 'accepted',
  repeated: 'repeats',
  unsigned: 'unsigned',
  deliveries: 'events',
  openMax: 'most at once',
} as const satisfies Readonly<Record<(typeof receiverCounts)[number], string>>;

export const ledgerCounts = [
  'expected',
  'arrived',
  'lost',
  'duplicated',
  'leaked',
  'unfounded',
  'delivered',
  'waiting',
  'dead',
  'dropped',
  'disabled',
] as const satisfies readonly (keyof WebhookReceiverLedger)[];
export const ledgerWords: Readonly<Record<(typeof ledgerCounts)[number], string>> = {
  expected: 'due',
  arrived: 'arrived',
  lost: 'lost',
  duplicated: 'duplicated',
  leaked: 'leaked',
  unfounded: 'unfounded',
  delivered: 'service: delivered',
  waiting: 'waiting',
  dead: 'dead',
  dropped: 'left out',
  disabled: 'endpoints disabled',
};

export type ReceiverRow = Readonly<Record<(typeof receiverCounts)[number], number>> & { readonly receiver: string; readonly does: string };

export function receiverRows({ run }: RunResult, webhooks: NonNullable<Verdict['webhooks']>): readonly ReceiverRow[] {
  return (run.scenario.webhooks ?? []).flatMap(({ name, reaction }) => {
    const figures = webhooks[name];
    return figures === undefined ? [] : [{ ...figures, receiver: name, does: reactionText(reaction) }];
  });
}

function reactionText(reaction: WebhookReaction = { kind: 'ok' }): string {
  switch (reaction.kind) {
    case 'slow':
      return `answers after ${reaction.ms} ms`;
    case 'status':
      return `answers ${reaction.status}`;
    case 'recovers':
      return `503 until ${reaction.afterSeconds} s`;
    case 'hang':
      return 'never answers';
    case 'cut':
      return 'resets';
    case 'ok':
      return 'answers';
  }
}

export type DelayRow = { readonly phase: string; readonly receiver: string; readonly delayMs: QuantileSet; readonly missing: number };

/** Of receivers to whom something came in the phase. */
export function delayRows(result: RunResult, webhooks: NonNullable<Verdict['webhooks']>): readonly DelayRow[] {
  return result.phases.flatMap(({ name: phase }) =>
    Object.entries(webhooks).flatMap(([receiver, { delayMs }]) => {
      const set = delayMs[phase];
      return set === undefined ? [] : [{ phase, receiver, delayMs: set, missing: missingOf(result, { phase, receiver }) }];
    }),
  );
}

/** Nothing where the ledger could not be read. */
export const ledgerRows = ({ webhooks }: RunResult): readonly WebhookReceiverLedger[] =>
  webhooks?.ledger?.incomplete === undefined ? (webhooks?.ledger?.receivers ?? []) : [];

export function ledgerSentence({ webhooks }: RunResult): string {
  const ledger = webhooks?.ledger;
  if (ledger === undefined) return 'What came was not compared with what was acknowledged.';
  if (ledger.incomplete !== undefined) return `Not compared to the end: ${ledger.incomplete}. Nothing is known of what is missing.`;
  return `One event is due at each endpoint of its account for every registration that was acknowledged; those who take all were waited for ${ledger.waitedSeconds.toFixed(1)} s. What the others did not take has to be waiting or dead at the service.`;
}
