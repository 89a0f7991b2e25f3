/** The nodes of a system over one data folder. */
import { basename, dirname, extname, join } from 'node:path';
import type { System } from '#harness/scenario.ts';
import { UsageError } from '#harness/usage-error.ts';
import { drainTimeoutMsOf, hostsOf, serviceFlags } from './service-flags.ts';
import { type NodeOptions, type ServiceNode, startNode } from './service-node.ts';
import { ServiceStartError } from './service-process.ts';

export type NodesOptions = {
  readonly system: System;
  readonly scale: number;
  /** Data folder. */
  readonly folder: string;
  /** Of the one node; of several each has its own beside it, `service-2.log`. */
  readonly logFile: string;
};

/** All or none. Throws a UsageError, the service's own words in it, where the settings are not taken. */
export async function startNodes(options: NodesOptions): Promise<readonly ServiceNode[]> {
  const [first, ...others] = nodeOptions(options) as [NodeOptions, ...NodeOptions[]];
  // It creates the store, and so shows what is wrong with the settings once.
  const nodes = [await startNode(first).catch((error: unknown) => Promise.reject(explain(error, options)))];
  const started = await Promise.allSettled(others.map(startNode));
  for (const one of started) if (one.status === 'fulfilled') nodes.push(one.value);
  const failed = started.find((one) => one.status === 'rejected');
  if (failed === undefined) return nodes;
  await Promise.all(nodes.map((node) => node.stop()));
  throw failed.reason;
}

function nodeOptions({ system, scale, folder, logFile }: NodesOptions): readonly NodeOptions[] {
  const { nodes = 1, workers = 1 } = system;
  const { always, first } = serviceFlags(system, scale);
  const shared = { workers, folder, hosts: hostsOf(system), args: always, drainTimeoutMs: drainTimeoutMsOf(system, scale) };
  if (nodes === 1) return [{ ...shared, name: 'the service', prefix: '', logFile, firstArgs: first }];
  const extension = extname(logFile);
  const logFileOf = (node: number): string => join(dirname(logFile), `${basename(logFile, extension)}-${node}${extension}`);
  return Array.from({ length: nodes }, (_, i) => ({
    ...shared,
    name: `node-${i + 1}`,
    prefix: `node-${i + 1} `,
    logFile: logFileOf(i + 1),
    firstArgs: i === 0 ? first : [],
  }));
}

const usageExitCode = 2;

function explain(error: unknown, { system: { settings = {} }, scale }: NodesOptions): unknown {
  if (!(error instanceof ServiceStartError) || Object.keys(settings).length === 0) return error;
  const words = error.lastWords.findLast((line) => line.trim() !== '') ?? '';
  if (error.code !== usageExitCode && !words.startsWith('Unknown argument')) return error;
  const note = scale === 1 ? '' : ` (settings in -ms are the scenario's time, divided by its clock's scale of ${scale})`;
  return new UsageError(`system.settings: the service does not take them; it says: ${words}${note}`);
}
