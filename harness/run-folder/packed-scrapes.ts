/** Scrapes as columns: a sample's name stands once, its values by scrape; null where it was not there. */
import type { ScrapeSecond } from '#harness/run-result.ts';

export type PackedScrapes = {
  readonly seconds: readonly number[];
  readonly ok: readonly boolean[];
  readonly values: Readonly<Record<string, readonly (number | string | null)[]>>;
};

// JSON has no word for these, and Prometheus has.
const words: Readonly<Record<string, number>> = { NaN: Number.NaN, '+Inf': Number.POSITIVE_INFINITY, '-Inf': Number.NEGATIVE_INFINITY };
const asJson = (value: number | undefined): number | string | null =>
  value === undefined ? null : Number.isFinite(value) ? value : (Object.keys(words).find((word) => Object.is(words[word], value)) ?? null);

export function packScrapes(scrapes: readonly ScrapeSecond[]): PackedScrapes {
  const names = [...new Set(scrapes.flatMap(({ values }) => Object.keys(values)))];
  return {
    seconds: scrapes.map(({ second }) => second),
    ok: scrapes.map(({ ok }) => ok),
    values: Object.fromEntries(names.map((name) => [name, scrapes.map(({ values }) => asJson(values[name]))])),
  };
}

export function unpackScrapes({ seconds, ok, values }: PackedScrapes): readonly ScrapeSecond[] {
  const columns = Object.entries(values);
  return seconds.map((second, i) => ({
    second,
    ok: ok[i] === true,
    values: Object.fromEntries(
      columns.flatMap(([name, column]) => {
        const value = column[i];
        return value === null || value === undefined ? [] : [[name, typeof value === 'string' ? (words[value] ?? Number.NaN) : value]];
      }),
    ),
  }));
}
