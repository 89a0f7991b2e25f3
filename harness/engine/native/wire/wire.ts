/**
 * The socket layer behind one seam: bytes and connections, no HTTP. `net.ts` is the real one; simulation brings a scripted one.
 * A connection carries one request at a time, so the seam needs no tags.
 */

export type ConnectionEvents = {
  /** Connected and, with TLS, through the handshake. */
  readonly onOpen: () => void;
  /**
   * Bytes start … end of a buffer that is reused after the call. `readableSinceMs`: when the last of them were there to read (since the run's
   * origin), where the wire is told (`stampsArrivals`); else from when on they may have been.
   */
  readonly onData: (buffer: Buffer, start: number, end: number, readableSinceMs: number) => void;
  /** Exactly once, also after `close()`; also where connecting failed. `code` as the system names it (`ECONNRESET`), or `closed`. */
  readonly onClose: (code: string) => void;
};

export type WireConnection = {
  /** One request, latin1. Hands the bytes to the kernel before it returns unless its buffer is full. */
  readonly write: (text: string) => void;
  /** Nothing more is read until `resume`: the kernel's buffers fill, and then the peer's. */
  readonly pause: () => void;
  readonly resume: () => void;
  /** At once: what is not sent yet is discarded. */
  readonly close: () => void;
};

export type Wire = {
  readonly name: string;
  /** Whether the kernel says when bytes came: then a read that is late costs nothing but its own lateness. */
  readonly stampsArrivals: boolean;
  /** Never throws and never calls back before it has returned. */
  readonly connect: (events: ConnectionEvents) => WireConnection;
};

/** What ends a sleep before its time: bytes, or nothing. */
export type SleepKind = 'until-bytes' | 'deaf';

/** The sockets of a thread: a wire for each of its targets. */
export type Wires = {
  readonly name: string;
  readonly of: readonly Wire[];
  /**
   * Where the thread sleeps in its own sockets: sleeps until an instant (since the run's origin), reads what has come, and gives how long it slept, in ms.
   * Nothing is read, opened or closed but in here. Missing where the event loop of the runtime does all that.
   */
  readonly sleep: ((untilMs: number, kind: SleepKind) => number) | undefined;
  /** To be called where the thread takes a turn that no bytes gave it. */
  readonly noteTurn: () => void;
  /** Closes everything, without a word to anybody. */
  readonly end: () => void;
};

/** `auto`: epoll where it can be, else net. */
export type WireChoice = 'auto' | 'net' | 'epoll';
