/** Exchanges through an HTTP listener, over a pool of kept connections to the targets. */
import { Agent, type ClientRequest, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { type AccessLine, nameOf, type Passing, type Relaying } from './relaying.ts';

/**
 * Takes no hint of the target's Keep-Alive header: a real balancer does not either. It does not listen to a connection that is not in use, so
 * it behaves as if every goodbye of a target crossed the next request on its way: what happens to some requests of a real one happens to all.
 */
class PlainAgent extends Agent {
  readonly #idleMs: number;
  constructor(idleMs: number) {
    super({ keepAlive: true, maxSockets: Number.POSITIVE_INFINITY, maxFreeSockets: Number.POSITIVE_INFINITY, scheduling: 'lifo' });
    this.#idleMs = idleMs;
  }
  override keepSocketAlive(socket: Socket): boolean {
    socket.setKeepAlive(false);
    socket.setTimeout(this.#idleMs);
    handleOf(socket)?.readStop();
    socket.unref();
    return true;
  }
  override reuseSocket(socket: Socket, request: ClientRequest): void {
    super.reuseSocket(socket, request);
    socket.setTimeout(0);
    handleOf(socket)?.readStart();
  }
}

/** Pausing the stream is not enough: the end of one that is empty is told all the same. */
const handleOf = (socket: Socket) => (socket as Socket & { readonly _handle?: { readonly readStop: () => void; readonly readStart: () => void } })._handle;

const hopByHop = new Set(['connection', 'keep-alive', 'proxy-connection', 'te', 'trailer', 'transfer-encoding', 'upgrade']);

export function relayHttp(relaying: Relaying): { readonly handle: (incoming: IncomingMessage, outgoing: ServerResponse) => void; readonly close: () => void } {
  const agent = new PlainAgent(relaying.settings.idleTimeoutMs / relaying.scale);
  return { handle: (incoming, outgoing) => pass({ incoming, outgoing, agent, relaying }), close: () => agent.destroy() };
}

type Exchange = { readonly incoming: IncomingMessage; readonly outgoing: ServerResponse; readonly agent: Agent; readonly relaying: Relaying };

function pass({ incoming, outgoing, agent, relaying }: Exchange): void {
  const { settings, scale, nextTarget, counts, passing, moved, requested, log } = relaying;
  const startedMs = performance.now();
  const client = incoming.socket;
  const name = nameOf(client);
  const target = nextTarget();
  let isOver = false;
  let bytesIn = 0;
  let bytesOut = 0;
  requested();
  const over = (ended: AccessLine['ended'], status?: number): void => {
    if (isOver) return;
    isOver = true;
    clearTimeout(idle);
    passing.delete(one);
    const seconds = ((performance.now() - startedMs) * scale) / 1000;
    const base = { atMs: Date.now(), client: name, target: target && `${target.host}:${target.port}`, seconds, bytesIn, bytesOut, ended };
    log({ ...base, request: `${incoming.method} ${incoming.url}`, ...(status === undefined ? {} : { status }) });
  };
  const one: Passing = {
    client,
    target: target ?? { host: '', port: 0 },
    drop: (how, why) => {
      over(why);
      upstream?.destroy();
      if (how === 'rst') client.resetAndDestroy();
      else client.destroySoon();
    },
  };
  const idle = setTimeout(() => {
    counts.expired++;
    one.drop(settings.expiry === 'fin' ? 'fin' : 'rst', 'idle');
  }, settings.idleTimeoutMs / scale).unref();
  const answer = (status: number, ended: AccessLine['ended']): void => {
    over(ended, status);
    if (outgoing.headersSent) client.resetAndDestroy();
    else outgoing.writeHead(status, { 'content-length': '0' }).end();
  };
  if (target === undefined) return answer(503, 'unreachable');
  passing.add(one);
  const headers = Object.fromEntries(Object.entries(incoming.headers).filter(([header]) => !hopByHop.has(header)));
  const before = headers['x-forwarded-for'];
  headers['x-forwarded-for'] = before === undefined ? client.remoteAddress : `${String(before)}, ${client.remoteAddress}`;
  const upstream = request({ ...target, agent, method: incoming.method, path: incoming.url, headers }, (came) => {
    const kept = Object.fromEntries(Object.entries(came.headers).filter(([header]) => !hopByHop.has(header)));
    outgoing.writeHead(came.statusCode ?? 502, kept);
    outgoing.flushHeaders();
    came.on('data', (bytes: Buffer) => {
      idle.refresh();
      moved(bytes.length);
      bytesOut += bytes.length;
    });
    came.on('error', () => one.drop('rst', 'target'));
    came.on('end', () => over('answered', came.statusCode));
    came.pipe(outgoing);
  });
  incoming.on('data', (bytes: Buffer) => {
    idle.refresh();
    moved(bytes.length);
    bytesIn += bytes.length;
  });
  // The target closed a kept connection while the request was on its way: what a balancer answers with 502.
  upstream.on('error', () => {
    if (!isOver) answer(502, 'target');
  });
  client.once('close', () => {
    if (isOver) return;
    over('client');
    upstream.destroy();
  });
  incoming.pipe(upstream);
}
