/** The figure of a time and its bounds, of requests and of streams alike. */
import { countOf, mergeHistograms, type SparseHistogram } from '#harness/metrics/histogram.ts';
import type { SampledFigure } from './samples.ts';
import type { Aggregation } from './threshold.ts';
import { timeStatisticMicros } from './time-statistic.ts';

export type TimeQuestion = {
  readonly clean: SparseHistogram;
  readonly spoiled: SparseHistogram;
  /** Worse than every time; and those of them that are certainly so, whatever the unknown ones were. */
  readonly failed: number;
  readonly certainlyFailed: number;
  /** May have been anything. */
  readonly unknown: number;
  /** Of the known: those that may yet have been as quick as any. */
  readonly waited: number;
  /** What an average counts a failed one as. */
  readonly timeoutMicros: number;
};

/** Milliseconds. Low: every unknown sample quicker than all others; high: every one slower than all others. */
export function timeFigure(question: TimeQuestion, aggregation: Aggregation): SampledFigure {
  const { clean, spoiled, failed, certainlyFailed, unknown, waited, timeoutMicros } = question;
  const seen = mergeHistograms([clean, spoiled]);
  const count = countOf(seen) + failed;
  if (count === 0) return { samples: 0, figure: undefined };
  const ms = (histogram: SparseHistogram, below: number, beyond: number): number =>
    timeStatisticMicros(histogram, aggregation, { below, beyond, timeoutMicros }) / 1000;
  const kept = withoutWorst(clean, certainlyFailed, waited);
  const low = ms(kept.histogram, unknown + kept.taken, kept.failed);
  return { samples: count, figure: { seen: ms(seen, 0, failed), low, high: ms(clean, 0, certainlyFailed + unknown) } };
}

type Kept = { readonly histogram: SparseHistogram; readonly failed: number; readonly taken: number };

/** Takes away the worst: failures first, then the slowest. What a pool made wait may have been any of them. */
function withoutWorst(histogram: SparseHistogram, failed: number, howMany: number): Kept {
  const fromFailed = Math.min(failed, howMany);
  let left = howMany - fromFailed;
  const count = [...histogram.count];
  for (let i = count.length - 1; i >= 0 && left > 0; i--) {
    const here = Math.min(left, count[i] as number);
    count[i] = (count[i] as number) - here;
    left -= here;
  }
  return { histogram: { index: histogram.index, count }, failed: failed - fromFailed, taken: howMany - left };
}
