/**
 * Requests that wait for a connection. Those of the latest phase go first, so that no phase waits behind what an earlier one has
 * left; within a phase they go in the order in which they came. What was given up leaves no more behind than what came after it.
 */
import type { Slot } from './slots.ts';

class SlotQueue {
  #items: (Slot | undefined)[] = [];
  #head = 0;

  get first(): Slot | undefined {
    return this.#items[this.#head];
  }

  push(slot: Slot): void {
    this.#items.push(slot);
  }

  shift(): void {
    this.#items[this.#head++] = undefined;
    if (this.#head > 1024 && this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
  }
}

export class WaitingSlots {
  readonly #phases: SlotQueue[] = [];
  readonly #discard: (slot: Slot) => void;
  /** Without those that were given up. */
  length = 0;

  /** `discard` takes back a slot that was given up while it waited. */
  constructor(discard: (slot: Slot) => void) {
    this.#discard = discard;
  }

  push(slot: Slot): void {
    while (this.#phases.length <= slot.phase) this.#phases.push(new SlotQueue());
    slot.queued = true;
    this.length++;
    this.#phases[slot.phase]?.push(slot);
  }

  shift(): Slot | undefined {
    if (this.length === 0) return undefined;
    for (let phase = this.#phases.length - 1; phase >= 0; phase--) {
      const queue = this.#phases[phase] as SlotQueue;
      this.#discardAbandoned(queue);
      const slot = queue.first;
      if (slot === undefined) continue;
      queue.shift();
      slot.queued = false;
      this.length--;
      return slot;
    }
    return undefined;
  }

  /** It was given up. All wait equally long at most, so that it is nearly always the first. */
  abandon(slot: Slot): void {
    slot.abandoned = true;
    this.length--;
    this.#discardAbandoned(this.#phases[slot.phase] as SlotQueue);
  }

  #discardAbandoned(queue: SlotQueue): void {
    for (let slot = queue.first; slot?.abandoned === true; slot = queue.first) {
      queue.shift();
      slot.queued = false;
      this.#discard(slot);
    }
  }
}
