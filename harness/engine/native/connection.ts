// One connection: what it is doing, and the answer it is reading.
import type { Slot } from './slots.ts';
import { ResponseParser } from './wire/response-parser.ts';
import type { ConnectionEvents, Wire, WireConnection } from './wire/wire.ts';

export type ConnectionOwner = {
  readonly opened: (connection: Connection) => void;
  readonly received: (connection: Connection, buffer: Buffer, start: number, end: number, readableSinceMs: number) => void;
  readonly closed: (connection: Connection, code: string) => void;
};

export class Connection implements ConnectionEvents {
  state: 'opening' | 'idle' | 'busy' | 'closed' = 'opening';
  readonly parser = new ResponseParser();
  /** The request it carries. */
  slot: Slot | undefined = undefined;
  idleIndex = 0;
  /** Whose own connection it is; −1: nobody's. */
  readonly group: number;
  readonly startedAtMs: number;
  /** Connecting, with TLS; handed to the first request and then undefined. */
  connectMs: number | undefined = undefined;
  readonly #owner: ConnectionOwner;
  readonly #wire: WireConnection;

  constructor(options: { readonly owner: ConnectionOwner; readonly wire: Wire; readonly group: number; readonly nowMs: number }) {
    this.#owner = options.owner;
    this.group = options.group;
    this.startedAtMs = options.nowMs;
    this.#wire = options.wire.connect(this);
  }

  readonly write = (text: string): void => this.#wire.write(text);
  readonly close = (): void => this.#wire.close();
  readonly onOpen = (): void => this.#owner.opened(this);
  readonly onData = (buffer: Buffer, start: number, end: number, readableSinceMs: number): void =>
    this.#owner.received(this, buffer, start, end, readableSinceMs);
  readonly onClose = (code: string): void => this.#owner.closed(this, code);
}
