/** One socket: connecting, open or closed, what it still has to send, and what it wants to hear of. Errors are told as `net` names them. */
import type { ConnectionEvents, WireConnection } from '#harness/engine/native/wire/wire.ts';
import { putBytes, putText, readBytes, readyMessage, writeBytes } from './arena.ts';
import type { EpollLoop } from './epoll-loop.ts';
import { codeOf, linux } from './libc.ts';
import type { SocketAddress } from './socket-address.ts';

/** What a name means now, and which of its addresses answered last. */
export type Addresses = { all: readonly SocketAddress[]; first: number };

type State = 'connecting' | 'open' | 'closed';

const { EPOLLIN, EPOLLOUT, EPOLL_CTL_ADD, EPOLL_CTL_DEL, EPOLL_CTL_MOD } = linux;

export class EpollConnection implements WireConnection {
  descriptor = -1;
  /** Of this use of the descriptor. */
  serial = 0;
  readonly #loop: EpollLoop;
  readonly #addresses: Addresses;
  readonly #events: ConnectionEvents;
  #state: State = 'connecting';
  /** How many of the addresses were tried. */
  #tried = 0;
  /** What epoll was told; 0: it does not know the socket. */
  #mask = 0;
  #isPaused = false;
  #unsent: Buffer | undefined = undefined;
  #code = 'closed';

  constructor(loop: EpollLoop, addresses: Addresses, events: ConnectionEvents) {
    this.#loop = loop;
    this.#addresses = addresses;
    this.#events = events;
    this.#dial();
  }

