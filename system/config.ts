/** Settings: flags first, then the environment, then defaults. The only reader of process.env. */
import { availableParallelism } from 'node:os';
import { type AdmissionConfig, admissionSettings } from './config-admission.ts';
import { type ArchiveConfig, archiveSettings } from './config-archive.ts';
import { type CorsConfig, corsConfigSettings } from './config-cors.ts';
import { type FilterConfig, filterSettings } from './config-filters.ts';
import { type WebhookConfig, webhookSettings } from './config-webhooks.ts';
import { bearerToken, integer, readNetworks, type Setting, text } from './setting.ts';

export type Config = FilterConfig &
  AdmissionConfig &
  ArchiveConfig &
  WebhookConfig &
  CorsConfig & {
    /** Addresses, at least one. */
    readonly hosts: readonly string[];
    readonly port: number;
    readonly adminPort: number;
    readonly workers: number;
    readonly dataFolder: string;
    readonly durability: 'fsync' | 'memory';
    readonly flushTimeoutMs: number;
    readonly drainTimeoutMs: number;
    readonly autoRegistration: boolean;
    readonly adminToken: string | undefined;
    readonly signingKey: string | undefined;
    readonly tlsCert: string | undefined;
    readonly tlsKey: string | undefined;
    readonly balancerIdleTimeoutMs: number;
    readonly drainWindowMs: number;
    readonly streamAgeMs: number;
    readonly positionCheckMs: number;
    readonly wholeChanges: number;
    readonly deletionsSeconds: number;
    readonly proxyProtocol: 'off' | 'v1' | 'v2';
    readonly proxyPort: number;
    readonly proxyTrusted: readonly string[];
    readonly restoreFrom: string | undefined;
    readonly presenceTimeoutMs: number;
    readonly usageSpikeFactor: number;
    readonly graphqlDepthMax: number;
    readonly graphqlCostMax: number;
  };

export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

const switched = {
  read: (value: string) => (/^(true|1|yes)$/.test(value) ? true : /^(false|0|no)$/.test(value) ? false : undefined),
  expected: 'true or false',
};

const hostsMax = 16;

function readHosts(value: string): readonly string[] | undefined {
  const hosts = value.split(',').map((host) => host.trim());
  const areDifferent = new Set(hosts).size === hosts.length && hosts.length <= hostsMax;
  // Whoever listens on every address leaves none of them for a listener of its own.
  const standsAlone = hosts.length === 1 || !hosts.some((host) => host === '0.0.0.0' || host === '::');
  return hosts.every((host) => host !== '') && areDifferent && standsAlone ? hosts : undefined;
}

