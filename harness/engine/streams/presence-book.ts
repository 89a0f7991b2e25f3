/** When was a device that fell silent told to be offline? Two processes see the two ends, in any order. */

export type PresenceSample = { readonly closedAtMs: number; readonly afterMs: number /** Index into the readers. */; readonly reader: number };

export class PresenceBook {
  readonly #closed = new Map<number, { readonly atMs: number; readonly reader: number }>();
  readonly #offlineAtMs = new Map<number, number>();
  readonly #onSample: (sample: PresenceSample) => void;

  constructor(onSample: (sample: PresenceSample) => void) {
    this.#onSample = onSample;
  }

  closed(device: number, closed: { readonly atMs: number; readonly reader: number }): void {
    const offlineAtMs = this.#offlineAtMs.get(device);
    if (offlineAtMs === undefined) this.#closed.set(device, closed);
    else this.#pair(device, closed, offlineAtMs);
  }

  told(device: number, online: boolean, atMs: number): void {
    if (online) {
      this.#offlineAtMs.delete(device);
      return;
    }
    const closed = this.#closed.get(device);
    if (closed === undefined) this.#offlineAtMs.set(device, atMs);
    else this.#pair(device, closed, atMs);
  }

  /** Told before it was closed: 0, which is earlier than any timeout. */
  #pair(device: number, { atMs, reader }: { readonly atMs: number; readonly reader: number }, offlineAtMs: number): void {
    this.#closed.delete(device);
    this.#offlineAtMs.delete(device);
    this.#onSample({ closedAtMs: atMs, afterMs: Math.max(0, offlineAtMs - atMs), reader });
  }
}
