/** The page's tables of webhooks: what came to whom, how late, and what the ledger says of the rest. */
import type { RunResult, Verdict } from '#harness/run-result.ts';
import { type Html, html } from './html.ts';
import { count, ms } from './numbers.ts';
import { cellsRow, examplesPart, table } from './tables.ts';
import { delayRows, ledgerCounts, ledgerRows, ledgerSentence, ledgerWords, receiverCounts, receiverRows, receiverWords } from './webhook-rows.ts';

/** Nothing of a run without receivers. */
export function webhookSections(result: RunResult, { webhooks }: Verdict): readonly Html[] {
  if (webhooks === undefined) return [];
  const came = receiverRows(result, webhooks).map((row) =>
    cellsRow(
      `${row.receiver} · ${row.does}`,
      receiverCounts.map((name) => count(row[name])),
    ),
  );
  const delays = delayRows(result, webhooks).map(({ phase, receiver, delayMs, missing }) =>
    cellsRow(`${phase} · ${receiver}`, [count(delayMs.count), ms(delayMs.p50), ms(delayMs.p90), ms(delayMs.p99), ms(delayMs.max), count(missing)]),
  );
  const ledger = ledgerRows(result).map((row) =>
    cellsRow(
      row.receiver,
      ledgerCounts.map((name) => count(row[name])),
    ),
  );
  return [
    html`<section aria-labelledby="webhooks"><h2 id="webhooks">Webhooks</h2>
${table('Webhooks by receiver', ['receiver', ...receiverCounts.map((name) => receiverWords[name])], came)}
<p class="about">Attempts are requests, handshakes left out; events are counted once each. Most at once: attempts of one endpoint that were there together, neither answered nor given up.</p>
<h3>Delay, milliseconds</h3>
${table('Delay of webhooks by phase and receiver', ['phase · receiver', 'events', 'p50', 'p90', 'p99', 'max', 'never came'], delays)}
<p class="about">From an event’s time, which the service gives it, to its first arrival, by the second of the event.</p>
<h3 id="webhook-ledger">Ledger of webhooks</h3>
${ledger.length === 0 ? undefined : table('Ledger of webhooks by receiver', ['receiver', ...ledgerCounts.map((name) => ledgerWords[name])], ledger)}
<p class="about">${ledgerSentence(result)}</p>
${examplesPart(result.webhooks?.ledger?.examples ?? [])}</section>`,
  ];
}
