/** Cells as a HdrHistogram log, version 1.3, so that the field's viewers open a run. */
import * as hdr from 'hdr-histogram-js';
import { bucketTopMicros, histogramMicrosMax, mergeHistograms } from '#harness/metrics/histogram.ts';
import type { RunResult } from '#harness/run-result.ts';

const significantDigits = 3;

/** Microseconds; one line a second, tagged `phase.operation.time`. */
export function hdrLog({ cells, phases, run }: RunResult): string {
  const startSeconds = Date.parse(run.startedAt) / 1000;
  const lines = [
    '#[Histogram log format version 1.3]',
    `#[StartTime: ${startSeconds.toFixed(3)} (seconds since epoch)]`,
    '"StartTimestamp","Interval_Length","Interval_Max","Interval_Compressed_Histogram"',
  ];
  for (const cell of cells) {
    for (const [time, { clean, spoiled }] of Object.entries(cell.times)) {
      const merged = mergeHistograms([clean, spoiled]);
      if (merged.index.length === 0) continue;
      const histogram = hdr.build({
        lowestDiscernibleValue: 1,
        highestTrackableValue: histogramMicrosMax,
        numberOfSignificantValueDigits: significantDigits,
        bitBucketSize: 64,
        useWebAssembly: false,
      });
      for (const [i, index] of merged.index.entries())
        histogram.recordValueWithCount(Math.min(bucketTopMicros(index), histogramMicrosMax), merged.count[i] as number);
      const tag = `${phases[cell.phase]?.name ?? cell.phase}.${cell.operation}.${time}`;
      lines.push(`Tag=${tag},${(startSeconds + cell.second).toFixed(3)},1.000,${histogram.maxValue.toFixed(3)},${hdr.encodeIntoCompressedBase64(histogram)}`);
    }
  }
  return `${lines.join('\n')}\n`;
}
