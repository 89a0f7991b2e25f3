/** What the counts of a whole run have to come to: nothing that was planned or fired may end as nothing, and nothing may be counted twice. */
import type { Cell, CellCounts } from '#harness/run-result.ts';
import { shortNumber } from './wording.ts';

type Side = readonly (keyof CellCounts)[];
type Identity = { readonly whole: keyof CellCounts; readonly parts: Side; readonly said: string };

const identities: readonly Identity[] = [
  { whole: 'planned', parts: ['fired', 'neverFired'], said: 'fired in time + fired late + never fired' },
  {
    whole: 'fired',
    parts: ['answered', 'timedOut', 'cut', 'inFlightAtEnd'],
    said: 'answered + timed out + cut + in flight at the end',
  },
];

/** A sentence for each that does not hold. Runs from before these were counted have nothing to hold. */
export function gapsOf(cells: readonly Pick<Cell, 'counts'>[]): readonly string[] {
  if (cells.some(({ counts }) => counts.cut === undefined)) return [];
  const sum = (name: keyof CellCounts): number => cells.reduce((total, { counts }) => total + counts[name], 0);
  return identities.flatMap(({ whole, parts, said }) => {
    const parted = parts.reduce((total, name) => total + sum(name), 0);
    if (parted === sum(whole)) return [];
    return [`${whole} ${shortNumber(sum(whole))} is not ${said}: ${shortNumber(parted)}`];
  });
}
