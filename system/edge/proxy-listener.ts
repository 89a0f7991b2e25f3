/** Reads each connection's PROXY header, then gives the connection to the HTTP server as if it came from the client. */
import { BlockList, createServer, isIP, isIPv6, type Server, type Socket } from 'node:net';
import type { Front } from './front.ts';
import { type ProxyClient, type ProxyVersion, parseHeader } from './proxy-header.ts';

export type ProxyListenerOptions = {
  readonly version: ProxyVersion;
  /** Networks as `10.0.0.0/8`: whoever else connects is closed. */
  readonly trusted: readonly string[];
  /** Takes the connection behind its header. */
  readonly front: Pick<Front, 'take'>;
};

const headerDeadlineMs = 3000;

/** Not listening yet. */
export function createProxyListener({ version, trusted, front }: ProxyListenerOptions): Server {
  const networks = networksOf(trusted);
  return createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    const { remoteAddress = '' } = socket;
    if (!networks.check(plain(remoteAddress), isIPv6(plain(remoteAddress)) ? 'ipv6' : 'ipv4')) socket.destroy();
    else readHeader(socket, version, () => front.take(socket));
  });
}

/** An IPv4 client of a socket that listens on IPv6. */
const plain = (address: string): string => (address.startsWith('::ffff:') ? address.slice('::ffff:'.length) : address);

function readHeader(socket: Socket, version: ProxyVersion, hand: () => void): void {
  let held = Buffer.alloc(0);
  const deadline = setTimeout(() => socket.destroy(), headerDeadlineMs);
  const onError = (): void => undefined;
  const leave = (): void => {
    clearTimeout(deadline);
    socket.off('readable', onReadable).off('close', leave).off('end', onEnd);
  };
  const onEnd = (): void => void socket.destroy();
  const onReadable = (): void => {
    for (let bytes = socket.read() as Buffer | null; bytes !== null; bytes = socket.read() as Buffer | null) held = Buffer.concat([held, bytes]);
    const parsed = parseHeader(version, held);
    if (parsed.kind === 'more') return;
    leave();
    if (parsed.kind === 'invalid') {
      socket.destroy();
      return;
    }
    if (parsed.client !== undefined) speakFor(socket, parsed.client);
    socket.off('error', onError);
    hand();
    const rest = held.subarray(parsed.bytes);
    // As if it had just come: HTTP listens by now.
    if (rest.length > 0) socket.unshift(rest);
    socket.resume();
  };
  socket.on('readable', onReadable).on('close', leave).on('end', onEnd).on('error', onError);
}

function speakFor(socket: Socket, { address, port }: ProxyClient): void {
  Object.defineProperties(socket, {
    remoteAddress: { value: address, configurable: true },
    remotePort: { value: port, configurable: true },
    remoteFamily: { value: isIPv6(address) ? 'IPv6' : 'IPv4', configurable: true },
  });
}

/** Throws where a network is not one. */
export function networksOf(texts: readonly string[]): BlockList {
  const list = new BlockList();
  for (const text of texts) {
    const [address = '', bits] = text.split('/');
    const family = isIP(address);
    const widest = family === 6 ? 128 : 32;
    const prefix = bits === undefined ? widest : Number(bits);
    if (family === 0 || address.includes('%') || !Number.isInteger(prefix) || prefix < 0 || prefix > widest)
      throw new RangeError(`"${text}" is not a network, as 10.0.0.0/8`);
    list.addSubnet(address, prefix, family === 6 ? 'ipv6' : 'ipv4');
  }
  return list;
}
