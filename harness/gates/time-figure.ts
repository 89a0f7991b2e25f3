/** The figure of a time and its bounds, of requests and of streams alike. */
import { countOf, mergeHistograms, type SparseHistogram } from '#harness/metrics/histogram.ts';
import type { SampledFigure } from './samples.ts';
import { takeSlowest } from './take-slowest.ts';
import type { Aggregation } from './threshold.ts';
import { timeStatisticMicros } from './time-statistic.ts';

export type TimeQuestion = {
  readonly clean: SparseHistogram;
  readonly spoiled: SparseHistogram;
  /** Worse than every time; and those of them that are certainly so, whatever the unknown ones were. */
  readonly failed: number;
  readonly certainlyFailed: number;
  /** Of the good ones those that a stop may have slowed, and of all others those of which nothing is known: they may have been as quick as any. */
  readonly unknown: number;
  /** The spoiled ones at their slowest: a stop delays what is sent and read, so they are bounded by what was seen. */
  readonly atMost: SparseHistogram;
  /** Those of which nothing was seen that bounds them: never fired, never answered, refused or failed in a stop. */
  readonly unbounded: number;
  /** Of the known: those that may yet have been as quick as any. */
  readonly waited: number;
  /** What an average counts a failed one as. */
  readonly timeoutMicros: number;
};

/** Milliseconds. Low: every unknown sample quicker than all others; high: what is bounded at its bound, all else slower than all others. */
export function timeFigure(question: TimeQuestion, aggregation: Aggregation): SampledFigure {
  const { clean, spoiled, failed, certainlyFailed, unknown, atMost, unbounded, waited, timeoutMicros } = question;
  const seen = mergeHistograms([clean, spoiled]);
  const count = countOf(seen) + failed;
  if (count === 0) return { samples: 0, figure: undefined };
  const ms = (histogram: SparseHistogram, below: number, beyond: number): number =>
    timeStatisticMicros(histogram, aggregation, { below, beyond, timeoutMicros }) / 1000;
  const kept = withoutWorst(clean, certainlyFailed, waited);
  const low = ms(kept.histogram, unknown + kept.taken, kept.failed);
  const high = ms(mergeHistograms([clean, atMost]), 0, certainlyFailed + unbounded);
  return { samples: count, figure: { seen: ms(seen, 0, failed), low, high } };
}

type Kept = { readonly histogram: SparseHistogram; readonly failed: number; readonly taken: number };

/** Takes away the worst: failures first, then the slowest. What a pool made wait may have been any of them. */
function withoutWorst(histogram: SparseHistogram, failed: number, howMany: number): Kept {
  const fromFailed = Math.min(failed, howMany);
  const { kept, taken } = takeSlowest(histogram, howMany - fromFailed);
  return { histogram: kept, failed: failed - fromFailed, taken: fromFailed + countOf(taken) };
}
