/** The reference client's law (CONTRACT §3): full-jitter backoff, with what the server asked for as a minimum. Pure. */

export type ReconnectLaw = {
  readonly jitter: 'full' | 'none';
  readonly baseMs: number;
  readonly capMs: number;
};

export const referenceLaw: ReconnectLaw = { jitter: 'full', baseMs: 500, capMs: 30_000 };
/** A stream that lasted so long was healthy: the next loss is a first one. */
export const healthyAfterMs = 30_000;

export type Retry = {
  /** Losses and refusals in a row before this one, from 0. */
  readonly attempt: number;
  /** In [0, 1). */
  readonly chance: number;
  /** From `retry_ms` or `Retry-After`; 0 where the server asked for nothing. */
  readonly minimumMs: number;
};

/** rand(0, min(cap, base · 2^attempt)); without jitter everybody waits for all of it, as a client does that never thought of the others. */
export function retryDelayMs({ jitter, baseMs, capMs }: ReconnectLaw, { attempt, chance, minimumMs }: Retry): number {
  const mostMs = Math.min(capMs, baseMs * 2 ** Math.min(attempt, 30));
  return Math.max(minimumMs, jitter === 'full' ? chance * mostMs : mostMs);
}

/** The client gives up on a silent stream after two heartbeats and five seconds. */
export const silenceMsMax = (heartbeatMs: number): number => 2 * heartbeatMs + 5000;
/** R22: a frame at least every heartbeat and a tenth, and a quarter of a second. */
export const lateAfterMs = (heartbeatMs: number): number => 1.1 * heartbeatMs + 250;
export const missedAfterMs = (heartbeatMs: number): number => 2 * heartbeatMs;
