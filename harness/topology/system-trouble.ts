/** Whether the system that a scenario describes can be started at all. Pure, so that it is said before a run. */
import type { BalancerChoice, Scenario, System } from '#harness/scenario.ts';
import { balancerIdleMsMin, idleTimeoutMsOf, listenerOf, proxyHeaderOf } from './service-flags.ts';

/** Flags of the service that the harness gives, and where the scenario says what they follow from. */
const ours: Readonly<Record<string, string>> = {
  workers: 'say system.workers',
  host: 'say system.addresses',
  port: 'every node gets ports of its own',
  'admin-port': 'every node gets ports of its own',
  'proxy-port': 'every node gets ports of its own',
  data: 'all nodes share the data folder of the run',
  'admin-token': 'every node makes its own',
  'exit-with-parent': 'no node may outlive its run',
};

/** A sentence that begins with the place in the scenario. */
export function systemTrouble({ system = {}, clock, streams }: Pick<Scenario, 'system' | 'clock' | 'streams'>): string | undefined {
  const { balancer } = system;
  return settingsTrouble(system) ?? (balancer === undefined ? undefined : balancerTrouble(balancer, system, streams === undefined ? undefined : clock?.scale));
}

function settingsTrouble({ settings = {} }: System): string | undefined {
  for (const name of Object.keys(settings)) {
    const place = `system.settings.${name}`;
    if (!/^[a-z][a-z0-9-]*$/.test(name)) return `${place}: a setting is written as its flag without the two dashes, as drain-window-ms`;
    const reason = ours[name.replace(/^(no-)+/, '')];
    if (reason !== undefined) return `${place}: the harness sets this one itself; ${reason}`;
  }
  return undefined;
}

function balancerTrouble(balancer: BalancerChoice, { settings = {} }: System, scale = 1): string | undefined {
  const header = proxyHeaderOf(balancer);
  if (header !== 'off' && balancer.kind === 'model' && listenerOf(balancer) === 'http')
    return `system.balancer.proxyHeader: ${balancer.preset} is an HTTP listener, which says who the client is by X-Forwarded-For`;
  if (header !== 'off' && settings['proxy-protocol'] !== undefined)
    return `system.settings.proxy-protocol: the nodes expect what system.balancer sends, which is ${header}`;
  if (settings['tls-cert'] !== undefined) return 'system.settings.tls-cert: behind a balancer of this run the nodes speak plain HTTP';
  const idleMs = idleTimeoutMsOf(balancer) / scale;
  if (idleMs < balancerIdleMsMin && settings['balancer-idle-timeout-ms'] === undefined)
    return `system.balancer.idleTimeoutMs: ${idleTimeoutMsOf(balancer)} ms pass in ${Math.floor(idleMs)} on a clock ${scale} times as fast, and no stream can be kept alive for less than ${balancerIdleMsMin}; a scale of ${Math.floor(idleTimeoutMsOf(balancer) / balancerIdleMsMin)} would do`;
  return undefined;
}
