// The wire on node:net and node:tls: raw sockets, one read buffer for all of a thread's connections, no stream above them.
import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { EngineTarget } from '#harness/engine/engine.ts';
import type { LoopTurns } from './loop-turns.ts';
import type { ConnectionEvents, Wire, WireConnection } from './wire.ts';

/** Far above one answer of the contract; a longer one comes in several reads. */
const readBufferBytes = 65_536;

export type NetWireOptions = { readonly target: EngineTarget; readonly nowMs: () => number; readonly turns: LoopTurns };

const eventsKey = Symbol('events');
const codeKey = Symbol('code');
type WireSocket = Socket & { [eventsKey]: ConnectionEvents; [codeKey]: string };

// The same functions for every socket: ten thousand held streams must not bring five closures each.
function onConnect(this: WireSocket): void {
  this[eventsKey].onOpen();
}
function onError(this: WireSocket, error: NodeJS.ErrnoException): void {
  this[codeKey] = error.code ?? error.message;
}
/** The peer has ended: no further answer can come on it. */
function onEnd(this: WireSocket): void {
  this.destroy();
}
function onClose(this: WireSocket): void {
  this[eventsKey].onClose(this[codeKey]);
}

class NetConnection implements WireConnection {
  readonly #socket: Socket;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  write(text: string): void {
    this.#socket.write(text, 'latin1');
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  close(): void {
    this.#socket.destroy();
  }
}

export function createNetWire({ target, nowMs, turns }: NetWireOptions): Wire {
  // Shared: libuv reads into it and the callback has consumed it before the next socket is read.
  const buffer = Buffer.allocUnsafeSlow(readBufferBytes);
  function onRead(this: WireSocket, bytes: number): boolean {
    this[eventsKey].onData(buffer, 0, bytes, turns.enter(nowMs()));
    return true;
  }
  const options = { host: target.host, port: target.port, noDelay: true, onread: { buffer, callback: onRead as (bytes: number) => boolean } };
  const open = (): Socket => {
    if (target.tls === undefined) return connectTcp(options).once('connect', onConnect);
    const { serverName, ca } = target.tls;
    const secure = connectTls({
      host: target.host,
      port: target.port,
      servername: serverName ?? '',
      ALPNProtocols: ['http/1.1'],
      ...(ca === undefined ? {} : { ca }),
    });
    // TLS decrypts into buffers of its own, and `onread` is not honoured by every version.
    secure.setNoDelay(true);
    secure.on('data', (chunk: Buffer) => (secure as unknown as WireSocket)[eventsKey].onData(chunk, 0, chunk.length, turns.enter(nowMs())));
    return secure.once('secureConnect', onConnect);
  };
  const connect = (events: ConnectionEvents): WireConnection => {
    const socket = open() as WireSocket;
    socket[eventsKey] = events;
    socket[codeKey] = 'closed';
    socket.on('error', onError).on('end', onEnd).on('close', onClose);
    return new NetConnection(socket);
  };
  return { name: target.tls === undefined ? 'net' : 'tls', stampsArrivals: false, connect };
}
