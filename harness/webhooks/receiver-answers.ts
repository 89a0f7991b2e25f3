/** What was asked of the receiver's process, and what it answers. A message may be lost, come twice or come late: an answer is of the question whose number it has. */

export class ReceiverAnswers {
  readonly #waiting = new Map<number, PromiseWithResolvers<unknown>>();
  readonly #answerMsMax: number;
  #asked = 0;

  constructor(answerMsMax: number) {
    this.#answerMsMax = answerMsMax;
  }

  /** Rejects with a sentence where no answer is heard in time: nobody knows then what it would have been. */
  ask(say: (id: number) => void): Promise<unknown> {
    const one = Promise.withResolvers<unknown>();
    const id = ++this.#asked;
    this.#waiting.set(id, one);
    say(id);
    const late = setTimeout(() => one.reject(new Error(`the receiver did not answer within ${this.#answerMsMax / 1000} s`)), this.#answerMsMax);
    return one.promise.finally(() => clearTimeout(late));
  }

  hear({ id, answer }: { readonly id: number; readonly answer: unknown }): void {
    this.#waiting.get(id)?.resolve(answer);
    this.#waiting.delete(id);
  }

  /** The process has ended: nobody answers any more. */
  fail(trouble: Error): void {
    for (const one of this.#waiting.values()) one.reject(trouble);
    this.#waiting.clear();
  }
}
