/** Cells as a HdrHistogram log, version 1.3, so that the field's viewers open a run. */
import * as hdr from 'hdr-histogram-js';
import { bucketTopMicros, histogramMicrosMax, mergeHistograms, type SparseHistogram } from '#harness/metrics/histogram.ts';
import type { RunResult } from '#harness/run-result.ts';

const significantDigits = 3;

type Tagged = { readonly tag: string; readonly second: number; readonly histogram: SparseHistogram };

/** Microseconds; one line a second, tagged `phase.operation.time`, or `phase.reader.time` of streams, `phase.receiver.delay` of webhooks. */
export function hdrLog(result: RunResult): string {
  const startSeconds = Date.parse(result.run.startedAt) / 1000;
  const lines = [
    '#[Histogram log format version 1.3]',
    `#[StartTime: ${startSeconds.toFixed(3)} (seconds since epoch)]`,
    '"StartTimestamp","Interval_Length","Interval_Max","Interval_Compressed_Histogram"',
  ];
  for (const { tag, second, histogram } of taggedOf(result)) {
    const encoded = encodable(histogram);
    lines.push(`Tag=${tag},${(startSeconds + second).toFixed(3)},1.000,${encoded.maxValue.toFixed(3)},${hdr.encodeIntoCompressedBase64(encoded)}`);
  }
  return `${lines.join('\n')}\n`;
}

function taggedOf({ cells, streams, webhooks, phases }: RunResult): readonly Tagged[] {
  const named = [
    ...cells.map(({ operation, ...cell }) => ({ ...cell, name: operation })),
    ...(streams?.cells ?? []).map(({ reader, ...cell }) => ({ ...cell, name: reader })),
    ...(webhooks?.cells ?? []).map(({ receiver, ...cell }) => ({ ...cell, name: receiver })),
  ];
  return named.flatMap(({ second, phase, name, times }) =>
    Object.entries(times).flatMap(([time, { clean, spoiled }]) => {
      const histogram = mergeHistograms([clean, spoiled]);
      return histogram.index.length === 0 ? [] : [{ tag: `${phases[phase]?.name ?? phase}.${name}.${time}`, second, histogram }];
    }),
  );
}

function encodable({ index, count }: SparseHistogram): hdr.Histogram {
  const histogram = hdr.build({
    lowestDiscernibleValue: 1,
    highestTrackableValue: histogramMicrosMax,
    numberOfSignificantValueDigits: significantDigits,
    bitBucketSize: 64,
    useWebAssembly: false,
  });
  for (const [i, bucket] of index.entries()) histogram.recordValueWithCount(Math.min(bucketTopMicros(bucket), histogramMicrosMax), count[i] as number);
  return histogram;
}
