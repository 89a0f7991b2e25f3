/** The verdict's figures of webhooks that nobody gates. */
import { timesOf } from '#harness/metrics/fold.ts';
import type { RunResult, Verdict, WebhookCell, WebhookCounts } from '#harness/run-result.ts';
import { quantileSet } from './verdict-figures.ts';
import { sumWebhooks } from './webhook-samples.ts';

/** Nothing of a run without receivers. Of the whole run, as the ledger is. */
export function webhookFiguresOf({ webhooks, phases, run }: RunResult): Pick<Verdict, 'webhooks'> {
  if (webhooks === undefined) return {};
  const { cells, ledger } = webhooks;
  const figuresOf = (name: string) => {
    const own = cells.filter(({ receiver }) => receiver === name);
    const found = ledger?.incomplete === undefined ? ledger?.receivers.find(({ receiver }) => receiver === name) : undefined;
    const { expected = null, lost = null, duplicated = null, leaked = null } = found ?? {};
    const openMax = own.reduce((most, cell) => Math.max(most, cell.openMax), 0);
    return { ...countsOf(own), openMax, expected, lost, duplicated, leaked, delayMs: delaysByPhase(phases, own) };
  };
  return { webhooks: Object.fromEntries((run.scenario.webhooks ?? []).map(({ name }) => [name, figuresOf(name)])) };
}

const countsOf = (cells: readonly WebhookCell[]): WebhookCounts => ({
  attempts: sumWebhooks(cells, 'attempts'),
  accepted: sumWebhooks(cells, 'accepted'),
  repeated: sumWebhooks(cells, 'repeated'),
  unsigned: sumWebhooks(cells, 'unsigned'),
  deliveries: sumWebhooks(cells, 'deliveries'),
});

const delaysByPhase = (phases: RunResult['phases'], cells: readonly WebhookCell[]) =>
  Object.fromEntries(
    phases.flatMap(({ name }, index) => {
      const set = quantileSet(
        timesOf(
          cells.filter(({ phase }) => phase === index),
          'delay',
        ),
      );
      return set.count === 0 ? [] : [[name, set] as const];
    }),
  );
