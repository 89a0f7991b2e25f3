/** Any HTTP service as a target: it is there already, and nothing is known of it but its address. */
import { connect as connectTcp, isIP } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { messageOf } from '#harness/message-of.ts';
import { authorityAdvice } from '#harness/topology/extra-ca.ts';
import { refuse } from '#harness/topology/faults.ts';
import type { AccountCredentials } from '#harness/topology/provision.ts';
import type { Target } from '#harness/topology/target.ts';

const connectMsMax = 5000;
const nobody: AccountCredentials = { account_id: '', secret: '', publishable_key: '' };

/** Rejects with a sentence where nobody takes a connection there. No request is sent: it may not be one to send once more. */
export async function openUrl(origin: string): Promise<Target> {
  await greet(origin).catch((error: unknown) => {
    throw new Error(`nothing answers at ${origin}: ${messageOf(error)}${authorityAdvice(error)}`);
  });
  return {
    url: origin,
    urls: [origin],
    // Nobody there speaks of itself in a way that is known.
    nodeUrls: [],
    nodes: 1,
    balancer: undefined,
    owned: false,
    accounts: [],
    probeAccount: nobody,
    workers: undefined,
    durability: undefined,
    processes: () => [],
    act: refuse,
    stop: async () => undefined,
    kill: () => undefined,
  };
}

function greet(origin: string): Promise<void> {
  const { protocol, hostname, port } = new URL(origin);
  const host = hostname.replace(/^\[|\]$/g, '');
  const isTls = protocol === 'https:';
  const options = { host, port: port === '' ? (isTls ? 443 : 80) : Number(port) };
  return new Promise((resolve, reject) => {
    const socket = isTls ? connectTls({ ...options, ...(isIP(host) === 0 ? { servername: host } : {}) }) : connectTcp(options);
    socket.setTimeout(connectMsMax, () => socket.destroy(new Error(`it did not take a connection within ${connectMsMax / 1000} s`)));
    socket.once(isTls ? 'secureConnect' : 'connect', () => {
      socket.destroy();
      resolve();
    });
    socket.once('error', reject);
  });
}
