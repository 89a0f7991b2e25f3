/** Folds what the receiver of webhooks hands over each second into cells, as fold.ts does with requests. */
import type { WebhookCell, WebhookCounts, WebhookDelta } from '#harness/run-result.ts';
import { addNumbers, addTimes } from './fold.ts';
import { SecondsFold } from './fold-seconds.ts';

export const noWebhookCounts: WebhookCounts = { attempts: 0, accepted: 0, repeated: 0, unsigned: 0, deliveries: 0 };

type CellDelta = WebhookDelta['cells'][number];

const addWebhookCell = (cell: WebhookCell, delta: CellDelta): WebhookCell => ({
  ...cell,
  counts: addNumbers(cell.counts, delta.counts),
  openMax: Math.max(cell.openMax, delta.openMax),
  times: addTimes(cell.times, delta.times),
});

export class WebhookFold extends SecondsFold<WebhookCell, Pick<WebhookDelta, 'cells'>> {
  constructor() {
    super({
      nameOf: ({ receiver }) => receiver,
      begin: ({ second, phase, receiver }) => ({ second, phase, receiver, counts: noWebhookCounts, openMax: 0, times: {} }),
      add: addWebhookCell,
    });
  }
}
