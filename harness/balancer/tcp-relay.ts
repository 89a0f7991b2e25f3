/** One connection through a TCP listener. Its sockets know their flow, so that all flows share their listeners: a closure for each would cost as much as the sockets do. */
import { connect, type Socket } from 'node:net';
import { proxyHeaderOf } from './proxy-header.ts';
import { type AccessLine, nameOf, type Passing, type Relaying, type TargetAddress } from './relaying.ts';

export function relayTcp(client: Socket, relaying: Relaying): void {
  const address = relaying.nextTarget();
  if (address !== undefined) return new Flow(client, address, relaying).begin();
  client.resetAndDestroy();
  relaying.log({ atMs: Date.now(), client: nameOf(client), target: undefined, seconds: 0, bytesIn: 0, bytesOut: 0, ended: 'unreachable' });
}

const flowOf = Symbol('flow');
type FlowSocket = Socket & { [flowOf]?: Flow };

class Flow implements Passing {
  readonly client: FlowSocket;
  readonly target: TargetAddress;
  readonly #upstream: FlowSocket;
  readonly #relaying: Relaying;
  readonly #name: string;
  readonly #startedMs = performance.now();
  readonly #idle: NodeJS.Timeout;
  readonly #clientSilence: NodeJS.Timeout | undefined;
  readonly #targetSilence: NodeJS.Timeout | undefined;
  #bytesIn = 0;
  #bytesOut = 0;
  #isOver = false;

  constructor(client: Socket, target: TargetAddress, relaying: Relaying) {
    const { idleTimeoutMs, clientSilenceMs, targetSilenceMs } = relaying.settings;
    const timer = (ms: number): NodeJS.Timeout => setTimeout(expire, ms / relaying.scale, this).unref();
    this.client = client;
    this.target = target;
    this.#relaying = relaying;
    this.#name = nameOf(client);
    this.#upstream = connect({ ...target, allowHalfOpen: true, noDelay: true });
    this.#idle = timer(idleTimeoutMs);
    this.#clientSilence = clientSilenceMs === undefined ? undefined : timer(clientSilenceMs);
    this.#targetSilence = targetSilenceMs === undefined ? undefined : timer(targetSilenceMs);
  }

  /** The client is not read before its target is there. */
  begin(): void {
    this.#relaying.passing.add(this);
    for (const socket of [this.client, this.#upstream]) {
      socket[flowOf] = this;
      socket.on('data', onData).on('drain', onDrain).on('end', onEnd).on('close', onClose);
    }
    this.#upstream.on('error', onError).on('connect', onConnect);
  }

  connected(): void {
    const { remoteAddress: source = '', remotePort: sourcePort = 0, localAddress: destination = '', localPort: destinationPort = 0 } = this.client;
    const header = proxyHeaderOf(this.#relaying.settings.proxyHeader, { source, sourcePort, destination, destinationPort });
    if (header.length > 0) this.#upstream.write(header);
    this.client.resume();
  }

  other(socket: FlowSocket): FlowSocket {
    return socket === this.client ? this.#upstream : this.client;
  }

  pass(from: FlowSocket, bytes: Buffer): void {
    if (this.#isOver) return;
    this.#idle.refresh();
    this.#relaying.moved(bytes.length);
    if (from === this.client) {
      this.#bytesIn += bytes.length;
      this.#clientSilence?.refresh();
    } else {
      this.#bytesOut += bytes.length;
      this.#targetSilence?.refresh();
    }
    if (!this.other(from).write(bytes)) from.pause();
  }

  closed(socket: FlowSocket, hadError: boolean): void {
    if (this.#isOver) return;
    if (socket === this.client) this.#over('client');
    else this.#over(socket.bytesRead === 0 && hadError ? 'unreachable' : 'target');
    end(this.other(socket), hadError ? 'rst' : 'fin');
  }

  expired(): void {
    const { counts, settings } = this.#relaying;
    counts.expired++;
    if (settings.expiry !== 'forget') return this.drop(settings.expiry, 'idle');
    this.#over('idle');
    forget(this.client);
    forget(this.#upstream);
  }

  drop(how: 'fin' | 'rst', why: AccessLine['ended']): void {
    this.#over(why);
    end(this.client, how);
    end(this.#upstream, how);
  }

  #over(ended: AccessLine['ended']): void {
    if (this.#isOver) return;
    this.#isOver = true;
    for (const timer of [this.#idle, this.#clientSilence, this.#targetSilence]) clearTimeout(timer);
    const { passing, scale, log } = this.#relaying;
    passing.delete(this);
    const seconds = ((performance.now() - this.#startedMs) * scale) / 1000;
    const { host, port } = this.target;
    log({ atMs: Date.now(), client: this.#name, target: `${host}:${port}`, seconds, bytesIn: this.#bytesIn, bytesOut: this.#bytesOut, ended });
  }
}

function onData(this: FlowSocket, bytes: Buffer): void {
  this[flowOf]?.pass(this, bytes);
}
function onDrain(this: FlowSocket): void {
  this[flowOf]?.other(this).resume();
}
function onEnd(this: FlowSocket): void {
  this[flowOf]?.other(this).end();
}
function onClose(this: FlowSocket, hadError: boolean): void {
  this[flowOf]?.closed(this, hadError);
}
function onConnect(this: FlowSocket): void {
  this[flowOf]?.connected();
}
function onError(): void {
  // What it was, the close after it says.
}
function expire(flow: Flow): void {
  flow.expired();
}

function end(socket: Socket, how: 'fin' | 'rst'): void {
  if (how === 'rst') socket.resetAndDestroy();
  else socket.destroySoon();
}

/** Nobody is told; whoever sends next is reset, and the other side goes on in the dark. */
function forget(socket: Socket): void {
  socket.off('data', onData).off('drain', onDrain).off('end', onEnd);
  socket.once('data', () => socket.resetAndDestroy());
  socket.resume();
}
