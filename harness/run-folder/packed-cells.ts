/**
 * Cells as they stand in series.json: a histogram is one list of gap, count, gap, count …, where a gap is the distance to the bucket
 * before; and what has no samples is left out. A spike of a minute takes 3 MB instead of 5.
 */
import type { Timed } from '#harness/metrics/closed-cell.ts';
import { emptyHistogram, type SparseHistogram } from '#harness/metrics/histogram.ts';
import type { TimeHistograms } from '#harness/run-result.ts';

type PackedTimes = { readonly clean?: readonly number[]; readonly spoiled?: readonly number[] };
/** Of requests or of streams. */
export type Packed<C extends Timed> = Omit<C, 'times'> & { readonly times: Readonly<Record<string, PackedTimes>> };

function pack({ index, count }: SparseHistogram): readonly number[] {
  return index.flatMap((bucket, i) => [bucket - (index[i - 1] ?? 0), count[i] as number]);
}

function unpack(packed: readonly number[] | undefined): SparseHistogram {
  if (packed === undefined) return emptyHistogram;
  const index: number[] = [];
  const count: number[] = [];
  let bucket = 0;
  for (let i = 0; i < packed.length; i += 2) {
    bucket += packed[i] as number;
    index.push(bucket);
    count.push(packed[i + 1] as number);
  }
  return { index, count };
}

const mapTimes = <A, B>(times: Readonly<Partial<Record<string, A>>>, change: (one: A) => B): Readonly<Record<string, B>> =>
  Object.fromEntries(Object.entries(times).map(([name, one]) => [name, change(one as A)]));

const packTimes = ({ clean, spoiled }: TimeHistograms): PackedTimes => ({
  ...(clean.index.length === 0 ? {} : { clean: pack(clean) }),
  ...(spoiled.index.length === 0 ? {} : { spoiled: pack(spoiled) }),
});
const unpackTimes = ({ clean, spoiled }: PackedTimes): TimeHistograms => ({ clean: unpack(clean), spoiled: unpack(spoiled) });

export const packCell = <C extends Timed>(cell: C): Packed<C> => ({ ...cell, times: mapTimes(cell.times, packTimes) });
export const unpackCell = <C extends Timed>(cell: Packed<C>): C => ({ ...cell, times: mapTimes(cell.times, unpackTimes) }) as unknown as C;
