/** How fast a fleet opens further connections: so many in its first quarter of a second, and from then on so many a second. */
export type OpeningPaceOptions = { readonly perSecond: number; readonly atOnce: number };

/** What may be opened at once is opened over this time, as arrivals that find no connection come: a thread that opens all of it in one turn stands still for a tenth of a second. */
const spreadMs = 250;
/** Of it, what one turn may open: some milliseconds of work at the most. */
const turnShare = 1 / 25;

/** A bucket that fills by itself. */
class Bucket {
  readonly #perMs: number;
  readonly #size: number;
  #left: number;

  constructor(perMs: number, size: number) {
    this.#perMs = perMs;
    this.#size = Math.max(1, size);
    this.#left = this.#size;
  }

  get hasOne(): boolean {
    return this.#left >= 1;
  }

  fill(elapsedMs: number): void {
    this.add(elapsedMs * this.#perMs);
  }

  add(count: number): void {
    this.#left = Math.min(this.#size, this.#left + count);
  }
}

export class OpeningPace {
  readonly #all: Bucket;
  readonly #turn: Bucket;
  #atMs = 0;

  constructor({ perSecond, atOnce }: OpeningPaceOptions) {
    this.#all = new Bucket(perSecond / 1000, atOnce);
    this.#turn = new Bucket(atOnce / spreadMs, atOnce * turnShare);
  }

  /** Whether one more may be opened now; it counts as opened then. */
  take(nowMs: number): boolean {
    const elapsedMs = Math.max(0, nowMs - this.#atMs);
    this.#atMs = nowMs;
    for (const bucket of [this.#all, this.#turn]) bucket.fill(elapsedMs);
    if (!this.#all.hasOne || !this.#turn.hasOne) return false;
    for (const bucket of [this.#all, this.#turn]) bucket.add(-1);
    return true;
  }

  /** It came to nothing: a target that refuses slows nobody down. */
  giveBack(): void {
    for (const bucket of [this.#all, this.#turn]) bucket.add(1);
  }
}