const settings = {
  hosts: {
    flag: 'host',
    env: 'HEADROOM_HOST',
    about: 'address to listen on, or several with commas between: all get the same port',
    read: readHosts,
    expected: `up to ${hostsMax} different addresses with commas between; 0.0.0.0 and :: stand alone`,
    byDefault: ['127.0.0.1'] as readonly string[],
  },
  port: { flag: 'port', env: 'HEADROOM_PORT', about: 'port of the service; 0 takes a free one', ...integer(0, 65_535), byDefault: 8080 },
  adminPort: { flag: 'admin-port', env: 'HEADROOM_ADMIN_PORT', about: 'port of the admin listener, on 127.0.0.1', ...integer(0, 65_535), byDefault: 8081 },
  workers: {
    flag: 'workers',
    env: 'HEADROOM_WORKERS',
    about: 'worker processes on the one port',
    ...integer(1, 64),
    byDefault: Math.max(1, Math.min(64, availableParallelism() - 1)),
  },
  dataFolder: { flag: 'data', env: 'HEADROOM_DATA', about: 'folder of the durable store', ...text, byDefault: 'data' },
  durability: {
    flag: 'durability',
    env: 'HEADROOM_DURABILITY',
    about: 'what a 202 promises: fsync or memory',
    read: (value: string) => (value === 'fsync' || value === 'memory' ? value : undefined),
    expected: 'fsync or memory',
    byDefault: 'fsync' as 'fsync' | 'memory',
  },
  flushTimeoutMs: {
    flag: 'flush-timeout-ms',
    env: 'HEADROOM_FLUSH_TIMEOUT_MS',
    about: 'after how long a flush that hangs is answered with 503',
    ...integer(10, 60_000),
    byDefault: 5000,
  },
  drainTimeoutMs: {
    flag: 'drain-timeout-ms',
    env: 'HEADROOM_DRAIN_TIMEOUT_MS',
    about: 'how long a drain may take',
    ...integer(100, 600_000),
    byDefault: 30_000,
  },
  autoRegistration: {
    flag: 'auto-registration',
    env: 'HEADROOM_AUTO_REGISTRATION',
    about: 'whether an unknown device may register by authenticating',
    ...switched,
    byDefault: true,
  },
  adminToken: {
    flag: 'admin-token',
    env: 'HEADROOM_ADMIN_TOKEN',
    about: 'token of the admin listener; made at each start without it',
    ...bearerToken,
    byDefault: undefined as string | undefined,
  },
  signingKey: {
    flag: 'signing-key',
    env: 'HEADROOM_SIGNING_KEY',
    about: 'key of the tokens; made once and kept in the store without it',
    ...text,
    byDefault: undefined as string | undefined,
  },
  tlsCert: {
    flag: 'tls-cert',
    env: 'HEADROOM_TLS_CERT',
    about: 'certificate file, PEM; with --tls-key the service speaks TLS',
    ...text,
    byDefault: undefined as string | undefined,
  },
  tlsKey: { flag: 'tls-key', env: 'HEADROOM_TLS_KEY', about: 'key file, PEM', ...text, byDefault: undefined as string | undefined },
  balancerIdleTimeoutMs: {
    flag: 'balancer-idle-timeout-ms',
    env: 'HEADROOM_BALANCER_IDLE_TIMEOUT_MS',
    about: 'idle timeout of the balancer before the service; heartbeats come at the latest after 5/12 of it',
    ...integer(2400, 4_000_000),
    byDefault: 60_000,
  },
  drainWindowMs: {
    flag: 'drain-window-ms',
    env: 'HEADROOM_DRAIN_WINDOW_MS',
    about: 'over how long a drain spreads the goodbyes of its streams',
    ...integer(0, 600_000),
    byDefault: 10_000,
  },
  streamAgeMs: {
    flag: 'stream-age-ms',
    env: 'HEADROOM_STREAM_AGE_MS',
    about: 'a stream ends itself after this long, at random up to twice',
    ...integer(100, 86_400_000),
    byDefault: 600_000,
  },
  positionCheckMs: {
    flag: 'position-check-ms',
    env: 'HEADROOM_POSITION_CHECK_MS',
    about: 'how often streams are compared with the log, for news whose poke was lost',
    ...integer(50, 600_000),
    byDefault: 10_000,
  },
  proxyProtocol: {
    flag: 'proxy-protocol',
    env: 'HEADROOM_PROXY_PROTOCOL',
    about: 'a second listener for a balancer that says who the client is: off, v1 or v2',
    read: (value: string) => (value === 'off' || value === 'v1' || value === 'v2' ? value : undefined),
    expected: 'off, v1 or v2',
    byDefault: 'off' as 'off' | 'v1' | 'v2',
  },
  proxyPort: { flag: 'proxy-port', env: 'HEADROOM_PROXY_PORT', about: 'its port; 0 takes a free one', ...integer(0, 65_535), byDefault: 8082 },
  proxyTrusted: {
    flag: 'proxy-trusted',
    env: 'HEADROOM_PROXY_TRUSTED',
    about: 'networks its balancers connect from, with commas between',
    read: readNetworks,
    expected: 'networks as 10.0.0.0/8,::1/128',
    byDefault: ['127.0.0.0/8', '::1/128'] as readonly string[],
  },
  presenceTimeoutMs: {
    flag: 'presence-timeout-ms',
    env: 'HEADROOM_PRESENCE_TIMEOUT_MS',
    about: 'a device without event or heartbeat for this long is offline',
    ...integer(1000, 86_400_000),
    byDefault: 120_000,
  },
  usageSpikeFactor: {
    flag: 'usage-spike-factor',
    env: 'HEADROOM_USAGE_SPIKE_FACTOR',
    about: 'an account whose day outruns the one before this many times gets a notice',
    ...integer(2, 1_000_000),
    byDefault: 100,
  },
  ...filterSettings,
  ...admissionSettings,
  graphqlDepthMax: {
    flag: 'graphql-depth-max',
    env: 'HEADROOM_GRAPHQL_DEPTH_MAX',
    about: 'levels of selections in a GraphQL operation',
    ...integer(1, 100),
    byDefault: 10,
  },
  graphqlCostMax: {
    flag: 'graphql-cost-max',
    env: 'HEADROOM_GRAPHQL_COST_MAX',
    about: 'fields of a GraphQL operation, each as often as its pages may bring it',
    ...integer(1, 10_000_000),
    byDefault: 20_000,
  },
  ...archiveSettings,
  restoreFrom: {
    flag: 'restore-from',
    env: 'HEADROOM_RESTORE_FROM',
    about: 'folder of a backup to begin with; the data folder has to be empty',
    ...text,
    byDefault: undefined as string | undefined,
  },
  wholeChanges: {
    flag: 'whole-changes',
    env: 'HEADROOM_WHOLE_CHANGES',
    about: 'so many of a user’s youngest changes are kept one by one; older ones only as the last of their item',
    ...integer(1, 1_000_000),
    byDefault: 10_000,
  },
  deletionsSeconds: {
    flag: 'deletions-seconds',
    env: 'HEADROOM_DELETIONS_SECONDS',
    about: 'how long a deletion is told to those who resume; who was away longer takes a snapshot',
    ...integer(1, 31_536_000),
    byDefault: 604_800,
  },
  ...webhookSettings,
  ...corsConfigSettings,
} satisfies { [K in keyof Config]: Setting<Config[K]> };

export const settingNames = Object.values(settings).map(({ flag, env, about, byDefault, ...rest }) => ({
  flag,
  env,
  about,
  byDefault: 'show' in rest ? (rest.show as (value: unknown) => string)(byDefault) : byDefault,
}));

/** Throws a ConfigError that names the setting, what was expected and what was given. */
export function readConfig(environment: Readonly<Record<string, string | undefined>>, flags: Readonly<Record<string, unknown>>): Config {
  const config: Record<string, unknown> = {};
  for (const [name, setting] of Object.entries(settings)) {
    const flag = flags[setting.flag];
    const given = flag === undefined ? environment[setting.env] : String(flag);
    if (given === undefined) {
      config[name] = setting.byDefault;
      continue;
    }
    const value = setting.read(given);
    if (value === undefined) throw new ConfigError(`${flag === undefined ? setting.env : `--${setting.flag}`}: expected ${setting.expected}, got "${given}"`);
    config[name] = value;
  }
  const read = config as Config;
  if ((read.tlsCert === undefined) !== (read.tlsKey === undefined)) throw new ConfigError('--tls-cert and --tls-key belong together: give both or none');
  if (read.tlsCert !== undefined && read.proxyProtocol !== 'off')
    throw new ConfigError('--proxy-protocol and --tls-cert do not go together: behind a balancer with the PROXY protocol TLS ends at the balancer');
  return read;
}
