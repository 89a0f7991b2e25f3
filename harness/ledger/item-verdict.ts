/** What both witnesses of items say together. Pure. */
import type { Comparison } from '#harness/engine/streams/messages.ts';
import type { ItemLedgerRecord, ItemSuspicions } from '#harness/run-result.ts';
import type { ItemAuditCounts } from './item-audit.ts';
import type { HeardItem, HeardReader, ItemsHeard } from './item-witness.ts';
import type { Answer } from './second-witness.ts';

/** Told is what both say; the rest of what the first one said is taken back, or could not be asked for. */
export function itemVerdictOf(
  counts: ItemAuditCounts,
  compared: Comparison,
  { items, readers }: ItemsHeard,
): ItemSuspicions & Pick<ItemLedgerRecord, 'logAlone' | 'unconfirmed'> {
  const of = (kind: Answer['kind']) => suspicionsOf(items.filter(isOf(kind)), readers.filter(isOf(kind)));
  const [told, logAlone] = [of('confirmed'), of('taken-back')];
  const open = (kind: keyof ItemSuspicions, first: number): number => Math.max(0, first - told[kind] - logAlone[kind]);
  const unconfirmed = {
    lostFromLog: open('lostFromLog', counts.lostFromLog),
    lost: open('lost', compared.lost),
    duplicated: open('duplicated', counts.duplicated + compared.duplicated),
    reordered: open('reordered', counts.reordered),
  };
  const isOpen = Object.values(unconfirmed).some((count) => count > 0);
  return { ...told, logAlone, ...(isOpen ? { unconfirmed: { ...unconfirmed, why: whyOf([...items, ...readers]) } } : {}) };
}

const isOf =
  (kind: Answer['kind']) =>
  ({ answer }: { readonly answer: Answer }): boolean =>
    answer.kind === kind;

const whyOf = (heard: readonly { readonly answer: Answer }[]): string =>
  heard.flatMap(({ answer }) => (answer.kind === 'unasked' ? [answer.why] : []))[0] ?? 'they are too many to ask for one by one';

function suspicionsOf(items: readonly HeardItem[], readers: readonly HeardReader[]): ItemSuspicions {
  const ofKind = (kind: HeardItem['kind']): number => items.filter((one) => one.kind === kind).length;
  return {
    lostFromLog: ofKind('lost-from-log'),
    lost: readers.reduce((sum, { lost }) => sum + lost, 0),
    duplicated: ofKind('duplicated') + readers.reduce((sum, { duplicated }) => sum + duplicated, 0),
    reordered: ofKind('reordered'),
  };
}
