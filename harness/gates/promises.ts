/** What makes a run fail whatever else: promises of which the ledgers know that they were broken. */
import type { ItemLedgerRecord, RunResult, WebhookLedgerRecord } from '#harness/run-result.ts';
import { sumStreams } from './stream-samples.ts';
import { plural } from './wording.ts';

/** Codes of the reasons of a verdict that say of a promise that it was broken. */
export const promiseCodes = ['events-lost', 'changes-lost', 'changes-leaked', 'webhooks-lost', 'webhooks-leaked'] as const;

type Broken = { readonly code: (typeof promiseCodes)[number]; readonly text: string };

export function promisesBroken(result: RunResult): readonly Broken[] {
  return [...eventsLost(result), ...changesLost(result), ...changesLeaked(result), ...webhooksBroken(result)];
}

const examplesShown = 3;

/** Both witnesses are named; a run of before heard the export alone. */
function eventsLost({ ledger }: RunResult): readonly Broken[] {
  if (ledger === undefined || ledger.incomplete !== undefined || ledger.lost === 0) return [];
  const { lost, acknowledged, exportAlone, unconfirmed, examples } = ledger;
  const ids = examples.flatMap(({ kind, eventId }) => (kind === 'lost' ? [eventId] : [])).slice(0, examplesShown);
  const named = ids.length === 0 ? '' : ` (${ids.join(', ')}${lost > ids.length ? ', …' : ''}; evidence/lost-events.ndjson)`;
  const witnesses =
    exportAlone === undefined ? '' : `: the export does not list them, and the history of their devices, asked after it, does not have them${named}`;
  const open = unconfirmed === undefined || unconfirmed.lost === 0 ? '' : `; ${unconfirmed.lost} more could not be asked for again: ${unconfirmed.why}`;
  const text = `${lost} of ${acknowledged} acknowledged events are not there${witnesses}${open}: an acknowledgement is a promise`;
  return [{ code: 'events-lost', text }];
}

const inNeither = ', neither as its collections list it nor, asked for after a pause, as a listener gets it';

const examplesOfLoss = (examples: ItemLedgerRecord['examples']): readonly string[] =>
  examples.flatMap(({ kind, text }) => (kind === 'lost' || kind === 'lost-from-log' ? [text] : [])).slice(0, examplesShown);

function changesLost({ items }: RunResult): readonly Broken[] {
  if (items === undefined || items.incomplete !== undefined || items.lost + items.lostFromLog === 0) return [];
  const { lost, lostFromLog, expected, acknowledged, logAlone, unconfirmed, examples } = items;
  const unseen = `${plural(lost, 'acknowledged change')} did not reach a reader that should have ${lost === 1 ? 'it' : 'them'}, of ${expected} that readers had to see`;
  const unkept = `${lostFromLog} of ${acknowledged} acknowledged changes are in no log${logAlone === undefined ? '' : inNeither}`;
  const found = [...(lostFromLog > 0 ? [unkept] : []), ...(lost > 0 ? [unseen] : [])];
  const named = logAlone === undefined ? '' : ` (${[...examplesOfLoss(examples), 'evidence/*-changes.ndjson'].join('; ')})`;
  const more = (unconfirmed?.lost ?? 0) + (unconfirmed?.lostFromLog ?? 0);
  const open = more === 0 ? '' : `; ${more} more could not be asked for again: ${unconfirmed?.why}`;
  return [{ code: 'changes-lost', text: `${found.join(', and ')}${named}${open}: an acknowledgement is a promise` }];
}

/** What a reader has seen it has seen, whether or not the ledger could be read to its end. */
function changesLeaked({ items, streams }: RunResult): readonly Broken[] {
  const leaked = Math.max(items?.leaked ?? 0, sumStreams(streams?.cells ?? [], 'leaked'));
  if (leaked === 0) return [];
  return [{ code: 'changes-leaked', text: `${plural(leaked, 'change')} reached a reader whose user may not see ${leaked === 1 ? 'it' : 'them'}` }];
}

/** Whoever registered has a place in the queue of each endpoint: it comes, or the service still knows of it. And what came to another account it has seen. */
function webhooksBroken({ webhooks }: RunResult): readonly Broken[] {
  const ledger = webhooks?.ledger;
  if (ledger === undefined || ledger.incomplete !== undefined) return [];
  return ledger.receivers.flatMap(({ receiver, expected, lost, leaked }) => [
    ...(lost === 0
      ? []
      : [
          {
            code: 'webhooks-lost' as const,
            text: `${plural(lost, 'webhook')} of ${expected} for ${receiver} ${lost === 1 ? 'is' : 'are'} lost: neither accepted nor, by two readings with a pause between, waited for${examplesOfWebhooks(ledger, 'lost')}`,
          },
        ]),
    ...(leaked === 0
      ? []
      : [
          {
            code: 'webhooks-leaked' as const,
            text: `${receiver} was told of ${plural(leaked, 'device')} of other accounts${examplesOfWebhooks(ledger, 'leaked')}`,
          },
        ]),
  ]);
}

function examplesOfWebhooks({ examples }: WebhookLedgerRecord, kind: 'lost' | 'leaked'): string {
  const texts = examples.flatMap((one) => (one.kind === kind ? [one.text] : [])).slice(0, examplesShown);
  return texts.length === 0 ? '' : ` (${texts.join('; ')}; evidence/${kind}-webhooks.ndjson)`;
}
