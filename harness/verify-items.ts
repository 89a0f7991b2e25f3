/** Items after the load: the log against what was acknowledged, and what every reader saw against the log. */

import { setTimeout as sleep } from 'node:timers/promises';
import type { Comparison, UserLog } from '#harness/engine/streams/messages.ts';
import { sumStreams } from '#harness/gates/stream-samples.ts';
import { ItemAudit, type ItemAuditInput } from '#harness/ledger/item-audit.ts';
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
};

const readBudgetMs = 120_000;
// Shares are delivered behind their acknowledgement, within milliseconds; a service that lost one would be waited for so long.
const deliveriesMsMax = 10_000;
const deliveriesPollMs = 250;

const nothingCompared: Comparison = { readers: 0, expected: 0, seen: 0, lost: 0, duplicated: 0, examples: [] };

/** Never rejects: what could not be read makes the ledger incomplete, with the reason. */
export async function verifyItems(input: VerifyItemsInput): Promise<ItemLedgerRecord> {
  const startedMs = performance.now();
  let incomplete: string | undefined;
  let compared = nothingCompared;
  let audit = new ItemAudit(input.audit);
  try {
    const read = await readSettledLogs(input);
    audit = read.audit;
    compared = await input.compare(userLogs(read.logs));
  } catch (error) {
    incomplete = messageOf(error);
  }
  const counts = audit.finish();
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
