import type { SparseHistogram } from '#harness/metrics/histogram.ts';

/** The slowest so many, and the rest. */
export function takeSlowest(histogram: SparseHistogram, howMany: number): { readonly kept: SparseHistogram; readonly taken: SparseHistogram } {
  let left = howMany;
  const kept = [...histogram.count];
  const taken = histogram.count.map(() => 0);
  for (let i = kept.length - 1; i >= 0 && left > 0; i--) {
    taken[i] = Math.min(left, kept[i] as number);
    kept[i] = (kept[i] as number) - (taken[i] as number);
    left -= taken[i] as number;
  }
  const without = (count: readonly number[]): SparseHistogram => ({
    index: histogram.index.filter((_index, i) => count[i] !== 0),
    count: count.filter((one) => one !== 0),
  });
  return { kept: without(kept), taken: without(taken) };
}
