/** Items after the load: the log against what was acknowledged, and what every reader saw against the log. */

import { setTimeout as sleep } from 'node:timers/promises';
import type { Comparison, UserLog } from '#harness/engine/streams/messages.ts';
import { sumStreams } from '#harness/gates/stream-samples.ts';
import { ItemAudit, type ItemAuditInput } from '#harness/ledger/item-audit.ts';
import { bothSay, type ItemsTold, isAccused } from '#harness/ledger/item-witness.ts';
import { type LoggedChange, readLogs } from '#harness/ledger/read-logs.ts';
import { messageOf } from '#harness/message-of.ts';
import type { ItemLedgerRecord, StreamCell } from '#harness/run-result.ts';
import { changeHash } from '#harness/target/stream-contract.ts';

export type VerifyItemsInput = {
  readonly url: string;
  readonly authorizations: readonly string[];
  readonly channels: readonly string[];
  readonly audit: ItemAuditInput;
  readonly compare: (logs: readonly UserLog[]) => Promise<Comparison>;
  /** Of the streams, once they have been compared: what was out of order or leaked as it came. */
  readonly cells: () => readonly StreamCell[];
  /** Before the logs that accuse the service are read once more. */
  readonly pauseMs: number;
};

const readBudgetMs = 120_000;
// Shares are delivered behind their acknowledgement, within milliseconds; a service that lost one would be waited for so long.
const deliveriesMsMax = 10_000;
const deliveriesPollMs = 250;
/** The second reading's: an entry that stands at a border of pages stands there once. */
const secondPageMax = 137;

const nothingCompared: Comparison = { readers: 0, expected: 0, seen: 0, lost: 0, duplicated: 0, examples: [] };

/** Never rejects: what could not be read makes the ledger incomplete, with the reason. */
export async function verifyItems(input: VerifyItemsInput): Promise<ItemLedgerRecord> {
  const startedMs = performance.now();
  let incomplete: string | undefined;
  let compared = nothingCompared;
  let counts: ItemsTold | undefined;
  try {
    const read = await readSettledLogs(input);
    compared = await input.compare(userLogs(read.logs));
    counts = await hearAgain(input, read.audit);
  } catch (error) {
    incomplete = messageOf(error);
  }
  counts ??= unread(input.audit);
  const cells = input.cells();
  return {
    ...counts,
    readers: compared.readers,
    expected: compared.expected,
    seen: compared.seen,
    lost: compared.lost,
    duplicated: counts.duplicated + compared.duplicated,
    // One that came twice did not grow either.
    reordered: counts.reordered + Math.max(0, sumStreams(cells, 'reordered') - compared.duplicated),
    leaked: counts.leaked + sumStreams(cells, 'leaked'),
    readSeconds: (performance.now() - startedMs) / 1000,
    examples: [...counts.examples, ...compared.examples],
    ...(incomplete === undefined ? {} : { incomplete }),
  };
}

/** What one reading alone says is no accusation: then what could not be read is the reason. */
const unread = (input: ItemAuditInput): ItemsTold => ({ ...new ItemAudit(input).finish(), lostFromLog: 0, examples: [], takenBack: 0 });

async function hearAgain({ url, authorizations, channels, audit: auditInput, pauseMs }: VerifyItemsInput, first: ItemAudit): Promise<ItemsTold> {
  const counts = first.finish();
  if (!isAccused(counts)) return { ...counts, takenBack: 0 };
  await sleep(pauseMs);
  const users = authorizations.map((_, user) => user);
  const logs = await readLogs({ url, authorizations, users, channels, budgetMs: readBudgetMs, pageMax: secondPageMax });
  return bothSay(counts, auditOf(auditInput, logs).finish());
}

function auditOf(input: ItemAuditInput, logs: ReadonlyMap<number, readonly LoggedChange[]>): ItemAudit {
  const audit = new ItemAudit(input);
  for (const [user, changes] of logs) for (const change of changes) audit.see(user, change);
  return audit;
}

type Logs = Map<number, readonly LoggedChange[]>;

async function readSettledLogs({
  url,
  authorizations,
  channels,
  audit: auditInput,
}: VerifyItemsInput): Promise<{ readonly logs: Logs; readonly audit: ItemAudit }> {
  const read = (users: readonly number[]) => readLogs({ url, authorizations, users, channels, budgetMs: readBudgetMs });
  const logs: Logs = new Map(await read(authorizations.map((_, user) => user)));
  const endMs = performance.now() + deliveriesMsMax;
  for (;;) {
    const audit = auditOf(auditInput, logs);
    const missing = audit.missingRecipients();
    if (missing.length === 0 || performance.now() > endMs) return { logs, audit };
    await sleep(deliveriesPollMs);
    for (const [user, changes] of await read(missing)) logs.set(user, changes);
  }
}

const userLogs = (logs: Logs): readonly UserLog[] =>
  [...logs].map(([user, changes]) => ({ user, entries: changes.map((change) => ({ cursor: change.c, channel: change.ch, hash: changeHash(change) })) }));
