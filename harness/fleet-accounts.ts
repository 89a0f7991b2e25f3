/** Which of a target's accounts are whose. */
import type { Scenario } from './scenario.ts';
import type { AccountCredentials } from './topology/provision.ts';
import { UsageError } from './usage-error.ts';

/** Device i of the fleet is of `quiet[i mod quiet.length]`. */
export type SharedOut = { readonly quiet: readonly AccountCredentials[]; readonly loud: AccountCredentials | undefined };

export const accountsWanted = ({ accounts, loud }: Scenario['fleet']): number => accounts + (loud === undefined ? 0 : 1);

/** The first one is the loud one's: the probe has the last. */
export function shareOut(accounts: readonly AccountCredentials[], { loud }: Scenario['fleet']): SharedOut {
  if (loud === undefined) return { quiet: accounts, loud };
  if (accounts.length < 2)
    throw new UsageError('fleet.loud needs an account of its own: give credentials of two accounts or more, of which the first is the loud one');
  return { quiet: accounts.slice(1), loud: accounts[0] };
}
