/** What a generator bench asks of each tool, ours among them: the same requests at the same rate at the same target. */
import type { NullTarget } from '#harness/engine/native/start-null-target.ts';

export type PeerLoad = {
  readonly host: string;
  readonly port: number;
  readonly ratePerSecond: number;
  readonly seconds: number;
  readonly connections: number;
  readonly seed: number;
};

/** As the tool reports it, milliseconds; null: it does not say. */
export type Quantiles = { readonly p50: number | null; readonly p90: number | null; readonly p99: number | null };

export type PeerOutcome = {
  /** Of the whole generating process and its children, start-up included unless the tool can leave it out. */
  readonly cpuMicrosPerRequest: number;
  /** Request written → answer read, or as near to it as the tool reports. */
  readonly latencyMs: Quantiles;
  /** Ours only: planned → answer read, and planned → first byte written. */
  readonly responseMs?: Quantiles;
  readonly dispatchDelayP99Ms?: number;
};

export type Peer = {
  readonly name: string;
  /** Undefined: it is not on this machine. */
  readonly find: () => string | undefined;
  readonly run: (load: PeerLoad, target: NullTarget, signal: AbortSignal) => Promise<PeerOutcome>;
};

export const path = '/v1/events';
export const token = 't'.repeat(200);
/** As long as the calibration's event, about 300 bytes with its head. */
export const body = JSON.stringify([
  {
    id: 'calibration0-123456-0',
    type: 'location',
    recorded_at: '2026-01-01T00:00:00.000Z',
    data: { lat: 48.6123456789, lon: 12.0123456789, accuracy: 12.5, speed: 3.4, bearing: 270 },
  },
]);
export const noQuantiles: Quantiles = { p50: null, p90: null, p99: null };
