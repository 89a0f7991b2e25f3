/**
 * Which connection carries a request. A device prefers its group's; a busy one is no reason to wait, since a pool that queues measures
 * itself. Only at the limit does a request wait, and then it is counted.
 */
import type { Connection } from './connection.ts';
import type { Slot } from './slots.ts';

/** A queue whose entries may be given up in the middle. */
class SlotQueue {
  #items: (Slot | undefined)[] = [];
  #head = 0;

  get length(): number {
    return this.#items.length - this.#head;
  }

  push(slot: Slot): void {
    this.#items.push(slot);
  }

  shift(): Slot | undefined {
    const slot = this.#items[this.#head];
    if (slot === undefined) return undefined;
    this.#items[this.#head++] = undefined;
    if (this.#head > 1024 && this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return slot;
  }
}

export type PoolOptions = {
  /** Groups that keep a connection of their own; 0: a new connection for every request. */
  readonly groups: number;
  readonly connectionsMax: number;
  /** Starts connecting. */
  readonly open: (group: number) => Connection;
  /** Takes back a slot that was given up while it waited. */
  readonly discard: (slot: Slot) => void;
};

export class ConnectionPool {
  readonly #options: PoolOptions;
  readonly #groups: (Connection | undefined)[];
  readonly #idle: Connection[] = [];
  readonly #waiting = new SlotQueue();
  /** Connections that are open or opening. */
  readonly all = new Set<Connection>();
  #opening = 0;

  constructor(options: PoolOptions) {
    this.#options = options;
    this.#groups = new Array<Connection | undefined>(options.groups).fill(undefined);
  }

  get idleCount(): number {
    return this.#idle.length;
  }

  openGroups(from: number, until: number): void {
    for (let group = from; group < Math.min(until, this.#groups.length); group++) this.#open(group);
  }

  /** A connection that is free now; or undefined, and the slot gets the next one that opens or becomes free. */
  acquire(slot: Slot, group: number): Connection | undefined {
    const own = this.#groups[group];
    const free = own?.state === 'idle' ? own : this.#idle.at(-1);
    if (free !== undefined) {
      this.#removeIdle(free);
      return free;
    }
    slot.queued = true;
    this.#waiting.push(slot);
    if (this.all.size < this.#options.connectionsMax) this.#open(own === undefined ? group : -1);
    else slot.atLimit = true;
    return undefined;
  }

  /** It has opened, or its answer is complete. Gives the request that waits for a connection, if one does. */
  release(connection: Connection): Slot | undefined {
    if (connection.state === 'opening') this.#opening--;
    const slot = this.#takeWaiting();
    if (slot !== undefined) return slot;
    connection.state = 'idle';
    connection.idleIndex = this.#idle.length;
    this.#idle.push(connection);
    return undefined;
  }

  /** It is closed. Answers the request that was to have it: set where connecting failed. */
  remove(connection: Connection): Slot | undefined {
    this.all.delete(connection);
    if (connection.state === 'idle') this.#removeIdle(connection);
    if (connection.group >= 0 && this.#groups[connection.group] === connection) this.#groups[connection.group] = undefined;
    const failed = connection.state === 'opening';
    if (failed) this.#opening--;
    connection.state = 'closed';
    const slot = failed ? this.#takeWaiting() : undefined;
    // Those that wait at the limit wait for a connection, and one has just gone.
    if (this.#waiting.length > this.#opening && this.all.size < this.#options.connectionsMax) this.#open(-1);
    return slot;
  }

  #takeWaiting(): Slot | undefined {
    for (;;) {
      const slot = this.#waiting.shift();
      if (slot === undefined) return undefined;
      slot.queued = false;
      if (!slot.abandoned) return slot;
      this.#options.discard(slot);
    }
  }

  #open(group: number): void {
    const connection = this.#options.open(this.#options.groups === 0 ? -1 : group);
    this.all.add(connection);
    this.#opening++;
    if (connection.group >= 0) this.#groups[connection.group] = connection;
  }

  #removeIdle(connection: Connection): void {
    const last = this.#idle.pop()!;
    if (last !== connection) {
      this.#idle[connection.idleIndex] = last;
      last.idleIndex = connection.idleIndex;
    }
    connection.state = 'busy';
  }
}