  write(text: string): void {
    if (this.#state === 'closed') return;
    if (this.#state === 'connecting' || this.#unsent !== undefined || text.length > writeBytes) return this.#queue(text);
    const length = putText(this.#loop.arena, text);
    const sent = this.#send(length);
    if (sent < length && this.#isOpen()) this.#queue(text.slice(sent));
  }

  pause(): void {
    this.#isPaused = true;
    this.#watch();
  }

  resume(): void {
    this.#isPaused = false;
    this.#watch();
  }

  close(): void {
    this.#end('closed');
  }

  /** With the loop: nobody is told. */
  abandon(): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#loop.dismiss(this);
  }

  sayClosed(): void {
    this.#events.onClose(this.#code);
  }

  // ---- what the loop says

  ready(events: number): void {
    if (this.#state === 'connecting') return this.#connected();
    if ((events & EPOLLOUT) !== 0 && this.#unsent !== undefined) this.#flush();
    if (!this.#isOpen()) return;
    // A reset or the end of both sides is reported whether it was asked for or not; to read is to learn which.
    if (!this.#isPaused) return this.#read();
    if ((events & ~EPOLLOUT) !== 0) this.#endIfBroken();
  }

  // ---- connecting

  #dial(): void {
    const { all, first } = this.#addresses;
    const address = all[(first + this.#tried++) % all.length] as SocketAddress;
    const { libc, arena } = this.#loop;
    const descriptor = libc.socket(address.family, linux.SOCK_STREAM | linux.SOCK_NONBLOCK | linux.SOCK_CLOEXEC, 0);
    if (descriptor < 0) return this.#failed(libc.errno());
    this.descriptor = descriptor;
    this.serial = this.#loop.admit(this, descriptor);
    this.#setOptions();
    arena.bytes.set(address.bytes, arena.at.address);
    const answer = libc.connect(descriptor, arena.pointer.address, address.bytes.length);
    const errno = answer === 0 ? 0 : libc.errno();
    if (errno !== 0 && errno !== linux.EINPROGRESS) return this.#failed(errno);
    this.#watch();
  }

  #setOptions(): void {
    const { libc, arena, stamps } = this.#loop;
    arena.signed[arena.at.option / 4] = 1;
    libc.setsockopt(this.descriptor, linux.IPPROTO_TCP, linux.TCP_NODELAY, arena.pointer.option, 4);
    if (stamps !== undefined) libc.setsockopt(this.descriptor, linux.SOL_SOCKET, linux.SO_TIMESTAMPNS, arena.pointer.option, 4);
  }

  #connected(): void {
    const errno = this.#takeError();
    if (errno !== 0) return this.#failed(errno);
    const { all } = this.#addresses;
    this.#addresses.first = (this.#addresses.first + this.#tried - 1) % all.length;
    this.#state = 'open';
    this.#watch();
    if (this.#unsent !== undefined) this.#flush();
    if (this.#isOpen()) this.#events.onOpen();
  }

  /** A name may have more than one address, and the service listen at one of them. */
  #failed(errno: number): void {
    if (this.descriptor < 0 || this.#tried >= this.#addresses.all.length) return this.#end(codeOf(errno));
    this.#loop.dismiss(this);
    this.descriptor = -1;
    this.#mask = 0;
    this.#dial();
  }

  // ---- bytes

  #read(): void {
    const { libc, arena, stamps, nowMs } = this.#loop;
    readyMessage(arena);
    const length = libc.recvmsg(this.descriptor, arena.pointer.message, 0);
    if (length > 0) {
      const sinceMs = stamps?.read(nowMs()) ?? this.#loop.previousLookMs;
      return this.#events.onData(arena.bytes, arena.at.read, arena.at.read + Math.min(length, readBytes), sinceMs);
    }
    // The peer has ended: no further answer can come on it.
    if (length === 0) return this.#end('closed');
    const errno = libc.errno();
    if (!isForLater(errno)) this.#end(codeOf(errno));
  }

  /** Bytes of the arena that the kernel took; the connection may be closed after it. */
  #send(length: number): number {
    const { libc, arena } = this.#loop;
    const sent = libc.send(this.descriptor, arena.pointer.write, length, linux.MSG_NOSIGNAL);
    if (sent >= 0) return sent;
    const errno = libc.errno();
    if (!isForLater(errno)) this.#end(codeOf(errno));
    return 0;
  }

  #queue(text: string): void {
    const fresh = Buffer.from(text, 'latin1');
    this.#unsent = this.#unsent === undefined ? fresh : Buffer.concat([this.#unsent, fresh]);
    if (this.#state === 'open' && this.#mask === this.#wanted(false)) this.#flush();
    if (this.#isOpen()) this.#watch();
  }

  #flush(): void {
    let unsent = this.#unsent;
    while (unsent !== undefined && this.#isOpen()) {
      const length = putBytes(this.#loop.arena, unsent, 0);
      const sent = this.#send(length);
      unsent = sent === unsent.length ? undefined : unsent.subarray(sent);
      if (sent < length) break;
    }
    this.#unsent = unsent;
    if (this.#isOpen()) this.#watch();
  }

  // ---- what epoll is told

  #wanted(writes: boolean): number {
    if (this.#state === 'connecting') return EPOLLOUT;
    return (this.#isPaused ? 0 : EPOLLIN) | (writes ? EPOLLOUT : 0);
  }

  /** Who wants nothing is taken out: a reset would be told at every look otherwise. */
  #watch(): void {
    if (this.#state === 'closed') return;
    const mask = this.#wanted(this.#unsent !== undefined);
    if (mask === this.#mask) return;
    const operation = this.#mask === 0 ? EPOLL_CTL_ADD : mask === 0 ? EPOLL_CTL_DEL : EPOLL_CTL_MOD;
    const errno = this.#loop.watch(operation, this, mask);
    if (errno !== 0) return this.#end(codeOf(errno));
    this.#mask = mask;
  }

  #isOpen(): boolean {
    return this.#state === 'open';
  }

  #endIfBroken(): void {
    const errno = this.#takeError();
    if (errno !== 0) this.#end(codeOf(errno));
  }

  /** The socket's pending error, which is taken with it. */
  #takeError(): number {
    const { libc, arena } = this.#loop;
    arena.signed[arena.at.option / 4] = 0;
    arena.signed[arena.at.option / 4 + 1] = 4;
    const answer = libc.getsockopt(this.descriptor, linux.SOL_SOCKET, linux.SO_ERROR, arena.pointer.option, arena.pointer.option + 4n);
    return answer === 0 ? (arena.signed[arena.at.option / 4] as number) : libc.errno();
  }

  #end(code: string): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#code = code;
    this.#unsent = undefined;
    if (this.descriptor >= 0) this.#loop.dismiss(this);
    this.#loop.tellClosed(this);
  }
}

/** The kernel has no room now and will have it: libuv takes ENOBUFS for that too. */
const isForLater = (errno: number): boolean => errno === linux.EAGAIN || errno === linux.ENOBUFS || errno === linux.EINTR;
