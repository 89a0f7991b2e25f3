/** PROXY headers as a balancer writes them. */
import { isIPv4 } from 'node:net';
import type { ProxyHeader } from './presets.ts';

export type Ends = { readonly source: string; readonly sourcePort: number; readonly destination: string; readonly destinationPort: number };

const signature = Buffer.from('0d0a0d0a000d0a515549540a', 'hex');
const proxyCommand = 0x21;
const tcp4 = 0x11;
const addressBytes = 12;

/** Empty for `off`. IPv4 only in version 2, as this balancer listens on IPv4. */
export function proxyHeaderOf(kind: ProxyHeader, { source, sourcePort, destination, destinationPort }: Ends): Buffer {
  if (kind === 'off') return Buffer.alloc(0);
  if (kind === 'v1') return Buffer.from(`PROXY TCP${isIPv4(source) ? 4 : 6} ${source} ${destination} ${sourcePort} ${destinationPort}\r\n`, 'latin1');
  const bytes = Buffer.alloc(signature.length + 4 + addressBytes);
  signature.copy(bytes);
  bytes.writeUInt8(proxyCommand, 12);
  bytes.writeUInt8(tcp4, 13);
  bytes.writeUInt16BE(addressBytes, 14);
  for (const [i, address] of [source, destination].entries()) Buffer.from(address.split('.').map(Number)).copy(bytes, 16 + 4 * i);
  bytes.writeUInt16BE(sourcePort, 24);
  bytes.writeUInt16BE(destinationPort, 26);
  return bytes;
}
