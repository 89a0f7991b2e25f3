/**
 * One epoll instance and all connections of a thread on it: who is ready, who has to be told that it is closed. It sleeps in the kernel until the
 * next instant or the first bytes, which is why the thread that has one must not wait anywhere else.
 */
import { strict as assert } from 'node:assert';
import { type Arena, createArena, eventBytes, eventDataAt, eventsMax, putTimespec } from './arena.ts';
import { ArrivalStamps } from './arrival-stamps.ts';
import type { EpollConnection } from './epoll-connection.ts';
import { codeOf, type Libc, linux } from './libc.ts';

/** A sleep costs its thread about 18 µs and ends about 20 µs late: what is nearer is looked for without one. */
const sleepMinMs = 0.02;
const serialMax = 0xffff_ffff;

export class EpollLoop {
  readonly libc: Libc;
  readonly arena: Arena;
  readonly nowMs: () => number;
  /** Undefined where the kernel does not stamp. */
  readonly stamps: ArrivalStamps | undefined;
  /** When the sockets were looked at before the last look: what was found in it came after that. */
  previousLookMs: number;
  #lookMs: number;
  readonly #epoll: number;
  /** By descriptor. */
  readonly #connections: (EpollConnection | undefined)[] = [];
  #serial = 0;
  /** Closed, and not told so yet. */
  #closed: EpollConnection[] = [];
  #open = 0;
  #isEnded = false;

  constructor(options: { readonly libc: Libc; readonly nowMs: () => number; readonly stamps: boolean }) {
    this.libc = options.libc;
    this.nowMs = options.nowMs;
    this.arena = createArena(options.libc.addressOf);
    this.#epoll = options.libc.epoll_create1(linux.EPOLL_CLOEXEC);
    if (this.#epoll < 0) throw new Error(`epoll_create1: ${codeOf(options.libc.errno())}`);
    this.stamps = options.stamps ? new ArrivalStamps(options.libc, this.arena, options.nowMs) : undefined;
    this.#lookMs = options.nowMs();
    this.previousLookMs = this.#lookMs;
  }

  get openCount(): number {
    return this.#open;
  }

  /** A descriptor is there. Its number may be that of one whose events are still to be looked at: the serial tells them apart. */
  admit(connection: EpollConnection, descriptor: number): number {
    assert(this.#connections[descriptor] === undefined, 'a descriptor that is in use was given out again');
    this.#connections[descriptor] = connection;
    this.#open++;
    this.#serial = this.#serial === serialMax ? 1 : this.#serial + 1;
    return this.#serial;
  }

  /** Which events are wanted of it; answers the error's number, 0 for none. */
  watch(operation: number, connection: EpollConnection, mask: number): number {
    const { words, bytes, at, pointer } = this.arena;
    words[at.event / 4] = mask;
    bytes.writeUInt32LE(connection.descriptor, at.event + eventDataAt);
    bytes.writeUInt32LE(connection.serial, at.event + eventDataAt + 4);
    return this.libc.epoll_ctl(this.#epoll, operation, connection.descriptor, pointer.event) === 0 ? 0 : this.libc.errno();
  }

  /** Gives the descriptor back: epoll forgets it with that. */
  dismiss(connection: EpollConnection): void {
    const { descriptor } = connection;
    assert(this.#connections[descriptor] === connection);
    this.#connections[descriptor] = undefined;
    this.#open--;
    this.libc.close(descriptor);
  }

  /** Told at the next look, never from within the call that closed it. */
  tellClosed(connection: EpollConnection): void {
    this.#closed.push(connection);
  }

  /** Sleeps until the instant, at most until the first bytes unless it is deaf, and takes what has come. Answers how long it slept. */
  look(untilMs: number, deaf: boolean): number {
    const fromMs = this.nowMs();
    this.stamps?.keep(fromMs);
    const waitMs = this.#closed.length > 0 ? 0 : untilMs - fromMs;
    const sleeps = waitMs > sleepMinMs;
    putTimespec(this.arena, sleeps ? waitMs : 0);
    if (sleeps && deaf) {
      this.libc.clock_nanosleep(linux.CLOCK_MONOTONIC, 0, this.arena.pointer.timespec, null);
      putTimespec(this.arena, 0);
    }
    const found = this.libc.epoll_pwait2(this.#epoll, this.arena.pointer.events, eventsMax, this.arena.pointer.timespec, null);
    const wokenMs = this.nowMs();
    // Fewer than there is room for: everybody was seen.
    this.previousLookMs = this.#lookMs;
    if (found < eventsMax) this.#lookMs = wokenMs;
    this.#tellAllClosed();
    if (found > 0) this.#deliver(found);
    else if (found < 0) this.#expectInterrupted();
    return sleeps ? wokenMs - fromMs : 0;
  }

  /** Descriptors that nobody closes outlive their thread. */
  end(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    for (const connection of this.#connections) connection?.abandon();
    this.#closed = [];
    this.libc.close(this.#epoll);
  }

  #deliver(found: number): void {
    assert(found <= eventsMax);
    const { bytes, at } = this.arena;
    for (let i = 0; i < found; i++) {
      const from = at.events + i * eventBytes;
      const connection = this.#connections[bytes.readUInt32LE(from + eventDataAt)];
      // Closed by a callback of this very look, and its descriptor perhaps another's by now.
      if (connection === undefined || connection.serial !== bytes.readUInt32LE(from + eventDataAt + 4)) continue;
      connection.ready(bytes.readUInt32LE(from));
    }
  }

  #tellAllClosed(): void {
    if (this.#closed.length === 0) return;
    const closed = this.#closed;
    this.#closed = [];
    for (const connection of closed) connection.sayClosed();
  }

  #expectInterrupted(): void {
    const errno = this.libc.errno();
    if (errno !== linux.EINTR) throw new Error(`epoll_pwait2: ${codeOf(errno)}`);
  }
}
