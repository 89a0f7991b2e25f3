/** The PROXY protocol's header, versions 1 and 2 (haproxy.org, proxy-protocol.txt), from bytes that may come one by one. Pure. */
import { isIPv4, isIPv6 } from 'node:net';

export type ProxyVersion = 'v1' | 'v2';
export type ProxyClient = { readonly address: string; readonly port: number };

export type HeaderParse =
  | { readonly kind: 'more' }
  | { readonly kind: 'invalid'; readonly reason: string }
  /** `client` undefined: LOCAL, UNKNOWN or a family without addresses. `bytes`: where the header ends. */
  | { readonly kind: 'header'; readonly client: ProxyClient | undefined; readonly bytes: number };

const lineBytesMax = 107;
const signature = Buffer.from('0d0a0d0a000d0a515549540a', 'hex');
const fixedBytes = 16;
export const headerBytesMax = 4096;

export function parseHeader(version: ProxyVersion, bytes: Buffer): HeaderParse {
  return version === 'v1' ? parseLine(bytes) : parseBinary(bytes);
}

const invalid = (reason: string): HeaderParse => ({ kind: 'invalid', reason });

function parseLine(bytes: Buffer): HeaderParse {
  const begin = Buffer.from('PROXY ');
  if (!bytes.subarray(0, begin.length).equals(begin.subarray(0, bytes.length))) return invalid('it does not begin with PROXY');
  const end = bytes.indexOf('\r\n');
  if (end < 0) return bytes.length >= lineBytesMax ? invalid(`no line end within ${lineBytesMax} bytes`) : { kind: 'more' };
  if (end + 2 > lineBytesMax) return invalid(`longer than ${lineBytesMax} bytes`);
  const line = bytes.toString('latin1', 0, end);
  const [, family, source, destination, sourcePort, destinationPort, ...rest] = line.split(' ');
  if (family === 'UNKNOWN') return { kind: 'header', client: undefined, bytes: end + 2 };
  const isAddress = family === 'TCP4' ? isIPv4 : family === 'TCP6' ? isGlobalForm : () => false;
  const port = portOf(sourcePort);
  if (rest.length > 0 || !isAddress(source ?? '') || !isAddress(destination ?? '') || port === undefined || portOf(destinationPort) === undefined)
    return invalid('its line is not understood');
  return { kind: 'header', client: { address: source as string, port }, bytes: end + 2 };
}

/** A zone means something on the balancer's own machine alone, and the protocol has none. */
const isGlobalForm = (text: string): boolean => isIPv6(text) && !text.includes('%');

function portOf(text: string | undefined): number | undefined {
  return text !== undefined && /^(0|[1-9]\d{0,4})$/.test(text) && Number(text) <= 65_535 ? Number(text) : undefined;
}

/** Bytes of the addresses by family and protocol: TCP and UDP over IPv4, IPv6. Others are skipped. */
const addressBytes: Readonly<Record<number, { readonly each: number; readonly text: (bytes: Buffer, at: number) => string }>> = {
  17: { each: 4, text: (bytes, at) => bytes.subarray(at, at + 4).join('.') },
  33: { each: 16, text: (bytes, at) => Array.from({ length: 8 }, (_, i) => bytes.readUInt16BE(at + 2 * i).toString(16)).join(':') },
};

function parseBinary(bytes: Buffer): HeaderParse {
  if (!bytes.subarray(0, signature.length).equals(signature.subarray(0, bytes.length))) return invalid('it does not begin with the signature');
  if (bytes.length < fixedBytes) return { kind: 'more' };
  const versionAndCommand = bytes.readUInt8(12);
  const command = versionAndCommand & 0x0f;
  const length = bytes.readUInt16BE(14);
  const end = fixedBytes + length;
  if (versionAndCommand >> 4 !== 2) return invalid('its version is not 2');
  if (command > 1) return invalid(`there is no command ${command}`);
  if (end > headerBytesMax) return invalid(`longer than ${headerBytesMax} bytes`);
  const family = addressBytes[bytes.readUInt8(13)];
  const needed = family === undefined ? 0 : 2 * family.each + 4;
  if (command === 1 && length < needed) return invalid('too short for its addresses');
  if (bytes.length < end) return { kind: 'more' };
  if (command === 0 || family === undefined) return { kind: 'header', client: undefined, bytes: end };
  return { kind: 'header', client: { address: family.text(bytes, fixedBytes), port: bytes.readUInt16BE(fixedBytes + 2 * family.each) }, bytes: end };
}
