/** Names that follow from the plan: what the ledger needs no list for. */

const arrivalDigits = 7;

/** `<run>-<arrival, base 36>-<index, base 36>`: a function of (run, arrival, index), so the ledger needs no list of ids. */
export const eventIdOf = (run: string, arrival: number, index: number): string =>
  `${run}-${arrival.toString(36).padStart(arrivalDigits, '0')}-${index.toString(36)}`;

/** The probe's name beside its run's: no id of one is an id of the other, because of the place of the first hyphen. */
export const probeNameOf = (run: string): string => `${run}p`;

/** The place in the plan that an id names; undefined for an id of another run or none of ours. */
export function parseEventId(run: string, id: string): { readonly arrival: number; readonly index: number } | undefined {
  if (!id.startsWith(`${run}-`)) return undefined;
  const match = /^([0-9a-z]{7})-([0-9a-z]{1,2})$/.exec(id.slice(run.length + 1));
  if (match === null) return undefined;
  return { arrival: Number.parseInt(match[1] as string, 36), index: Number.parseInt(match[2] as string, 36) };
}
