/** Figures as the view shows them. */
import { quantileMicros, type SparseHistogram } from '#harness/metrics/histogram.ts';

export const whole = (value: number): string => value.toLocaleString('en-US');

export function millisText(micros: number): string {
  return `${(micros / 1000).toFixed(micros < 10_000 ? 2 : micros < 100_000 ? 1 : 0)} ms`;
}

type Beyond = { readonly beyond: number; readonly never: string };

/** `beyond`: worse than every sample. */
export function timeText(histogram: SparseHistogram, q: number, { beyond, never }: Beyond = { beyond: 0, never: '' }): string {
  const micros = quantileMicros(histogram, q, beyond);
  if (micros === undefined) return '–';
  return Number.isFinite(micros) ? millisText(micros) : never;
}
