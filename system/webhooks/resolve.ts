import { promises as dns } from 'node:dns';
import { isIP } from 'node:net';
import { systemClock } from '#system/clock.ts';
import { boundLookups } from './lookups.ts';

/** All addresses of a name; an address is its own. Rejects where there is none. */
export type Resolve = (host: string) => Promise<readonly string[]>;

const lookupTimeoutMs = 5000;
const triesMax = 2;
const quickMsMax = 1000;

export function createResolve(server: string | undefined): Resolve {
  const ask =
    server === undefined ? boundLookups(askMachine, { timeoutMs: lookupTimeoutMs, quickMsMax, monotonicMs: systemClock.monotonicMs }) : askServer(server);
  return async (host) => {
    const bare = host.replace(/^\[|\]$/g, '');
    return isIP(bare) === 0 ? ask(bare) : [bare];
  };
}

const askMachine: Resolve = async (host) => (await dns.lookup(host, { all: true })).map(({ address }) => address);

function askServer(server: string): Resolve {
  const resolver = new dns.Resolver({ timeout: lookupTimeoutMs, tries: triesMax });
  resolver.setServers([server]);
  return async (host) => {
    const answers = await Promise.allSettled([resolver.resolve4(host), resolver.resolve6(host)]);
    const addresses = answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []));
    if (addresses.length > 0) return addresses;
    throw answers[0]?.status === 'rejected' ? answers[0].reason : new Error(`${host} has no address`);
  };
}
