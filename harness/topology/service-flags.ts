/** What a scenario says of its system, as arguments of the service. Pure. */
import { type ProxyHeader, presets } from '#harness/balancer/presets.ts';
import type { BalancerChoice, System } from '#harness/scenario.ts';

/** The least that the service accepts: it beats once a second at most, and a heartbeat has to fit in twice. */
export const balancerIdleMsMin = 2400;
const haproxyIdleTimeoutMs = 60_000;

export const hostsOf = ({ addresses = 1 }: System): readonly string[] => Array.from({ length: addresses }, (_, i) => `127.0.0.${i + 1}`);

export const proxyHeaderOf = (choice: BalancerChoice | undefined): ProxyHeader => {
  if (choice === undefined) return 'off';
  return choice.proxyHeader ?? (choice.kind === 'model' ? presets[choice.preset].proxyHeader : 'off');
};

export const listenerOf = (choice: BalancerChoice): 'tcp' | 'http' => (choice.kind === 'model' ? presets[choice.preset].listener : (choice.listener ?? 'tcp'));

/** Of the balancer's own clock. */
export const idleTimeoutMsOf = (choice: BalancerChoice): number =>
  choice.idleTimeoutMs ?? (choice.kind === 'model' ? presets[choice.preset].idleTimeoutMs : haproxyIdleTimeoutMs);

/** Only an empty data folder is restored into: of the first node's first start. */
const onlyAtFirst = 'restore-from';

export type ServiceFlags = {
  /** Of every start of every node. */
  readonly always: readonly string[];
  /** Of the first start of the first node. */
  readonly first: readonly string[];
};

/** Numbers of settings in milliseconds are the scenario's, and so are divided by its clock's scale. */
export function serviceFlags(system: System, scale: number): ServiceFlags {
  const { settings = {}, balancer } = system;
  const hosts = hostsOf(system);
  const header = proxyHeaderOf(balancer);
  const flags = Object.entries(settings).map(([name, value]) => `--${name}=${scaled(name, value, scale)}`);
  const isFirst = (flag: string): boolean => flag.startsWith(`--${onlyAtFirst}=`);
  return {
    first: flags.filter(isFirst),
    always: [
      ...flags.filter((flag) => !isFirst(flag)),
      ...(hosts.length === 1 ? [] : [`--host=${hosts.join(',')}`]),
      ...(header === 'off' ? [] : [`--proxy-protocol=${header}`]),
      ...(balancer === undefined || settings[balancerIdle] !== undefined
        ? []
        : [`--${balancerIdle}=${Math.max(balancerIdleMsMin, Math.floor(idleTimeoutMsOf(balancer) / scale))}`]),
    ],
  };
}

/** The service's own where the scenario says nothing. */
const drainTimeoutMsDefault = 30_000;

/** How long a worker of this system may take to say goodbye. */
export const drainTimeoutMsOf = ({ settings = {} }: System, scale: number): number => {
  const given = settings['drain-timeout-ms'];
  return given === undefined ? drainTimeoutMsDefault : Number(scaled('drain-timeout-ms', given, scale));
};

const balancerIdle = 'balancer-idle-timeout-ms';

const scaled = (name: string, value: string | number | boolean, scale: number): string =>
  String(typeof value === 'number' && name.endsWith('-ms') ? Math.max(1, Math.round(value / scale)) : value);
