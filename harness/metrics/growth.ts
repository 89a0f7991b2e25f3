/** Does a figure stay what it is, or does it grow? Pure. */

/** Middle value; the mean of the two middle ones of an even count. NaN for none, so that no bar on nothing holds. */
export function median(values: readonly number[]): number {
  if (values.length === 0) return Number.NaN;
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? (sorted[middle] as number) : ((sorted[middle - 1] as number) + (sorted[middle] as number)) / 2;
}

export type Growth = {
  readonly early: number;
  readonly late: number /** From the middle of the one to the middle of the other. */;
  readonly secondsBetween: number;
};

/** Of a figure of each second: medians of its second fifth, when compiler and heap have found their size, and of its last. */
export function growthOf(perSecond: readonly number[]): Growth {
  const fifth = Math.floor(perSecond.length / 5);
  const part = (index: number): readonly number[] => perSecond.slice(index * fifth, (index + 1) * fifth);
  return { early: median(part(1)), late: median(part(4)), secondsBetween: 3 * fifth };
}
