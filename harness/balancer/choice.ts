/** What a scenario says of a model balancer, as its settings. Pure. */
import type { BalancerChoice } from '#harness/scenario.ts';
import { UsageError } from '#harness/usage-error.ts';
import { type BalancerSettings, elbGrowth, presets } from './presets.ts';

export type ModelChoice = Extract<BalancerChoice, { kind: 'model' }>;

/** Its log, its channel, what it accepts in order to refuse. */
const descriptorsKept = 256;

/** Two descriptors a connection: the client's and the target's. */
export const connectionsAllowed = (descriptorsMax: number): number => Math.max(1, Math.floor((descriptorsMax - descriptorsKept) / 2));

/** `descriptorsMax` undefined: not known here, and then nothing is held against it. Throws where the choice asks for more connections than it may hold. */
export function modelSettings(choice: ModelChoice, descriptorsMax: number | undefined): BalancerSettings {
  const { preset, initialUnits, above = 'refuse' } = choice;
  const allowed = descriptorsMax === undefined ? undefined : connectionsAllowed(descriptorsMax);
  const connectionsMax = choice.connectionsMax ?? allowed;
  if (connectionsMax !== undefined && allowed !== undefined && connectionsMax > allowed)
    throw new UsageError(
      `system.balancer.connectionsMax is ${connectionsMax}, and a process of this machine may hold ${descriptorsMax} descriptors, enough for ${allowed}: give less, or raise the limit (ulimit -n)`,
    );
  return {
    ...presets[preset],
    ...(choice.idleTimeoutMs === undefined ? {} : { idleTimeoutMs: choice.idleTimeoutMs }),
    ...(choice.proxyHeader === undefined ? {} : { proxyHeader: choice.proxyHeader }),
    ...(connectionsMax === undefined ? {} : { connectionsMax }),
    ...(initialUnits === undefined ? {} : { capacity: { initialUnits, ...elbGrowth, above } }),
  };
}
