// Where to connect to, as the kernel wants it: `sockaddr_in` and `sockaddr_in6`.
import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { linux } from './libc.ts';

export type SocketAddress = { readonly family: number; readonly bytes: Uint8Array };

/** Asked once: a name's addresses in the order in which the system gives them. Rejects as node's own lookup does. */
export async function resolveAddresses(host: string, port: number): Promise<readonly SocketAddress[]> {
  if (host.includes('%')) throw new Error('it knows no address with a zone');
  const found = isIP(host) === 0 ? await lookup(host, { all: true }) : [{ address: host, family: isIP(host) }];
  return found.map(({ address, family }) => (family === 4 ? address4(address, port) : address6(address, port)));
}

function address4(address: string, port: number): SocketAddress {
  const bytes = new Uint8Array(16);
  new DataView(bytes.buffer).setUint16(0, linux.AF_INET, true);
  new DataView(bytes.buffer).setUint16(2, port);
  bytes.set(address.split('.').map(Number), 4);
  return { family: linux.AF_INET, bytes };
}

function address6(address: string, port: number): SocketAddress {
  const bytes = new Uint8Array(28);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, linux.AF_INET6, true);
  view.setUint16(2, port);
  for (const [i, group] of groups6(address).entries()) view.setUint16(8 + i * 2, group);
  return { family: linux.AF_INET6, bytes };
}

/** The eight groups. Whatever the text is, URL writes it in one way: hexadecimal, with at most one gap. */
function groups6(address: string): readonly number[] {
  const text = new URL(`http://[${address}]`).hostname.slice(1, -1);
  const [before, after] = text.split('::').map((part) => part.split(':').filter((group) => group !== '')) as [string[], string[]?];
  const gap = after === undefined ? [] : new Array<string>(8 - before.length - after.length).fill('0');
  return [...before, ...gap, ...(after ?? [])].map((group) => Number.parseInt(group, 16));
}
