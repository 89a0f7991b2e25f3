/** What stands before the nodes: the model balancer or a real HAProxy, as the scenario chose. */
import { dirname, join } from 'node:path';
import { connectionsAllowed, type ModelChoice, modelSettings } from '#harness/balancer/choice.ts';
import { startBalancerProcess } from '#harness/balancer/start-balancer.ts';
import { readDescriptorLimit } from '#harness/metrics/proc.ts';
import type { WatchedProcess } from '#harness/metrics/watch.ts';
import { requirePart } from '#harness/parts/find.ts';
import type { BalancerChoice } from '#harness/scenario.ts';
import { freePorts } from './free-ports.ts';
import { startHaproxy } from './haproxy.ts';
import { watchReadiness } from './readiness.ts';
import { idleTimeoutMsOf, listenerOf, proxyHeaderOf } from './service-flags.ts';
import type { ServiceNode } from './service-node.ts';

export type Front = {
  readonly url: string;
  /** As the report names it. */
  readonly title: string;
  readonly process: WatchedProcess;
  readonly dropAll: (how: 'fin' | 'rst') => Promise<void>;
  readonly stop: () => Promise<void>;
  readonly kill: () => void;
};

export type FrontOptions = {
  readonly nodes: readonly ServiceNode[];
  readonly scale: number;
  /** `balancer.log`, beside which HAProxy's configuration is left. */
  readonly logFile: string;
};

/** Throws where this machine cannot have it: before nodes are started for nothing. */
export function checkFront(choice: BalancerChoice): void {
  if (choice.kind === 'model') modelSettings(choice, readDescriptorLimit());
  else requirePart('haproxy');
}

export const startFront = (choice: BalancerChoice, options: FrontOptions): Promise<Front> =>
  choice.kind === 'model' ? startModel(choice, options) : startReal(choice, options);

/** Of the listener that expects what the balancer sends. */
function addressOf({ url, proxyUrl }: ServiceNode, choice: BalancerChoice): { readonly host: string; readonly port: number } {
  const { hostname, port } = new URL(proxyHeaderOf(choice) === 'off' ? url : (proxyUrl ?? url));
  return { host: hostname, port: Number(port) };
}

async function startModel(choice: ModelChoice, { nodes, scale, logFile }: FrontOptions): Promise<Front> {
  const targets = nodes.map((node) => addressOf(node, choice));
  const [port] = (await freePorts(1)) as [number];
  const balancer = await startBalancerProcess({ choice, targets, scale, port, logFile });
  const { stop } = watchReadiness({
    urls: nodes.map(({ url }) => url),
    // A balancer that has ended needs no targets.
    onChange: (ready) => void balancer.setTargets(targets.filter((_, i) => ready[i])).catch(() => undefined),
  });
  return {
    url: balancer.url,
    title: `model ${choice.preset}`,
    process: { name: 'balancer', role: 'balancer', pid: balancer.pid },
    dropAll: balancer.dropAll,
    stop: () => {
      stop();
      return balancer.stop();
    },
    kill: () => {
      stop();
      balancer.kill();
    },
  };
}

/** Where the machine does not say how many descriptors a process may have. */
const connectionsMaxUnknown = 10_000;

async function startReal(choice: Extract<BalancerChoice, { kind: 'haproxy' }>, { nodes, scale, logFile }: FrontOptions): Promise<Front> {
  const descriptorsMax = readDescriptorLimit();
  const haproxy = await startHaproxy({
    listener: listenerOf(choice),
    proxyHeader: proxyHeaderOf(choice),
    idleTimeoutMs: Math.max(1, Math.round(idleTimeoutMsOf(choice) / scale)),
    targets: nodes.map((node, i) => ({ name: `node-${i + 1}`, ...addressOf(node, choice) })),
    connectionsMax: descriptorsMax === undefined ? connectionsMaxUnknown : connectionsAllowed(descriptorsMax),
    folder: dirname(logFile),
    logFile,
  });
  return {
    url: haproxy.url,
    title: `haproxy ${haproxy.version}`,
    process: { name: 'haproxy', role: 'balancer', pid: haproxy.pid },
    dropAll: haproxy.dropAll,
    stop: haproxy.stop,
    kill: haproxy.kill,
  };
}

export const frontLogFile = (serviceLogFile: string): string => join(dirname(serviceLogFile), 'balancer.log');
