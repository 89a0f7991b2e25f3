/**
 * A cell of a second that is over, as small as it goes: each histogram as varints of gap and count, one or two bytes for most buckets where
 * lists of numbers take sixteen and the room they grew into. A run keeps one for each second, phase and operation or reader.
 */
import type { TimeHistograms } from '#harness/run-result.ts';
import type { SparseHistogram } from './histogram.ts';

/** What cells of requests and of streams have in common: times by name. */
export type Timed = { readonly times: Readonly<Partial<Record<string, TimeHistograms>>> };
type ClosedTimes = { readonly clean: Uint8Array; readonly spoiled: Uint8Array };
export type Closed<C extends Timed> = Omit<C, 'times'> & { readonly times: readonly (readonly [string, ClosedTimes])[] };

const more = 0x80;

function varintLength(value: number): number {
  let length = 1;
  for (let rest = value; rest >= more; rest = Math.floor(rest / more)) length++;
  return length;
}

/** Whole numbers only, up to 2^53. */
function packBytes({ index, count }: SparseHistogram): Uint8Array {
  let length = 0;
  for (let i = 0; i < index.length; i++) length += varintLength(index[i]! - (index[i - 1] ?? 0)) + varintLength(count[i]!);
  const bytes = new Uint8Array(length);
  let at = 0;
  const put = (value: number): void => {
    let rest = value;
    for (; rest >= more; rest = Math.floor(rest / more)) bytes[at++] = (rest % more) | more;
    bytes[at++] = rest;
  };
  for (let i = 0; i < index.length; i++) {
    put(index[i]! - (index[i - 1] ?? 0));
    put(count[i]!);
  }
  return bytes;
}

function unpackBytes(bytes: Uint8Array): SparseHistogram {
  const index: number[] = [];
  const count: number[] = [];
  let at = 0;
  const take = (): number => {
    let value = 0;
    let weight = 1;
    for (; bytes[at]! >= more; weight *= more) value += (bytes[at++]! - more) * weight;
    return value + bytes[at++]! * weight;
  };
  let bucket = 0;
  while (at < bytes.length) {
    bucket += take();
    index.push(bucket);
    count.push(take());
  }
  return { index, count };
}

export const closeCell = <C extends Timed>({ times, ...rest }: C): Closed<C> => ({
  ...rest,
  times: (Object.entries(times) as [string, TimeHistograms][]).map(([name, { clean, spoiled }]) => [
    name,
    { clean: packBytes(clean), spoiled: packBytes(spoiled) },
  ]),
});

export const openCell = <C extends Timed>({ times, ...rest }: Closed<C>): C =>
  ({
    ...rest,
    times: Object.fromEntries(times.map(([name, { clean, spoiled }]) => [name, { clean: unpackBytes(clean), spoiled: unpackBytes(spoiled) }])),
  }) as unknown as C;
