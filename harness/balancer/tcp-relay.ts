/** One connection through a TCP listener. */
import { connect, type Socket } from 'node:net';
import { proxyHeaderOf } from './proxy-header.ts';
import { type AccessLine, nameOf, type Passing, type Relaying, type TargetAddress } from './relaying.ts';

export function relayTcp(client: Socket, relaying: Relaying): void {
  const { nextTarget, passing } = relaying;
  const address = nextTarget();
  const record = recordOf(client, address, relaying);
  if (address === undefined) {
    client.resetAndDestroy();
    return record.over('unreachable');
  }
  const target = connect({ ...address, allowHalfOpen: true, noDelay: true });
  const drop = (how: 'fin' | 'rst', why: AccessLine['ended']): void => {
    over(why);
    for (const socket of [client, target]) how === 'rst' ? socket.resetAndDestroy() : socket.destroySoon();
  };
  const idle = watchIdle(client, target, relaying, drop, (why) => over(why));
  const one: Passing = { client, target: address, drop };
  passing.add(one);
  const over = (ended: AccessLine['ended']): void => {
    idle.stop();
    passing.delete(one);
    record.over(ended);
  };
  const heard = (side: Side, bytes: number): void => {
    idle.heard(side);
    record.moved(side, bytes);
  };
  target.once('connect', () => begin({ client, target, relaying, heard }));
  client.once('close', (hadError) => {
    if (record.isOver()) return;
    over('client');
    if (hadError) target.resetAndDestroy();
    else target.destroySoon();
  });
  target
    .on('error', () => undefined)
    .once('close', (hadError) => {
      if (record.isOver()) return;
      over(target.bytesRead === 0 && hadError ? 'unreachable' : 'target');
      if (hadError) client.resetAndDestroy();
      else client.destroySoon();
    });
}

type Side = 'client' | 'target';
type Beginning = { readonly client: Socket; readonly target: Socket; readonly relaying: Relaying; readonly heard: (side: Side, bytes: number) => void };

function begin({ client, target, relaying: { settings }, heard }: Beginning): void {
  const header = proxyHeaderOf(settings.proxyHeader, {
    source: client.remoteAddress ?? '',
    sourcePort: client.remotePort ?? 0,
    destination: client.localAddress ?? '',
    destinationPort: client.localPort ?? 0,
  });
  if (header.length > 0) target.write(header);
  client.on('data', ({ length }) => heard('client', length)).pipe(target);
  target.on('data', ({ length }) => heard('target', length)).pipe(client);
}

function watchIdle(
  client: Socket,
  target: Socket,
  { settings, scale, counts }: Relaying,
  drop: Passing['drop'],
  over: (why: AccessLine['ended']) => void,
): { readonly heard: (side: Side) => void; readonly stop: () => void } {
  const expire = (): void => {
    counts.expired++;
    if (settings.expiry !== 'forget') return drop(settings.expiry, 'idle');
    over('idle');
    forget([client, target]);
  };
  const timer = (ms: number | undefined): NodeJS.Timeout | undefined => (ms === undefined ? undefined : setTimeout(expire, ms / scale).unref());
  const both = timer(settings.idleTimeoutMs);
  const silences = { client: timer(settings.clientSilenceMs), target: timer(settings.targetSilenceMs) };
  return {
    heard: (side) => {
      both?.refresh();
      silences[side]?.refresh();
    },
    stop: () => {
      for (const each of [both, silences.client, silences.target]) clearTimeout(each);
    },
  };
}

/** Nobody is told; whoever sends next is reset, and the other side goes on in the dark. */
function forget(sockets: readonly Socket[]): void {
  for (const socket of sockets) {
    socket.unpipe();
    socket.removeAllListeners('data').removeAllListeners('end');
    socket.once('data', () => socket.resetAndDestroy());
    socket.resume();
  }
}

type Record = { readonly moved: (side: Side, bytes: number) => void; readonly over: (ended: AccessLine['ended']) => void; readonly isOver: () => boolean };

function recordOf(client: Socket, address: TargetAddress | undefined, { scale, moved, log }: Relaying): Record {
  const startedMs = performance.now();
  const name = nameOf(client);
  const bytes = { client: 0, target: 0 };
  let isOver = false;
  return {
    isOver: () => isOver,
    moved: (side, count) => {
      bytes[side] += count;
      moved(count);
    },
    over: (ended) => {
      if (isOver) return;
      isOver = true;
      const target = address === undefined ? undefined : `${address.host}:${address.port}`;
      const seconds = ((performance.now() - startedMs) * scale) / 1000;
      log({ atMs: Date.now(), client: name, target, seconds, bytesIn: bytes.client, bytesOut: bytes.target, ended });
    },
  };
}
