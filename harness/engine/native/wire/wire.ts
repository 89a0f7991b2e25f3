/**
 * The socket layer behind one seam: bytes and connections, no HTTP. `net.ts` is the real one; simulation brings a scripted one.
 * A connection carries one request at a time, so the seam needs no tags.
 */

export type ConnectionEvents = {
  /** Connected and, with TLS, through the handshake. */
  readonly onOpen: () => void;
  /**
   * Bytes start … end of a buffer that is reused after the call. `readableSinceMs`: from when on (since the run's origin) these bytes
   * may already have been there to read.
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
  /** Never throws and never calls back before it has returned. */
  readonly connect: (events: ConnectionEvents) => WireConnection;
};
