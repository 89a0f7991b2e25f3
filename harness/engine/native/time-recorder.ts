// One worker's histogram of about a second: dense while it records, sparse when it is handed over, then used again.
import { bucketCount, bucketIndexOf, type SparseHistogram } from '#harness/metrics/histogram.ts';

export class TimeRecorder {
  readonly #counts = new Float64Array(bucketCount);
  #lowest = bucketCount;
  #highest = -1;

  recordMs(ms: number): void {
    // Two reads of one monotonic clock by two threads may differ by a few nanoseconds the wrong way round.
    const index = bucketIndexOf(ms > 0 ? ms * 1000 : 0);
    this.#counts[index]! += 1;
    if (index < this.#lowest) this.#lowest = index;
    if (index > this.#highest) this.#highest = index;
  }

  /** Hands over what was recorded and is empty again. Looks only at the buckets between the extremes. */
  take(): SparseHistogram {
    const index: number[] = [];
    const count: number[] = [];
    for (let i = this.#lowest; i <= this.#highest; i++) {
      const times = this.#counts[i]!;
      if (times === 0) continue;
      index.push(i);
      count.push(times);
      this.#counts[i] = 0;
    }
    this.#lowest = bucketCount;
    this.#highest = -1;
    return { index, count };
  }
}
