// What the null target and whoever started it say to each other over IPC.
import type { SparseHistogram } from '#harness/metrics/histogram.ts';

/** How long an answer is held back: one of the peaks, chosen by weight. */
export type DelayPeak = { readonly delayMs: number; readonly weight: number };

export type NullTargetOptions = {
  /** None: answered at once. */
  readonly delays?: readonly DelayPeak[];
  /** What the answer claims to have accepted. */
  readonly accepted?: number;
  readonly seed?: number;
};

export type NullTargetReport = {
  readonly requests: number;
  /** Index of dispersion of arrivals by bin width in milliseconds as text, as read here; null: under two seconds of arrivals. */
  readonly dispersion: Readonly<Record<string, number | null>>;
  /** Request read → answer written, microseconds: what it really did, not what it was told. */
  readonly service: SparseHistogram;
  readonly cpuMicros: number;
};

export type ToNullTarget = { readonly kind: 'reset' } | { readonly kind: 'report' };
export type FromNullTarget = { readonly kind: 'listening'; readonly port: number } | { readonly kind: 'report'; readonly report: NullTargetReport };
