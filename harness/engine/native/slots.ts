// State of requests in flight, in objects that are used again: a request allocates no closure, timer or record of its own.
import type { ThinkTime } from '#harness/scenario.ts';
import type { DeviceCredentials, ItemContext, Operation } from '#harness/target/operation.ts';

/** Mutable twin of OperationContext: operations see it read-only. */
export type SlotContext = {
  run: string;
  arrival: number;
  device: DeviceCredentials;
  eventsPerBatch: number;
  intendedWallMs: number;
  chance: number;
  readonly items: ItemContext;
};

/** What all requests of a run share. */
export type SlotContextBase = Pick<SlotContext, 'run' | 'eventsPerBatch' | 'items'>;

export type ChainStep = { readonly operation: Operation; readonly index: number /** Before this step. */; readonly thinkTime: ThinkTime | undefined };
export type Chain = readonly ChainStep[];

/** A connection as far as its request needs to know. */
export type Carrier = { slot: Slot | undefined; connectMs: number | undefined; readonly close: () => void };

export class Slot {
  readonly context: SlotContext;
  chain: Chain = [];
  step = 0;
  phase = 0;
  /** Planned instant of the arrival; all times since the run's origin. */
  intendedMs = 0;
  /** Of this step: the plan's for the first, the end of the step before for the others. */
  dueMs = 0;
  sentAtMs = 0;
  /** Of this arrival, from 1. */
  tries = 1;
  /** While it waits for another try, or thinks before its next step. */
  dueAgainMs = 0;
  /** Before all steps until now. */
  thoughtMs = 0;
  isThinking = false;
  deadlineMs = 0;
  /** This try was fired in a stop's aftermath. */
  inAftermath = false;
  /** A try or step of this arrival that is over was spoiled. */
  spoiledBefore = false;
  /** In the queue for a connection. */
  queued = false;
  /** Had to queue, because this process may not open any more, or behind one that has to for that. */
  atLimit = false;
  /** Had to queue, in time, for what the service holds: neither a limit nor a stop of the generator's. */
  isHeld = false;
  sent = false;
  /** The connection it was sent on was opened for it, so its connect time is this request's. */
  connectedFor = false;
  /** Given up while queued: whoever takes it from the queue hands it back. */
  abandoned = false;
  /** Neighbours in the list of deadlines. */
  earlier: Slot | undefined = undefined;
  later: Slot | undefined = undefined;
  /** What it is waiting on. */
  connection: Carrier | undefined = undefined;

  constructor({ run, eventsPerBatch, items }: SlotContextBase) {
    this.context = { run, arrival: 0, device: { deviceId: '', token: '', secret: '', publishable: '' }, eventsPerBatch, intendedWallMs: 0, chance: 0, items };
  }
}

/** Free slots; grows to the most that were ever in flight at once. */
export class SlotPool {
  readonly #free: Slot[] = [];
  readonly #base: SlotContextBase;
  used = 0;

  constructor(base: SlotContextBase) {
    this.#base = base;
  }

  take(): Slot {
    this.used++;
    return this.#free.pop() ?? new Slot(this.#base);
  }

  give(slot: Slot): void {
    this.used--;
    slot.connection = undefined;
    this.#free.push(slot);
  }
}

/**
 * The timeout wheel. Every request has the same timeout, so deadlines end in the order in which they were set and the wheel is a
 * single list: constant time for each request, exact, and a look at its head is all a turn costs.
 */
export class Deadlines {
  #first: Slot | undefined = undefined;
  #last: Slot | undefined = undefined;
  size = 0;

  /** Sets a deadline, or moves it behind all others. */
  set(slot: Slot, deadlineMs: number): void {
    if (this.has(slot)) this.clear(slot);
    this.size++;
    slot.deadlineMs = deadlineMs;
    slot.earlier = this.#last;
    if (this.#last === undefined) this.#first = slot;
    else this.#last.later = slot;
    this.#last = slot;
  }

  has(slot: Slot): boolean {
    return slot.earlier !== undefined || slot.later !== undefined || this.#first === slot;
  }

  clear(slot: Slot): void {
    this.size--;
    if (slot.earlier === undefined) this.#first = slot.later;
    else slot.earlier.later = slot.later;
    if (slot.later === undefined) this.#last = slot.earlier;
    else slot.later.earlier = slot.earlier;
    slot.earlier = undefined;
    slot.later = undefined;
  }

  /** The one that ends first. */
  get first(): Slot | undefined {
    return this.#first;
  }

  *[Symbol.iterator](): Generator<Slot> {
    for (let slot = this.#first; slot !== undefined; slot = slot.later) yield slot;
  }
}
