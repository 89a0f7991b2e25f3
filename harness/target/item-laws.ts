/** Who is who, and what belongs to whom: arithmetic over indexes, so that no list has to be kept. Pure. */

/** How many users, accounts and devices a run has; `users` is a multiple of `accounts`. */
export type Population = { readonly accounts: number; readonly devices: number; readonly users: number };

export const userOfDevice = (device: number, { users }: Pick<Population, 'users'>): number => device % users;
export const accountOfUser = (user: number, { accounts }: Pick<Population, 'accounts'>): number => user % accounts;
export const userOfArrival = (arrival: number, { devices, users }: Pick<Population, 'devices' | 'users'>): number => (arrival % devices) % users;

/** To whom a user's `share` goes: the next user of the same account. */
export const recipientOf = (user: number, { users, accounts }: Pick<Population, 'users' | 'accounts'>): number => (user + accounts) % users;

export const userNameOf = (run: string, user: number): string => `u-${run}-${user}`;

/** Undefined for a user of another run. */
export function parseUserName(run: string, name: string): number | undefined {
  const prefix = `u-${run}-`;
  if (!name.startsWith(prefix)) return undefined;
  const index = Number(name.slice(prefix.length));
  return Number.isInteger(index) ? index : undefined;
}

export const deviceNameOf = (run: string, device: number): string => `d-${run}-${device}`;

export function parseDeviceName(run: string, name: string): number | undefined {
  const prefix = `d-${run}-`;
  if (!name.startsWith(prefix)) return undefined;
  const index = Number(name.slice(prefix.length));
  return Number.isInteger(index) ? index : undefined;
}

/**
 * What an arrival of items promises. `write`: the put of the arrival. `second`: the delete or the share that follows it in its chain.
 */
export type Promised = 'write' | 'second';

/** One number for an arrival's promise: what acknowledgements and frames are matched by. */
export const promiseKey = (arrival: number, promised: Promised): number => arrival * 2 + (promised === 'write' ? 0 : 1);
