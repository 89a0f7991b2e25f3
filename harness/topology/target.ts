/** What a run loads: a service that this run starts and stops, or one that is there already. */

import { isIP } from 'node:net';
import { request } from 'undici';
import type { EngineTarget } from '#harness/engine/engine.ts';
import { messageOf } from '#harness/message-of.ts';
import type { WatchedProcess } from '#harness/metrics/watch.ts';
import type { Fault, System } from '#harness/scenario.ts';
import { parseBody } from '#harness/target/answers.ts';
import { UsageError } from '#harness/usage-error.ts';
import { createAccount } from './accounts.ts';
import { readCredentials } from './credentials.ts';
import { authorityAdvice } from './extra-ca.ts';
import { inflict, refuse } from './faults.ts';
import { checkFront, type Front, frontLogFile, startFront } from './front.ts';
import { startNodes } from './nodes.ts';
import type { AccountCredentials } from './provision.ts';
import type { ServiceNode } from './service-node.ts';
import { systemTrouble } from './system-trouble.ts';

export type Target = {
  /** The first of `urls`. */
  readonly url: string;
  /** Where readers and load connect: the balancer, else every address of every node. */
  readonly urls: readonly string[];
  /** Of every node, for scraping its /metrics. */
  readonly nodeUrls: readonly string[];
  readonly nodes: number;
  /** As the report names it; undefined without one. */
  readonly balancer: string | undefined;
  readonly owned: boolean;
  readonly accounts: readonly AccountCredentials[];
  /** For the probe; the run's own where no further account can be made. */
  readonly probeAccount: AccountCredentials;
  readonly workers: number | undefined;
  readonly durability: string | undefined;
  /** Supervisors, workers and balancer, as they are now. */
  readonly processes: () => readonly WatchedProcess[];
  /** Does it now; resolves when it is done and what was hurt is back. Rejects with a sentence where it cannot. */
  readonly act: (fault: Fault) => Promise<void>;
  readonly stop: () => Promise<void>;
  /** At once and synchronously enough for a dying process. */
  readonly kill: () => void;
};

export type OwnTarget = {
  /** One node with one worker without it. */
  readonly system?: System | undefined;
  /** Of each node, where the system does not say. */
  readonly workers?: number;
  readonly accounts: number;
  /** Data folder. */
  readonly folder: string;
  /** The service's; the balancer's is `balancer.log` beside it. */
  readonly logFile: string;
  /** How much faster than the scenario's its clock runs: of the balancer's durations and of settings in -ms. */
  readonly scale?: number;
};

/** Throws a UsageError where the system cannot be had as it is described. */
export async function startTarget({ workers = 1, accounts, folder, logFile, scale = 1, ...own }: OwnTarget): Promise<Target> {
  const system: System = { workers, ...own.system };
  const trouble = systemTrouble({ system, clock: { scale } });
  if (trouble !== undefined) throw new UsageError(trouble);
  if (system.balancer !== undefined) checkFront(system.balancer);
  const nodes = await startNodes({ system, scale, folder, logFile });
  let front: Front | undefined;
  try {
    if (system.balancer !== undefined) front = await startFront(system.balancer, { nodes, scale, logFile: frontLogFile(logFile) });
    return { ...describe({ system, nodes, front }), ...(await provide(nodes, accounts)) };
  } catch (error) {
    await stopAll(nodes, front);
    throw error;
  }
}

type Started = { readonly system: System; readonly nodes: readonly ServiceNode[]; readonly front: Front | undefined };

function describe({ system, nodes, front }: Started): Omit<Target, 'accounts' | 'probeAccount' | 'durability'> {
  const urls = front === undefined ? nodes.flatMap((node) => node.urls) : [front.url];
  return {
    url: urls[0] as string,
    urls,
    nodeUrls: nodes.map(({ url }) => url),
    nodes: nodes.length,
    balancer: front?.title,
    owned: true,
    workers: system.workers,
    processes: () => [...nodes.flatMap((node) => node.processes()), ...(front === undefined ? [] : [front.process])],
    act: (fault) => inflict(fault, { system, nodes, front }),
    stop: () => stopAll(nodes, front),
    kill: () => {
      front?.kill();
      for (const node of nodes) node.kill();
    },
  };
}

/** By the first node: all share their store. */
async function provide([first]: readonly ServiceNode[], count: number): Promise<Pick<Target, 'accounts' | 'probeAccount' | 'durability'>> {
  const { url, adminUrl, adminToken } = (first as ServiceNode).running();
  const accounts: AccountCredentials[] = [];
  for (let i = 0; i < count; i++) accounts.push(await createAccount(adminUrl, adminToken, `fleet-${i}`));
  return { accounts, probeAccount: await createAccount(adminUrl, adminToken, 'probe'), durability: await readDurability(url) };
}

/** The balancer first: with it go the streams that nodes would say goodbye to one by one. */
async function stopAll(nodes: readonly ServiceNode[], front: Front | undefined): Promise<void> {
  await front?.stop();
  await Promise.all(nodes.map((node) => node.stop()));
}

export async function attachTarget({ url, credentialsFile }: { readonly url: string; readonly credentialsFile: string }): Promise<Target> {
  const accounts = readCredentials(credentialsFile);
  const base = url.replace(/\/+$/, '');
  const durability = await readDurability(base);
  return {
    url: base,
    urls: [base],
    nodeUrls: [base],
    nodes: 1,
    balancer: undefined,
    owned: false,
    accounts,
    probeAccount: accounts.at(-1) as AccountCredentials,
    workers: undefined,
    durability,
    processes: () => [],
    act: refuse,
    stop: async () => undefined,
    kill: () => undefined,
  };
}

async function readDurability(url: string): Promise<string | undefined> {
  let answer: Awaited<ReturnType<typeof request>>;
  try {
    answer = await request(`${url}/v1/limits`, { headersTimeout: 5000, bodyTimeout: 5000 });
  } catch (error) {
    throw new Error(`nothing answers at ${url}: ${messageOf(error)}${authorityAdvice(error)}`);
  }
  const text = await answer.body.text();
  if (answer.statusCode !== 200) throw new Error(`${url}/v1/limits answered ${answer.statusCode}; is this a service of the contract?`);
  const { durability } = parseBody(text) ?? noContract(url);
  return typeof durability === 'string' ? durability : undefined;
}

function noContract(url: string): never {
  throw new Error(`${url}/v1/limits answered no JSON object; is this a service of the contract?`);
}

export function engineTargetOf(url: string): EngineTarget {
  const { protocol, hostname, port, pathname } = new URL(url);
  const tls = protocol === 'https:';
  const host = hostname.replace(/^\[|\]$/g, '');
  return {
    host,
    port: port === '' ? (tls ? 443 : 80) : Number(port),
    pathPrefix: pathname.replace(/\/+$/, ''),
    // An address is no server name: the certificate is then checked against the address itself.
    ...(tls ? { tls: isIP(host) === 0 ? { serverName: host } : {} } : {}),
  };
}
