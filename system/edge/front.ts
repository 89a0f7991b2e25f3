/**
 * Before the HTTP server, on each connection: what is asked plainly is answered from here, without that server's work
 * for a request. With the first request that is not plain the connection becomes the HTTP server's own, with every
 * byte of that request, and stays so. It must never answer what that server would have answered otherwise.
 */
import type { Server as HttpServer } from 'node:http';
import type { Socket } from 'node:net';
import { Server as TlsServer } from 'node:tls';

/** The bytes of an answer as latin1, none where nobody is there any more; `isLast`: the connection ends with it. */
export type PlainAnswer = { readonly text: string; readonly isLast: boolean };

export type FrontOptions = {
  readonly http: HttpServer;
  /**
   * Undefined at once: no plain request. Undefined later, or a rejection: nothing was answered, and the HTTP server is
   * to do it all. `isGone` is asked where the request had to wait.
   */
  readonly answer: (bytes: Buffer, isGone: () => boolean) => Promise<PlainAnswer | undefined> | undefined;
};

export type Front = {
  /** A connection as it was accepted. */
  readonly take: (socket: Socket) => void;
  /** From here on all is the HTTP server's; what is being answered is answered first. */
  readonly stepAside: () => void;
};

/** Who says nothing for so long on a new connection is the HTTP server's: with that one's own deadline it is gone within 30 s. */
const silentMs = 5000;

/** Everything is the HTTP server's. */
export const noFront = (http: HttpServer): Front => ({
  take: (socket) => http.emit('connection', socket),
  stepAside: () => undefined,
});

export function createFront(options: FrontOptions): Front {
  // TLS has to be spoken before anything can be read.
  if (options.http instanceof TlsServer) return noFront(options.http);
  const visitors = new Set<Visitor>();
  let isAside = false;
  return {
    take: (socket) => {
      if (isAside) options.http.emit('connection', socket);
      else visitors.add(new Visitor(socket, options, (visitor) => visitors.delete(visitor)));
    },
    stepAside: () => {
      isAside = true;
      for (const visitor of visitors) visitor.stepAside();
    },
  };
}

class Visitor {
  readonly #socket: Socket;
  readonly #options: FrontOptions;
  readonly #onGone: (visitor: Visitor) => void;
  #isBusy = false;
  #isKnown = false;
  #isLeaving = false;
  /** Came while the request before it was being answered. */
  #next: Buffer | undefined;

  constructor(socket: Socket, options: FrontOptions, onGone: (visitor: Visitor) => void) {
    this.#socket = socket;
    this.#options = options;
    this.#onGone = onGone;
    socket.on('data', this.#onData).on('end', this.#onEnd).on('timeout', this.#onTimeout);
    socket.on('error', this.#onError).on('close', this.#onClose);
    socket.setTimeout(silentMs);
  }

  stepAside(): void {
    this.#isLeaving = true;
    if (!this.#isBusy) this.#handOver(undefined);
  }

  #onData = (bytes: Buffer): void => {
    if (!this.#isBusy) return this.#serve(bytes);
    this.#next = this.#next === undefined ? bytes : Buffer.concat([this.#next, bytes]);
    this.#socket.pause();
  };

  #serve(bytes: Buffer): void {
    const answering = this.#socket.writableNeedDrain ? undefined : this.#options.answer(bytes, this.#isGone);
    if (answering === undefined) return this.#handOver(bytes);
    this.#isBusy = true;
    answering.then(
      (answer) => this.#finish(bytes, answer),
      () => this.#finish(bytes, undefined),
    );
  }

  #finish(bytes: Buffer, answer: PlainAnswer | undefined): void {
    this.#isBusy = false;
    const next = this.#next;
    this.#next = undefined;
    if (!this.#socket.writable) return;
    if (answer === undefined) return this.#handOver(next === undefined ? bytes : Buffer.concat([bytes, next]));
    this.#socket.write(answer.text, 'latin1');
    if (answer.isLast) this.#socket.end();
    else this.#goOn(next);
  }

  /** Whoever has closed his half does not wait for an answer that was not begun. */
  #isGone = (): boolean => this.#socket.destroyed || this.#socket.readableEnded;

  #goOn(next: Buffer | undefined): void {
    const { keepAliveTimeout, keepAliveTimeoutBuffer } = this.#options.http;
    if (!this.#isKnown) this.#socket.setTimeout(keepAliveTimeout + keepAliveTimeoutBuffer);
    this.#isKnown = true;
    if (this.#isLeaving) return this.#handOver(next);
    if (next === undefined) return;
    this.#socket.resume();
    this.#serve(next);
  }

  #handOver(bytes: Buffer | undefined): void {
    const socket = this.#socket;
    socket.pause();
    socket.setTimeout(0);
    this.#leave();
    this.#options.http.emit('connection', socket);
    socket.off('error', this.#onError);
    // As if it had just come: HTTP listens by now.
    if (bytes !== undefined) socket.unshift(bytes);
    socket.resume();
  }

  #leave(): void {
    this.#socket.off('data', this.#onData).off('end', this.#onEnd);
    this.#socket.off('timeout', this.#onTimeout).off('close', this.#onClose);
    this.#onGone(this);
  }

  /** As the HTTP server does it: who closes his half is not answered any more. */
  #onEnd = (): void => void this.#socket.end();
  #onError = (): void => undefined;
  #onClose = (): void => this.#leave();

  #onTimeout = (): void => {
    if (this.#isBusy) return;
    if (this.#isKnown) this.#socket.destroy();
    else this.#handOver(undefined);
  };
}
