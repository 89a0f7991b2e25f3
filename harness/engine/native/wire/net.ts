// The wire on node:net and node:tls: raw sockets, one read buffer for all of a thread's connections, no stream above them.
import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { EngineTarget } from '#harness/engine/engine.ts';
import type { LoopTurns } from './loop-turns.ts';
import type { ConnectionEvents, Wire, WireConnection } from './wire.ts';

/** Far above one answer of the contract; a longer one comes in several reads. */
const readBufferBytes = 65_536;

export type NetWireOptions = { readonly target: EngineTarget; readonly nowMs: () => number; readonly turns: LoopTurns };

export function createNetWire({ target, nowMs, turns }: NetWireOptions): Wire {
  // Shared: libuv reads into it and the callback has consumed it before the next socket is read.
  const buffer = Buffer.allocUnsafeSlow(readBufferBytes);
  const open = (events: ConnectionEvents): Socket => {
    const onRead = (bytes: number): boolean => {
      events.onData(buffer, 0, bytes, turns.enter(nowMs()));
      return true;
    };
    const options = { host: target.host, port: target.port, noDelay: true, onread: { buffer, callback: onRead } };
    if (target.tls === undefined) return connectTcp(options).once('connect', events.onOpen);
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
    secure.on('data', (chunk: Buffer) => events.onData(chunk, 0, chunk.length, turns.enter(nowMs())));
    return secure.once('secureConnect', events.onOpen);
  };
  const connect = (events: ConnectionEvents): WireConnection => {
    const socket = open(events);
    let code = 'closed';
    socket.on('error', (error: NodeJS.ErrnoException) => {
      code = error.code ?? error.message;
    });
    // The peer has ended: no further answer can come on it.
    socket.on('end', () => socket.destroy());
    socket.on('close', () => events.onClose(code));
    return { write: (text) => void socket.write(text, 'latin1'), close: () => void socket.destroy() };
  };
  return { name: target.tls === undefined ? 'net' : 'tls', connect };
}
