/**
 * Which connection carries a request. A device prefers its group's; if that one is busy any idle one will do, else another is
 * opened as far as the fleet's bound and pace and the process's own limit let it. Who gets none waits for the next one.
 */
import type { Connection } from './connection.ts';
import type { OpeningPace } from './opening-pace.ts';
import type { Slot } from './slots.ts';
import { WaitingSlots } from './waiting-slots.ts';

export type PoolOptions = {
  /** Groups that keep a connection of their own; 0: a new connection for every request. */
  readonly groups: number;
  /** Connections that the fleet has at most: Infinity where nothing bounds it. */
  readonly fleetMax: number;
  /** Connections that this process may have at most. */
  readonly processMax: number;
  /** Undefined: as fast as they are needed. */
  readonly pace: OpeningPace | undefined;
  /** Starts connecting. */
  readonly open: (group: number) => Connection;
  /** Takes back a slot that was given up while it waited. */
  readonly discard: (slot: Slot) => void;
};

export class ConnectionPool {
  readonly #options: PoolOptions;
  readonly #groups: (Connection | undefined)[];
  readonly #idle: Connection[] = [];
  readonly #waiting: WaitingSlots;
  readonly #openMax: number;
  /** Connections that are open or opening. */
  readonly all = new Set<Connection>();
  #opening = 0;
  /** Somebody waits because this process may not open any more. */
  #isLimited = false;

  constructor(options: PoolOptions) {
    this.#options = options;
    this.#groups = new Array<Connection | undefined>(options.groups).fill(undefined);
    this.#waiting = new WaitingSlots(options.discard);
    this.#openMax = Math.min(options.fleetMax, options.processMax);
  }

  get idleCount(): number {
    return this.#idle.length;
  }

  openGroups(from: number, until: number): void {
    for (let group = from; group < Math.min(until, this.#groups.length); group++) this.#open(group);
  }

  /** A connection that is free now; or undefined, and the slot gets the next one that opens or becomes free. */
  acquire(slot: Slot, group: number, nowMs: number): Connection | undefined {
    const own = this.#groups[group];
    const free = own?.state === 'idle' ? own : this.#idle.at(-1);
    if (free !== undefined) {
      this.#removeIdle(free);
      return free;
    }
    this.#waiting.push(slot);
    // Whoever queues behind one that waits for the process's limit waits for that too.
    this.#isLimited &&= this.#waiting.length > 1;
    if (this.#mayOpen(nowMs)) this.#open(own === undefined ? group : -1);
    else this.#isLimited ||= this.all.size >= this.#options.processMax;
    slot.atLimit = this.#isLimited;
    return undefined;
  }

  /** It has opened, or its answer is complete. Gives the request that waits for a connection, if one does. */
  release(connection: Connection): Slot | undefined {
    if (connection.state === 'opening') this.#opening--;
    const slot = this.#waiting.shift();
    if (slot !== undefined) return slot;
    connection.state = 'idle';
    connection.idleIndex = this.#idle.length;
    this.#idle.push(connection);
    return undefined;
  }

  /** It is closed. Answers the request that was to have it: set where connecting failed. */
  remove(connection: Connection, nowMs: number): Slot | undefined {
    this.all.delete(connection);
    if (connection.state === 'idle') this.#removeIdle(connection);
    if (connection.group >= 0 && this.#groups[connection.group] === connection) this.#groups[connection.group] = undefined;
    const failed = connection.state === 'opening';
    connection.state = 'closed';
    const slot = failed ? this.#failed() : undefined;
    this.openDue(nowMs);
    return slot;
  }

  /** Opens what is waited for, as far as the pace lets it by now. */
  openDue(nowMs: number): void {
    while (this.#waiting.length > this.#opening && this.#mayOpen(nowMs)) this.#open(-1);
  }

  /** A slot that waits was given up. */
  abandon(slot: Slot): void {
    this.#waiting.abandon(slot);
  }

  #failed(): Slot | undefined {
    this.#opening--;
    this.#options.pace?.giveBack();
    return this.#waiting.shift();
  }

  #mayOpen(nowMs: number): boolean {
    return this.all.size < this.#openMax && (this.#options.pace?.take(nowMs) ?? true);
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
