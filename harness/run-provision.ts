/** Before the load: devices, users and the probe come into being. */
import type { LiveView } from '#harness/live/live.ts';
import type { ArrivalPhase } from '#harness/pacing/plan.ts';
import { arrivalCount } from '#harness/pacing/rate.ts';
import { chainsOf, type Scenario } from '#harness/scenario.ts';
import { probeNameOf } from '#harness/target/event-ids.ts';
import { habitsOf } from '#harness/target/habits.ts';
import type { DeviceCredentials } from '#harness/target/operation.ts';
import type { Listening } from './driving.ts';
import { shareOut } from './fleet-accounts.ts';
import { type AccountCredentials, mintUserTokens, provisionFleet, secretAuthorization } from './topology/provision.ts';
import type { Target } from './topology/target.ts';

const keysPerUserDefault = 10;
const itemBytesDefault = 200;

export type Provisioning = {
  readonly scenario: Scenario;
  readonly phases: readonly ArrivalPhase[];
  readonly target: Target;
  readonly run: string;
  readonly view: LiveView;
  readonly signal: AbortSignal;
};

export type Provisioned = {
  readonly devices: readonly DeviceCredentials[];
  readonly probeDevice: DeviceCredentials | undefined;
  readonly listening: Listening | undefined;
};

export async function provision({ scenario, phases, target, run, view, signal }: Provisioning): Promise<Provisioned> {
  const { fleet, streams, chains } = scenario;
  const { url } = target;
  const { quiet: accounts, loud } = shareOut(target.accounts, fleet);
  const driven = new Set(phases.filter((phase) => arrivalCount(phase) > 0).flatMap(({ traffic }) => traffic.map(({ chain }) => chain)));
  const used = Object.entries(chainsOf(chains)).flatMap(([name, chain]) => (driven.has(name) ? [chain] : []));
  const withTokens = used.some((chain) => chain[0] !== 'authenticate') || (streams !== undefined && streams.credential !== 'user');
  const registered = await provisionFleet({
    url,
    accounts,
    run,
    devices: fleet.devices,
    withTokens,
    ...(streams === undefined ? {} : { users: streams.users }),
    onProgress: (done) => view.progress(`registering devices: ${done} of ${fleet.devices}`),
    signal,
  });
  const loudTokens = loud === undefined ? [] : await provisionLoud({ url, account: loud, run, count: fleet.loud?.devices ?? 0, signal });
  const devices = registered.map((device, index) => withHabits(device, { index, fleet, loudTokens }));
  const listening = streams === undefined ? undefined : await provisionUsers({ scenario, url, accounts, run, view, signal });
  // The probe sends what it can send anywhere: events. A load without them has nothing that it could be compared with.
  const hasProbe = used.some((chain) => chain.includes('ingest')) && !signal.aborted;
  const [probeDevice] = hasProbe ? await provisionProbe(url, target.probeAccount, probeNameOf(run)) : [];
  return { devices, probeDevice, listening };
}

type Loud = { readonly url: string; readonly account: AccountCredentials; readonly run: string; readonly count: number; readonly signal: AbortSignal };

async function provisionLoud({ url, account, run, count, signal }: Loud): Promise<readonly string[]> {
  const fleet = await provisionFleet({ url, accounts: [account], run, devices: count, withTokens: true, onProgress: () => undefined, signal });
  return fleet.map(({ token }) => token);
}

type Making = { readonly index: number; readonly fleet: Scenario['fleet']; readonly loudTokens: readonly string[] };

function withHabits(device: DeviceCredentials, { index, fleet, loudTokens }: Making): DeviceCredentials {
  const habits = habitsOf(index, fleet);
  const loudToken = loudTokens[index % loudTokens.length];
  return { ...device, ...(habits === undefined ? {} : { habits }), ...(loudToken === undefined ? {} : { loudToken }) };
}

const provisionProbe = (url: string, account: AccountCredentials, run: string): Promise<readonly DeviceCredentials[]> =>
  provisionFleet({ url, accounts: [account], run, devices: 1, withTokens: true, onProgress: () => undefined, signal: new AbortController().signal });

type ForUsers = Omit<Provisioning, 'phases' | 'target'> & { readonly url: string; readonly accounts: readonly AccountCredentials[] };

async function provisionUsers({ scenario, url, accounts, run, view, signal }: ForUsers): Promise<Listening> {
  const { users = 1, items } = scenario.streams ?? {};
  const { devices } = scenario.fleet;
  return {
    items: { accounts: accounts.length, devices, users, keysPerUser: items?.keysPerUser ?? keysPerUserDefault, bytes: items?.bytes ?? itemBytesDefault },
    users: await mintUserTokens({ url, accounts, run, users, onProgress: (done) => view.progress(`minting tokens of users: ${done} of ${users}`), signal }),
    accounts: accounts.map(secretAuthorization),
  };
}
