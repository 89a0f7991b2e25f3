// Are arrivals so dense that being called for each costs more than napping between them? Looks back over a short window.

const windowMs = 20;

export class Density {
  readonly #denseAbovePerMs: number;
  #windowFromMs = 0;
  #arrivalsBefore = 0;
  dense = false;
  /** Mean time between arrivals in the last window; Infinity: none came. */
  gapMs = Number.POSITIVE_INFINITY;

  /** `napBelowMs`: mean gap between arrivals below which they are dense; 0: never. */
  constructor(napBelowMs: number) {
    this.#denseAbovePerMs = napBelowMs > 0 ? 1 / napBelowMs : Number.POSITIVE_INFINITY;
  }

  /** `arrivals`: fired so far. */
  look(nowMs: number, arrivals: number): boolean {
    const elapsedMs = nowMs - this.#windowFromMs;
    if (elapsedMs < windowMs) return this.dense;
    const came = arrivals - this.#arrivalsBefore;
    this.dense = came / elapsedMs > this.#denseAbovePerMs;
    this.gapMs = came === 0 ? Number.POSITIVE_INFINITY : elapsedMs / came;
    this.#windowFromMs = nowMs;
    this.#arrivalsBefore = arrivals;
    return this.dense;
  }
}
