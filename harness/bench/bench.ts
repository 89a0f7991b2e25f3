/** What a bench is, and the arithmetic all of them share. */

export type Bar = { readonly name: string; readonly value: number; readonly limit: number; readonly sense: 'at most' | 'at least'; readonly holds: boolean };

/** A figure's name in `figures` is `<tool>_<figure>` for each tool of `tools`: shown as one table, a tool a row. */
export type BenchResult = {
  readonly name: string;
  readonly figures: Readonly<Record<string, number | string | null>>;
  readonly bars: readonly Bar[];
  readonly tools?: readonly string[];
};

export type BenchOptions = {
  readonly runs: number;
  readonly seconds: number;
  readonly say: (line: string) => void;
  readonly signal: AbortSignal;
  /** Of a bench that compares builds: the revision to compare with, as git names it. */
  readonly base?: string | undefined;
  /** Of a bench that offers a rate; each has its own where nobody says. */
  readonly ratePerSecond?: number | undefined;
};

export type Bench = {
  readonly name: string;
  readonly about: string;
  /** Rounds where the user does not say how many. */
  readonly runs: number;
  /** Length of one measurement, likewise. */
  readonly seconds: number;
  readonly run: (options: BenchOptions) => Promise<BenchResult>;
};

export const atMost = (name: string, value: number, limit: number): Bar => ({ name, value, limit, sense: 'at most', holds: value <= limit });
export const atLeast = (name: string, value: number, limit: number): Bar => ({ name, value, limit, sense: 'at least', holds: value >= limit });

export const round = (value: number, digits = 3): number => Number(value.toPrecision(digits));
