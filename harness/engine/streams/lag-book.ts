/** Delivery lag: from a change's acknowledgement to each of its frames. Either may be known first, since two processes read them. */

export type LagSample = { readonly ackedAtMs: number; readonly lagMs: number; readonly frameAtMs: number; readonly reader: number };

/** Frames whose acknowledgement never came (it timed out, or was another run's) must not fill memory. */
const waitingMax = 200_000;

type Waiting = { readonly frameAtMs: number; readonly reader: number };

export class LagBook {
  /** By promise key. */
  readonly #acked = new Map<number, number>();
  readonly #waiting = new Map<number, Waiting[]>();
  #waitingCount = 0;
  readonly #onSample: (sample: LagSample) => void;

  constructor(onSample: (sample: LagSample) => void) {
    this.#onSample = onSample;
  }

  acknowledged(key: number, atMs: number): void {
    this.#acked.set(key, atMs);
    const waiting = this.#waiting.get(key);
    if (waiting === undefined) return;
    this.#waiting.delete(key);
    this.#waitingCount -= waiting.length;
    for (const one of waiting) this.#sample(atMs, one);
  }

  arrived(key: number, frame: Waiting): void {
    const ackedAtMs = this.#acked.get(key);
    if (ackedAtMs !== undefined) return this.#sample(ackedAtMs, frame);
    if (this.#waitingCount >= waitingMax) return;
    this.#waitingCount++;
    const waiting = this.#waiting.get(key);
    if (waiting === undefined) this.#waiting.set(key, [frame]);
    else waiting.push(frame);
  }

  #sample(ackedAtMs: number, { frameAtMs, reader }: Waiting): void {
    this.#onSample({ ackedAtMs, frameAtMs, lagMs: Math.max(0, frameAtMs - ackedAtMs), reader });
  }
}
