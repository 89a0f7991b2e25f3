/** A connection to an address that was judged: the name is resolved once, and what it resolved to then is what is connected to. */
import { isIP, type LookupFunction } from 'node:net';
import { buildConnector } from 'undici';
import { type Guard, mayConnect } from './guard.ts';
import type { Resolve } from './resolve.ts';

export class ForbiddenAddress extends Error {
  override readonly name = 'ForbiddenAddress';
  constructor(host: string) {
    super(`${host} leads to an address that is not told`);
  }
}

export type ConnectOptions = { readonly guard: Guard; readonly resolve: Resolve; readonly timeoutMs: number };

/** For undici. A name with one forbidden address is refused as a whole: which one is taken would be chance. */
export function createConnect({ guard, resolve, timeoutMs }: ConnectOptions): buildConnector.connector {
  const connectors = new Map([true, false].map((isTls) => [isTls, connectorFor({ guard, resolve, timeoutMs, isTls })]));
  return (options, callback) => {
    const isTls = options.protocol === 'https:';
    const host = options.hostname.replace(/^\[|\]$/g, '');
    // Node looks up names only.
    if (isIP(host) !== 0 && !mayConnect(guard, { address: host, isTls })) return callback(new ForbiddenAddress(host), null);
    connectors.get(isTls)?.({ ...options, hostname: host }, (...result) => {
      const [error, socket] = result;
      if (error !== null) return callback(error, null);
      if (mayConnect(guard, { address: socket.remoteAddress ?? '', isTls })) return callback(null, socket);
      socket.destroy();
      callback(new ForbiddenAddress(host), null);
    });
  };
}

function connectorFor({ guard, resolve, timeoutMs, isTls }: ConnectOptions & { readonly isTls: boolean }): buildConnector.connector {
  const lookup: LookupFunction = (host, options, callback) => {
    resolve(host).then(
      (addresses) => {
        if (!addresses.every((address) => mayConnect(guard, { address, isTls }))) return callback(new ForbiddenAddress(host), '');
        const found = addresses.map((address) => ({ address, family: isIP(address) }));
        if (options.all === true) callback(null, found);
        else callback(null, found[0]?.address ?? '', found[0]?.family);
      },
      (error: Error) => callback(error, ''),
    );
  };
  return buildConnector({ lookup, timeout: timeoutMs });
}
