/** Balancers by name. Every figure is AWS's documentation, or the README says whose it is. */
import { type Load, lcuOf, nlcuOf } from './units.ts';

export type Expiry = 'fin' | 'rst' | 'forget';
export type ProxyHeader = 'off' | 'v1' | 'v2';

export type BalancerSettings = {
  readonly listener: 'tcp' | 'http';
  readonly idleTimeoutMs: number;
  /** Silence of one side alone, where that side has a timeout of its own. */
  readonly clientSilenceMs?: number;
  readonly targetSilenceMs?: number;
  readonly expiry: Expiry;
  readonly proxyHeader: ProxyHeader;
  readonly connectionsMax?: number;
  readonly capacity?: CapacitySettings;
  readonly unitsOf: (load: Load) => number;
};

export type CapacitySettings = {
  readonly initialUnits: number;
  /** By which it grows at most in one `growthMs`. */
  readonly growthFactor: number;
  readonly growthMs: number;
  readonly above: 'refuse' | 'delay';
};

/** "Not more than 50 percent every five minutes." */
export const elbGrowth = { growthFactor: 1.5, growthMs: 300_000 } as const;

export const presets = {
  'classic-elb': { listener: 'tcp', idleTimeoutMs: 60_000, expiry: 'fin', proxyHeader: 'v1', unitsOf: lcuOf },
  'classic-elb-http': { listener: 'http', idleTimeoutMs: 60_000, expiry: 'rst', proxyHeader: 'off', unitsOf: lcuOf },
  alb: { listener: 'http', idleTimeoutMs: 60_000, expiry: 'fin', proxyHeader: 'off', unitsOf: lcuOf },
  nlb: { listener: 'tcp', idleTimeoutMs: 350_000, expiry: 'forget', proxyHeader: 'v2', unitsOf: nlcuOf },
} as const satisfies Readonly<Record<string, BalancerSettings>>;

export type PresetName = keyof typeof presets;
