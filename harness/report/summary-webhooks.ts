/** The parts of the summary that are about webhooks. */
import type { RunResult, Verdict } from '#harness/run-result.ts';
import { markdownTable as table } from './markdown.ts';
import { delayRows, ledgerCounts, ledgerRows, ledgerSentence, ledgerWords, receiverCounts, receiverRows, receiverWords } from './webhook-rows.ts';

/** Empty of a run without receivers. */
export function webhookParts(result: RunResult, { webhooks }: Verdict): readonly string[] {
  if (webhooks === undefined) return [];
  const came = receiverRows(result, webhooks).map((row) => [row.receiver, row.does, ...receiverCounts.map((name) => row[name])]);
  const delays = delayRows(result, webhooks).map(({ phase, receiver, delayMs: { count, p50, p90, p99, max }, missing }) => [
    phase,
    receiver,
    ...[count, p50, p90, p99, max, missing],
  ]);
  const ledger = ledgerRows(result).map((row) => [row.receiver, ...ledgerCounts.map((name) => row[name])]);
  return [
    '## Webhooks',
    table(['receiver', 'does', ...receiverCounts.map((name) => receiverWords[name])], came),
    table(['phase', 'receiver', 'events', 'delay p50 ms', 'p90', 'p99', 'max', 'never came'], delays),
    ...(ledger.length === 0 ? [] : [table(['receiver', ...ledgerCounts.map((name) => ledgerWords[name])], ledger)]),
    ledgerSentence(result),
  ];
}
