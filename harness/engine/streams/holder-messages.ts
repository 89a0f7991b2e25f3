/** What a process that holds streams says, as it is heard: each message once, whoever waits for a kind is told, and a hole is known. */
import { MessageRow, type Numbered } from '#harness/engine/message-row.ts';
import type { FromHolder } from './messages.ts';

type Kind = FromHolder['kind'];
export type Said<K extends Kind> = Extract<FromHolder, { readonly kind: K }>;

export class HolderMessages {
  readonly #row = new MessageRow();
  readonly #waiting = new Map<Kind, PromiseWithResolvers<FromHolder>>();
  readonly #onMessage: (message: FromHolder) => void;

  constructor(onMessage: (message: FromHolder) => void) {
    this.#onMessage = onMessage;
  }

  hear({ number, message }: Numbered<FromHolder>): void {
    if (!this.#row.isNew(number)) return;
    this.#onMessage(message);
    this.#waiting.get(message.kind)?.resolve(message);
    this.#waiting.delete(message.kind);
  }

  /** The next message of a kind. Rejects once nothing more will come. */
  async next<K extends Kind>(kind: K): Promise<Said<K>> {
    const one = this.#waiting.get(kind) ?? Promise.withResolvers<FromHolder>();
    this.#waiting.set(kind, one);
    return (await one.promise) as Said<K>;
  }

  fail(text: string): void {
    for (const one of this.#waiting.values()) one.reject(new Error(text));
    this.#waiting.clear();
  }

  /** Messages before the last one that was heard, which were not. */
  get missing(): number {
    return this.#row.missing;
  }
}
