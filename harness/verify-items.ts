/** Items after the load: the log against what was acknowledged, and what every reader saw against the log. */

import { setTimeout as sleep } from 'node:timers/promises';
import type { Comparison, UserLog } from '#harness/engine/streams/messages.ts';
import { sumStreams } from '#harness/gates/stream-samples.ts';
import type { ArrivalTimes } from '#harness/ledger/arrival-times.ts';
import { ItemAudit, type ItemAuditCounts, type ItemAuditInput } from '#harness/ledger/item-audit.ts';
import { type ItemEvidence, itemEvidenceOf } from '#harness/ledger/item-evidence.ts';
import { itemVerdictOf } from '#harness/ledger/item-verdict.ts';
import { hearItemsAgain, type ItemsHeard } from '#harness/ledger/item-witness.ts';
import type { WitnessTimes } from '#harness/ledger/read-events.ts';
import { type LoggedChange, readLogs } from '#harness/ledger/read-logs.ts';
import { evidenceMax } from '#harness/ledger/second-witness.ts';
import { readStreamedLogs } from '#harness/ledger/streamed-logs.ts';
import { messageOf } from '#harness/message-of.ts';
import type { ItemLedgerRecord, ItemSuspicions, StreamCell } from '#harness/run-result.ts';
import { changeHash } from '#harness/target/stream-contract.ts';

export type VerifyItemsInput = {
  readonly url: string;
  readonly authorizations: readonly string[];
  readonly channels: readonly string[];
  readonly audit: ItemAuditInput;
  readonly compare: (logs: readonly UserLog[]) => Promise<Comparison>;
  /** Of the streams, once they have been compared: what was out of order or leaked as it came. */
  readonly cells: () => readonly StreamCell[];
  readonly witness: WitnessTimes;
  readonly timesOf: (arrival: number) => ArrivalTimes;
};

export type ItemsVerified = { readonly items: ItemLedgerRecord; readonly evidence: readonly ItemEvidence[] };

const readBudgetMs = 120_000;
// Shares are delivered behind their acknowledgement, within milliseconds; a service that lost one would be waited for so long.
const deliveriesMsMax = 10_000;
const deliveriesPollMs = 250;

const nothingCompared: Comparison = { readers: 0, expected: 0, seen: 0, lost: 0, duplicated: 0, examples: [], accused: [] };
const nothingHeard: ItemsHeard = { items: [], readers: [], streamed: new Map() };

/** Never rejects: what could not be read makes the ledger incomplete, with the reason, and then nothing is called lost. */
export async function verifyItems(input: VerifyItemsInput): Promise<ItemsVerified> {
  const startedMs = performance.now();
  let incomplete: string | undefined;
  let compared = nothingCompared;
  let heard = nothingHeard;
  let audit = new ItemAudit(input.audit);
  let counts: ItemAuditCounts | undefined;
  try {
    const read = await readSettledLogs(input);
    audit = read.audit;
    compared = await input.compare(userLogs(read.logs));
    counts = audit.finish();
    heard = await hearAgain(input, audit, compared);
  } catch (error) {
    incomplete = messageOf(error);
  }
  counts ??= audit.finish();
  const told = incomplete === undefined ? itemVerdictOf(counts, compared, heard) : nothingTold;
  const cells = input.cells();
  const items = {
    ...counts,
    ...told,
    readers: compared.readers,
    expected: compared.expected,
    seen: compared.seen,
    // One that came twice did not grow either.
    reordered: told.reordered + Math.max(0, sumStreams(cells, 'reordered') - compared.duplicated),
    leaked: counts.leaked + sumStreams(cells, 'leaked'),
    readSeconds: (performance.now() - startedMs) / 1000,
    examples: examplesOf([...counts.examples, ...compared.examples], told),
    ...(incomplete === undefined ? {} : { incomplete }),
  };
  return { items, evidence: await evidenceOf(input, heard) };
}

const nothingTold: ItemSuspicions = { lostFromLog: 0, lost: 0, duplicated: 0, reordered: 0 };

/** Of what was taken back nothing is shown. */
function examplesOf(examples: ItemLedgerRecord['examples'], told: ItemSuspicions): ItemLedgerRecord['examples'] {
  const isTold = { 'lost-from-log': told.lostFromLog > 0, lost: told.lost > 0, duplicated: told.duplicated > 0, leaked: true };
  return examples.filter(({ kind }) => isTold[kind]);
}

function hearAgain(input: VerifyItemsInput, first: ItemAudit, compared: Comparison): Promise<ItemsHeard> {
  const { url, authorizations, channels, audit, compare, witness } = input;
  return hearItemsAgain({
    first,
    again: new ItemAudit(audit),
    compared,
    population: audit.population,
    pauseMs: witness.pauseMs,
    read: (users) => readStreamedLogs({ url, authorizations, users, channels, budgetMs: witness.budgetMs }),
    compare: (logs) => compare(userLogs(logs)),
  });
}

/** The logs of the accused are read once more, for their bytes. */
async function evidenceOf(input: VerifyItemsInput, heard: ItemsHeard): Promise<readonly ItemEvidence[]> {
  const { url, authorizations, channels, audit, timesOf } = input;
  const { run, population } = audit;
  const users = [...heard.streamed.keys()].slice(0, evidenceMax);
  const pages = new Map<number, string[]>(users.map((user) => [user, []]));
  const onPage = (user: number, text: string): void => void pages.get(user)?.push(text);
  if (users.length > 0)
    await readLogs({ url, authorizations, users, channels, budgetMs: readBudgetMs, onPage }).catch((error: unknown) => {
      for (const one of pages.values()) one.push(`(it could not be read once more: ${messageOf(error)})`);
    });
  return itemEvidenceOf({ run, devices: population.devices, heard, pages, timesOf });
}

type Logs = ReadonlyMap<number, readonly LoggedChange[]>;

async function readSettledLogs({
  url,
  authorizations,
  channels,
  audit: auditInput,
}: VerifyItemsInput): Promise<{ readonly logs: Logs; readonly audit: ItemAudit }> {
  const read = (users: readonly number[]) => readLogs({ url, authorizations, users, channels, budgetMs: readBudgetMs });
  const logs = new Map(await read(authorizations.map((_, user) => user)));
  const endMs = performance.now() + deliveriesMsMax;
  for (;;) {
    const audit = new ItemAudit(auditInput);
    for (const [user, changes] of logs) for (const change of changes) audit.see(user, change);
    const missing = audit.missingRecipients();
    if (missing.length === 0 || performance.now() > endMs) return { logs, audit };
    await sleep(deliveriesPollMs);
    for (const [user, changes] of await read(missing)) logs.set(user, changes);
  }
}

const userLogs = (logs: Logs): readonly UserLog[] =>
  [...logs].map(([user, changes]) => ({ user, entries: changes.map((change) => ({ cursor: change.c, channel: change.ch, hash: changeHash(change) })) }));
