// Promises on items as they are read, handed over about once a second.
import type { Acknowledgements } from '#harness/run-result.ts';

export class AcknowledgementBook {
  #held: { keys: number[]; atMs: number[] } = { keys: [], atMs: [] };

  add(key: number, atMs: number): void {
    this.#held.keys.push(key);
    this.#held.atMs.push(atMs);
  }

  /** Since the last call; undefined where there is none. */
  take(): Acknowledgements | undefined {
    const taken = this.#held;
    if (taken.keys.length === 0) return undefined;
    this.#held = { keys: [], atMs: [] };
    return taken;
  }
}
