/**
 * The generator's own stops. Whatever held the loop (a collection, a stopped process, a stolen core), what was due then was fired
 * late and what was in flight was read late: neither says anything about the service. Such requests are kept apart, until all that
 * was out in the stop is back, since the burst that ends a stop is the generator's making too.
 */
export type Stop = { readonly fromMs: number; readonly untilMs: number };

/** A hung request would keep the window open for its whole timeout: it closes after this, or five times the stop if that is longer. */
const aftermathMinMs = 1000;

const touchedShareMax = 0.1;
/** Of a process that stands still more often than this in a stream's life nothing is believed anyway: its seconds are spoiled whole. */
const recentMax = 64;

export class Stops {
  readonly #spoiledAboveMs: number;
  /** Longest sleep that is by design: between two looks no shorter gap is anybody's fault. */
  readonly #sleepMaxMs: number;
  #lastSeenMs: number;
  /** When the last stop ended. */
  #endedMs = Number.NEGATIVE_INFINITY;
  readonly #recent: Stop[] = [];
  #aftermathUntilMs = 0;
  /** Requests in flight or due in the last stop that are still out. */
  outstanding = 0;
  gapMaxMs = 0;
  stopMsTotal = 0;

  constructor(options: { readonly spoiledAboveMs: number; readonly sleepMaxMs: number; readonly nowMs: number }) {
    this.#spoiledAboveMs = options.spoiledAboveMs;
    this.#sleepMaxMs = options.sleepMaxMs;
    this.#lastSeenMs = options.nowMs;
  }

  /** At the start of every turn and read. Answers whether the loop has just come out of a stop. */
  observe(nowMs: number): boolean {
    const gapMs = nowMs - this.#lastSeenMs;
    const fromMs = this.#lastSeenMs;
    this.#lastSeenMs = nowMs;
    if (gapMs > this.gapMaxMs) this.gapMaxMs = gapMs;
    if (gapMs <= this.#spoiledAboveMs) return false;
    this.stopMsTotal += gapMs;
    this.#endedMs = nowMs;
    this.#recent.push({ fromMs, untilMs: nowMs });
    if (this.#recent.length > recentMax) this.#recent.shift();
    this.#aftermathUntilMs = nowMs + Math.max(aftermathMinMs, 5 * gapMs);
    return true;
  }

  /**
   * Did a stop reach a request that was due then and is still out? The last stop's end alone tells: whatever was due before it was in flight
   * in the stop or had to wait for its end. So nobody has to be told of a stop, however many are out.
   */
  reached(dueMs: number): boolean {
    return dueMs <= this.#endedMs;
  }

  /** Is what is fired now in a stop's aftermath? */
  aftermath(nowMs: number): boolean {
    return this.outstanding > 0 && nowMs <= this.#aftermathUntilMs;
  }

  /** Did stops take more than a tenth of the time since then? A minute's silence is no doubtful one because of a pause of 60 ms. */
  touched(sinceMs: number): boolean {
    const elapsedMs = this.#lastSeenMs - sinceMs;
    let stoppedMs = 0;
    for (const { fromMs, untilMs } of this.#recent) stoppedMs += Math.max(0, untilMs - Math.max(fromMs, sinceMs));
    return stoppedMs > 0 && stoppedMs > touchedShareMax * elapsedMs;
  }

  /** What the loop was late beyond its sleep by design, and starts over. */
  takeLag(): { readonly loopDelayMaxMs: number; readonly stopMsTotal: number } {
    const lag = { loopDelayMaxMs: Math.max(0, this.gapMaxMs - this.#sleepMaxMs), stopMsTotal: this.stopMsTotal };
    this.gapMaxMs = 0;
    this.stopMsTotal = 0;
    return lag;
  }
}
