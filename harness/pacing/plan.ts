// An arrival plan as data. The schedule that follows from it is pure: (plan, seed) gives instants, whoever asks.
import type { RateCurve } from '#harness/scenario.ts';

export type RateSpacing = 'poisson' | 'uniform';

/** One phase's arrivals as data: the same seed gives the same instants on every machine and for every split over workers. */
export type ArrivalPhase = {
  readonly name: string;
  readonly measured: boolean;
  readonly durationSeconds: number;
  readonly rate: RateCurve;
  readonly spacing: RateSpacing;
  readonly traffic: readonly { readonly chain: string; readonly weight: number }[];
};
