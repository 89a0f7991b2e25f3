/**
 * The second witness of items: a log that accuses the service is read once more, after a pause and in pages of another size. Only
 * what both readings say is told; what one of them shows and may not is a leak whatever the other says. Pure.
 */
import type { ItemAuditCounts } from './item-audit.ts';

/** What is told of items, and how much of it the second reading took back. */
export type ItemsTold = ItemAuditCounts & { readonly takenBack: number };

const accusations = ['lostFromLog', 'duplicated', 'reordered'] as const;

export const isAccused = (counts: ItemAuditCounts): boolean => accusations.some((name) => counts[name] > 0);

export function bothSay(first: ItemAuditCounts, again: ItemAuditCounts): ItemsTold {
  const least = (name: (typeof accusations)[number]): number => Math.min(first[name], again[name]);
  const saidAgain = new Set(again.examples.map(({ text }) => text));
  return {
    ...again,
    lostFromLog: least('lostFromLog'),
    duplicated: least('duplicated'),
    reordered: least('reordered'),
    leaked: Math.max(first.leaked, again.leaked),
    examples: first.examples.filter(({ kind, text }) => kind === 'leaked' || saidAgain.has(text)),
    takenBack: accusations.reduce((sum, name) => sum + first[name] - least(name), 0),
  };
}
