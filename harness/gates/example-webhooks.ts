/** Webhooks as data, for tests of whatever reads results: every request of the example registers a device, of which two receivers are told. */
import { noWebhookCounts } from '#harness/metrics/fold-webhooks.ts';
import type { RunResult, WebhookCell, WebhookCounts, WebhookLedgerRecord, WebhookReceiverLedger } from '#harness/run-result.ts';
import type { Scenario } from '#harness/scenario.ts';
import { exampleRun, exampleScenario, histogramOfMs, thresholdOf } from './example-run.ts';
import type { ParsedThreshold } from './threshold.ts';

export const exampleWebhookScenario: Scenario = {
  ...exampleScenario,
  name: 'example-webhooks',
  webhooks: [{ name: 'good' }, { name: 'hangs', reaction: { kind: 'hang' } }],
  thresholds: [{ metric: 'webhook_delay_ms{receiver:good}', expression: 'p(99)<1000' }],
};

type SamplesMs = readonly (readonly [ms: number, times: number])[];
export type WebhookCellParts = Partial<Omit<WebhookCell, 'counts' | 'times'>> & {
  readonly counts?: Partial<WebhookCounts>;
  readonly clean?: SamplesMs;
  readonly touched?: SamplesMs;
};

/** In the spike's first second. `touched`: samples that are spoiled. Attempts and deliveries follow from the samples where nothing is said. */
export function exampleWebhookCell({ clean = [], touched = [], counts = {}, ...rest }: WebhookCellParts = {}): WebhookCell {
  const came = [...clean, ...touched].reduce((sum, [, times]) => sum + times, 0);
  const delay = { clean: histogramOfMs(clean), spoiled: histogramOfMs(touched) };
  return {
    second: 12,
    phase: 2,
    receiver: 'good',
    openMax: 1,
    ...rest,
    counts: { ...noWebhookCounts, attempts: came, accepted: came, deliveries: came, ...counts },
    times: came === 0 ? {} : { delay },
  };
}

export function exampleReceiverLedger(parts: Partial<WebhookReceiverLedger> = {}): WebhookReceiverLedger {
  const counts = { lost: 0, duplicated: 0, leaked: 0, unfounded: 0, delivered: 6700, waiting: 0, dead: 0, dropped: 0, disabled: 0 };
  return { receiver: 'good', endpoints: 1, expected: 6700, arrived: 6700, missingByPhase: [0, 0, 0, 0], ...counts, ...parts };
}

/** Nothing but its first events came to the one that hangs, and the service has all of them. */
export const hangingLedger = exampleReceiverLedger({ receiver: 'hangs', arrived: 22, missingByPhase: [198, 990, 4995, 495], delivered: 0, waiting: 6700 });

export const exampleWebhookLedger = (good: Partial<WebhookReceiverLedger> = {}): WebhookLedgerRecord => ({
  receivers: [exampleReceiverLedger(good), hangingLedger],
  waitedSeconds: 0.5,
  examples: [],
});

const toldCells = (phases: RunResult['phases']): readonly WebhookCell[] =>
  phases.flatMap(({ startSeconds, endSeconds, planned }, phase) =>
    Array.from({ length: endSeconds - startSeconds }, (_, i) => {
      const place = { second: startSeconds + i, phase };
      const good = exampleWebhookCell({ ...place, clean: [[20, planned / (endSeconds - startSeconds)]] });
      return [good, exampleWebhookCell({ ...place, receiver: 'hangs', counts: { accepted: 0 }, clean: [[30, 1]], openMax: 4 })];
    }).flat(),
  );

/** `cells` come beside those of the example. */
export function exampleWebhooks(cells: readonly WebhookCell[] = [], ledger: WebhookLedgerRecord | undefined = exampleWebhookLedger()): RunResult {
  const run = exampleRun({}, exampleWebhookScenario);
  return { ...run, webhooks: { cells: [...toldCells(run.phases), ...cells].sort((a, b) => a.second - b.second), processes: [], ledger } };
}

export const webhookThresholdOf = (metric: string, expression: string): ParsedThreshold => thresholdOf(metric, expression, exampleWebhookScenario);
