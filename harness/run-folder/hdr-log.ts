/** Cells as a HdrHistogram log, version 1.3, so that the field's viewers open a run. */
import * as hdr from 'hdr-histogram-js';
import { bucketTopMicros, histogramMicrosMax, mergeHistograms, type SparseHistogram } from '#harness/metrics/histogram.ts';
import type { RunResult } from '#harness/run-result.ts';

const significantDigits = 3;

/** `tag` is empty of what stands for the whole run: the format's own viewer skips tagged lines without a word. */
type Logged = { readonly tag: string; readonly second: number; readonly histogram: SparseHistogram };
type Timed = Logged & { readonly time: string };

/** The first of these that a run has is what its untagged lines are of. */
const wholeTimes = ['response', 'service', 'delivery_lag', 'hello', 'delay'];

/**
 * One line a second of the whole run, untagged, and then one a second and tag: `phase.operation.time`, `phase.reader.time` of streams,
 * `phase.receiver.delay` of webhooks. The format has no field for a unit, so a comment says it.
 */
export function hdrLog(result: RunResult): string {
  const startSeconds = Date.parse(result.run.startedAt) / 1000;
  const tagged = taggedOf(result);
  const whole = wholeTimes.find((name) => tagged.some(({ time }) => time === name));
  const head = [
    '#[Histogram log format version 1.3]',
    `#[StartTime: ${startSeconds.toFixed(3)} (seconds since epoch)]`,
    '#[Unit: microseconds. HistogramLogProcessor prints milliseconds with -outputValueUnitRatio 1000]',
    `#[Untagged: ${whole ?? 'nothing was timed'}, of all good answers of the second]`,
    '"StartTimestamp","Interval_Length","Interval_Max","Interval_Compressed_Histogram"',
  ];
  const lines = [...wholeOf(tagged.filter(({ time }) => time === whole)), ...tagged].map((one) => lineOf(one, startSeconds));
  return `${[...head, ...lines].join('\n')}\n`;
}

function lineOf({ tag, second, histogram }: Logged, startSeconds: number): string {
  const encoded = encodable(histogram);
  const start = (startSeconds + second).toFixed(3);
  return `${tag === '' ? '' : `Tag=${tag},`}${start},1.000,${encoded.maxValue.toFixed(3)},${hdr.encodeIntoCompressedBase64(encoded)}`;
}

function wholeOf(timed: readonly Timed[]): readonly Logged[] {
  const bySecond = [...Map.groupBy(timed, ({ second }) => second)].sort(([one], [other]) => one - other);
  return bySecond.map(([second, all]) => ({ tag: '', second, histogram: mergeHistograms(all.map(({ histogram }) => histogram)) }));
}

function taggedOf({ cells, streams, webhooks, phases }: RunResult): readonly Timed[] {
  const named = [
    ...cells.map(({ operation, ...cell }) => ({ ...cell, name: operation })),
    ...(streams?.cells ?? []).map(({ reader, ...cell }) => ({ ...cell, name: reader })),
    ...(webhooks?.cells ?? []).map(({ receiver, ...cell }) => ({ ...cell, name: receiver })),
  ];
  return named.flatMap(({ second, phase, name, times }) =>
    Object.entries(times).flatMap(([time, { clean, spoiled }]) => {
      const histogram = mergeHistograms([clean, spoiled]);
      return histogram.index.length === 0 ? [] : [{ tag: `${phases[phase]?.name ?? phase}.${name}.${time}`, time, second, histogram }];
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
