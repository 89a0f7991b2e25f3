/** How fast a fleet opens further connections: so many at once, and from then on so many a second. */
export type OpeningPaceOptions = { readonly perSecond: number; readonly atOnce: number };

export class OpeningPace {
  readonly #perMs: number;
  readonly #atOnce: number;
  #left: number;
  #atMs = 0;

  constructor({ perSecond, atOnce }: OpeningPaceOptions) {
    this.#perMs = perSecond / 1000;
    this.#atOnce = Math.max(1, atOnce);
    this.#left = this.#atOnce;
  }

  /** Whether one more may be opened now; it counts as opened then. */
  take(nowMs: number): boolean {
    this.#left = Math.min(this.#atOnce, this.#left + Math.max(0, nowMs - this.#atMs) * this.#perMs);
    this.#atMs = nowMs;
    if (this.#left < 1) return false;
    this.#left--;
    return true;
  }

  /** It came to nothing: a target that refuses slows nobody down. */
  giveBack(): void {
    this.#left = Math.min(this.#atOnce, this.#left + 1);
  }
}
