/** Token buckets that hold over workers and nodes: what a worker may spend it leases here, in quanta. */
import { clockSkewMsMax } from './clock-skew.ts';

export type QuotaRow = { readonly tokens: number; readonly atMs: number };

export type QuotaLease = {
  readonly name: string;
  readonly ratePerSecond: number;
  readonly burst: number;
  /** At most as many are granted. */
  readonly wanted: number;
  /** Used on credit since the last lease: taken whatever is there, so that the bucket may be in debt, at most by its burst. */
  readonly spent: number;
  readonly nowMs: number;
};

/** Whole tokens. `left` stay in the bucket. */
export type QuotaGrant = { readonly granted: number; readonly left: number };

export type QuotaStore = {
  readonly leaseQuota: (lease: QuotaLease) => Promise<QuotaGrant>;
};

/**
 * A bucket that nobody asked of is full. Time that goes back a little, as between two nodes' clocks, fills nothing and takes nothing; a row from
 * beyond that was written before the clock was put back, and goes on from now: else nothing would be filled for the length of the step.
 */
export function filledTo(row: QuotaRow | undefined, { ratePerSecond, burst, nowMs }: Pick<QuotaLease, 'ratePerSecond' | 'burst' | 'nowMs'>): QuotaRow {
  if (row === undefined) return { tokens: burst, atMs: nowMs };
  if (row.atMs - nowMs > clockSkewMsMax) return { tokens: Math.min(burst, row.tokens), atMs: nowMs };
  const elapsedMs = Math.max(0, nowMs - row.atMs);
  return { tokens: Math.min(burst, row.tokens + (elapsedMs * ratePerSecond) / 1000), atMs: Math.max(nowMs, row.atMs) };
}

export function leaseTokens(row: QuotaRow | undefined, lease: QuotaLease): { readonly row: QuotaRow; readonly grant: QuotaGrant } {
  const { tokens, atMs } = filledTo(row, lease);
  const after = Math.max(-lease.burst, tokens - lease.spent);
  const granted = Math.max(0, Math.floor(Math.min(lease.wanted, after)));
  return { row: { tokens: after - granted, atMs }, grant: { granted, left: after - granted } };
}
