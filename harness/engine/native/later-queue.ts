// Arrivals that wait for another try, or think before their next step, by their instant: a binary heap, since each waits for as long as it was asked to.
import type { Slot } from './slots.ts';

export class LaterQueue {
  readonly #heap: Slot[] = [];

  /** Infinity where nobody waits. */
  get nextMs(): number {
    return this.#heap[0]?.dueAgainMs ?? Number.POSITIVE_INFINITY;
  }

  add(slot: Slot): void {
    const heap = this.#heap;
    let index = heap.push(slot) - 1;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (heap[parent]!.dueAgainMs <= slot.dueAgainMs) break;
      heap[index] = heap[parent]!;
      index = parent;
    }
    heap[index] = slot;
  }

  /** The one whose time came first, if it has come. */
  take(nowMs: number): Slot | undefined {
    const heap = this.#heap;
    const first = heap[0];
    if (first === undefined || first.dueAgainMs > nowMs) return undefined;
    const last = heap.pop()!;
    if (heap.length > 0) this.#sink(last);
    return first;
  }

  #sink(slot: Slot): void {
    const heap = this.#heap;
    let index = 0;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && heap[child + 1]!.dueAgainMs < heap[child]!.dueAgainMs) child++;
      if (heap[child]!.dueAgainMs >= slot.dueAgainMs) break;
      heap[index] = heap[child]!;
      index = child;
    }
    heap[index] = slot;
  }
}
