/** What the whole run came to: requests, streams, and what the ledgers found. */

import { noLedgerText } from '#harness/gates/notes.ts';
import { observeCpu } from '#harness/gates/observe-single.ts';
import { isOfStreamsAlone, needsNoEventLedger } from '#harness/gates/stream-samples.ts';
import type { ItemLedgerRecord, LedgerRecord, RunResult, Verdict } from '#harness/run-result.ts';
import { type Html, html } from './html.ts';
import { count, figure } from './numbers.ts';
import { badWhereAny, examplesPart, tile } from './tables.ts';

export function totalsSection(result: RunResult, verdict: Verdict): Html {
  const { ledger, items } = result;
  return html`<section aria-labelledby="totals"><h2 id="totals">Totals</h2>
${isOfStreamsAlone(result) ? undefined : requestTiles(verdict)}
${streamTiles(result, verdict)}
${needsNoEventLedger(result) ? undefined : html`<h3 id="ledger">Ledger</h3>${ledger === undefined ? html`<p>${result.run.request === undefined ? 'Nothing was read back: whether what was acknowledged is there is not known.' : `There is ${noLedgerText}.`}</p>` : ledgerPart(ledger)}`}
${verdict.streams === undefined ? undefined : html`<h3 id="changes">Changes</h3>${items === undefined ? html`<p>What readers saw was not compared with what was acknowledged.</p>` : itemsPart(items)}`}
</section>`;
}

const doubtfulTile = (name: string, value: number): Html => tile(name, count(value), value > 0 ? 'is-caution' : '');

/** Planned is the sum of the three behind it, fired of the four behind it. */
function requestTiles({ totals, cpu }: Verdict): Html {
  return html`<dl class="tiles">
${tile('planned', count(totals.planned))}${tile('fired in time', count(totals.firedInTime))}${doubtfulTile('fired late', totals.firedLate)}${doubtfulTile('never fired', totals.neverFired)}
${tile('fired', count(totals.fired))}${tile('answered', count(totals.answered))}${tile('timed out', count(totals.timedOut), badWhereAny(totals.timedOut))}${tile('cut', count(totals.cut), badWhereAny(totals.cut))}${doubtfulTile('in flight at the end', totals.inFlightAtEnd)}
${tile('failed', count(totals.failed), badWhereAny(totals.failed))}${doubtfulTile('shed', totals.shed)}
${tile('generator µs/request', figure(cpu.generator))}${tile('service µs/request', figure(cpu.system))}
</dl>`;
}

function streamTiles(result: RunResult, { streams }: Verdict): Html | undefined {
  if (streams === undefined) return undefined;
  const { heldMax, heldMin, opened, lost, byes, refused } = streams;
  const microsPerFrame = (process: string): string => figure(observeCpu(result, { process }, 'frame').figure?.seen);
  return html`<h3 id="streams-total">Streams</h3><dl class="tiles">
${tile('held at most', count(heldMax))}${tile('held at least', count(heldMin))}${tile('opened', count(opened))}${tile('lost', count(lost), lost > 0 ? 'is-caution' : '')}${tile('goodbyes', count(byes))}${tile('refused', count(refused), refused > 0 ? 'is-caution' : '')}
${tile('generator µs/frame', microsPerFrame('generator'))}${tile('service µs/frame', microsPerFrame('system'))}
</dl>`;
}

const withFound = (all: number, found: number): string => (found > 0 ? `${count(all)} (${count(found)})` : count(all));
const unknownTile = (unknown: number, found: number): Html =>
  tile(unknown > 0 ? 'unknown (there)' : 'unknown', unknown > 0 ? `${count(unknown)} (${count(found)})` : '0');
const badTile = (name: string, value: number | null): Html => tile(name, count(value), badWhereAny(value));

type Read = { readonly readSeconds: number; readonly incomplete?: string };

const unlistedTile = (unlisted: number): Html => (unlisted === 0 ? html`` : tile('in history, not in the export', count(unlisted), 'is-caution'));

/** Nothing is known of what is missing where reading stopped. */
const whereRead = ({ incomplete }: Read, value: number): number | null => (incomplete === undefined ? value : null);
const readPart = ({ readSeconds, incomplete }: Read, whole: string): Html =>
  html`<p class="about">${incomplete === undefined ? `${whole} in ${readSeconds.toFixed(1)} s.` : `Reading back stopped after ${readSeconds.toFixed(1)} s: ${incomplete}. Nothing is known of what is missing.`}</p>`;

function ledgerPart(ledger: LedgerRecord): Html {
  const { acknowledged, lost, duplicated, reordered, refused, refusedFound, unknown, unknownFound, foreign, conservationError } = ledger;
  return html`<dl class="tiles">
${tile('acknowledged', count(acknowledged))}${badTile('lost', whereRead(ledger, lost))}${badTile('duplicated', whereRead(ledger, duplicated))}${badTile('reordered', whereRead(ledger, reordered))}
${tile(refusedFound > 0 ? 'refused (there)' : 'refused', withFound(refused, refusedFound), badWhereAny(refusedFound))}${unknownTile(unknown, unknownFound)}${tile('not of the plan', count(foreign), foreign > 0 ? 'is-caution' : '')}${unlistedTile(ledger.exportAlone?.lost ?? 0)}${badTile('conservation error', conservationError ?? null)}
</dl>
${readPart(ledger, 'Everything was read back through the public API')}
${examplesPart(ledger.examples.map(({ kind, eventId }) => ({ kind, text: eventId })))}`;
}

function itemsPart(items: ItemLedgerRecord): Html {
  const { acknowledged, lostFromLog, unknown, unknownFound, readers, expected, seen, lost, duplicated, reordered, leaked } = items;
  return html`<dl class="tiles">
${tile('acknowledged', count(acknowledged))}${unknownTile(unknown, unknownFound)}${badTile('lost from the log', whereRead(items, lostFromLog))}
${tile('readers had to see', count(whereRead(items, expected)))}${tile('readers saw', count(whereRead(items, seen)))}${badTile('lost', whereRead(items, lost))}${badTile('duplicated', whereRead(items, duplicated))}${badTile('reordered', whereRead(items, reordered))}${badTile('leaked', leaked > 0 ? leaked : whereRead(items, leaked))}
</dl>
${readPart(items, `What ${count(readers)} readers saw was compared with their users’ logs`)}
${examplesPart(items.examples)}`;
}
