/** Messages of a child process by their numbers: one that comes twice is heard once, one that comes late is heard, and a gap is known to be one. */

export type Numbered<Message> = { readonly number: number; readonly message: Message };

/** For whoever says them. */
export function createNumbering<Message>(send: (numbered: Numbered<Message>) => void): (message: Message) => void {
  let number = 0;
  return (message) => send({ number: number++, message });
}

/** For whoever hears them. */
export class MessageRow {
  /** All before this one have been heard. */
  #next = 0;
  /** Heard, and not yet of the row without a gap. */
  readonly #ahead = new Set<number>();

  /** False: it has been heard before. */
  isNew(number: number): boolean {
    if (number < this.#next || this.#ahead.has(number)) return false;
    this.#ahead.add(number);
    while (this.#ahead.delete(this.#next)) this.#next++;
    return true;
  }

  /** Of those before the last one that was heard. */
  get missing(): number {
    if (this.#ahead.size === 0) return 0;
    return Math.max(...this.#ahead) + 1 - this.#next - this.#ahead.size;
  }
}
