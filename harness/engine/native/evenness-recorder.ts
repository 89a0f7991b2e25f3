// Planned and fired arrivals of one worker in bins of 0.2 ms, by second of the phase; wider bins follow from them by addition.
import type { EvennessBins } from '#harness/run-result.ts';

export const binMs = 0.2;
const binsPerSecond = 5000;
const secondBins = (second: number, durationMs: number): number =>
  Math.max(0, Math.min(binsPerSecond, Math.floor((durationMs - second * 1000) / binMs + 1e-6)));

type Second = { readonly planned: Uint16Array; readonly fired: Uint16Array };

export class EvennessRecorder {
  readonly #phase: number;
  readonly #startMs: number;
  #durationMs: number;
  readonly #seconds = new Map<number, Second>();

  constructor(options: { readonly phase: number; readonly startMs: number; readonly durationMs: number }) {
    this.#phase = options.phase;
    this.#startMs = options.startMs;
    this.#durationMs = options.durationMs;
  }

  /** The phase ends here: bins behind it were never planned. */
  cut(nowMs: number): void {
    this.#durationMs = Math.min(this.#durationMs, nowMs - this.#startMs);
  }

  planned(ms: number): void {
    this.#count('planned', ms);
  }

  fired(ms: number): void {
    this.#count('fired', ms);
  }

  /** Seconds that are over, so that nothing can be added to them any more; `all` when the phase is. */
  take(nowMs: number, all: boolean): EvennessBins[] {
    const taken: EvennessBins[] = [];
    for (const [second, { planned, fired }] of this.#seconds) {
      if (!all && this.#startMs + (second + 1) * 1000 > nowMs) continue;
      this.#seconds.delete(second);
      const bins = secondBins(second, this.#durationMs);
      if (bins > 0) taken.push({ phase: this.#phase, second, plannedBins: planned.subarray(0, bins), firedBins: fired.subarray(0, bins) });
    }
    return taken;
  }

  #count(what: keyof Second, ms: number): void {
    const sinceStartMs = ms - this.#startMs;
    // Fired after the phase's end: no bin of the phase, and counted as late elsewhere.
    if (sinceStartMs < 0 || sinceStartMs >= this.#durationMs) return;
    const second = Math.floor(sinceStartMs / 1000);
    let record = this.#seconds.get(second);
    if (record === undefined) {
      record = { planned: new Uint16Array(binsPerSecond), fired: new Uint16Array(binsPerSecond) };
      this.#seconds.set(second, record);
    }
    const bin = Math.min(binsPerSecond - 1, Math.floor((sinceStartMs - second * 1000) / binMs));
    record[what][bin]! += 1;
  }
}
