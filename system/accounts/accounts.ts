/** Accounts and the credentials that speak for them. */
import type { Clock } from '#system/clock.ts';
import { readBasic, readCredentials } from '#system/protocol/headers/credentials.ts';
import { digestOf, matchesDigest } from '#system/protocol/secrets.ts';
import type { AccountRow, Store } from '#system/store/store.ts';
import { accountOfKey, newAccountId, newPublishableKey, newSecret } from './keys.ts';
import type { Principal, Tokens } from './tokens.ts';

export type Caller = Principal | { readonly kind: 'account'; readonly account: string } | { readonly kind: 'publishable'; readonly account: string };

export type Accounts = {
  readonly create: (input: {
    readonly name: string;
    readonly quotas: Readonly<Record<string, number>>;
  }) => Promise<{ account_id: string; secret: string; publishable_key: string }>;
  /** A quota by its name; undefined where the account has none of its own. */
  readonly quota: (account: string, name: string) => Promise<number | undefined>;
  /** Who an Authorization header speaks for; undefined for whatever is wrong with it. Synchronous for a bearer token. */
  readonly identify: (authorization: string | undefined) => Caller | undefined | Promise<Caller | undefined>;
};

const knownAccountsMax = 10_000;

export function createAccounts({ store, tokens, clock }: { readonly store: Store; readonly tokens: Tokens; readonly clock: Clock }): Accounts {
  // Rows of accounts never change once made, so what was found may be kept.
  const known = new Map<string, AccountRow>();
  const rowOf = async (account: string): Promise<AccountRow | undefined> => {
    const cached = known.get(account);
    if (cached !== undefined) return cached;
    const row = await store.readAccount(account);
    if (row !== undefined) {
      if (known.size >= knownAccountsMax) known.clear();
      known.set(account, row);
    }
    return row;
  };
  const identifyBasic = async (token: string): Promise<Caller | undefined> => {
    const { user, password } = readBasic(token) ?? {};
    if (user === undefined) return undefined;
    const keyAccount = accountOfKey(user);
    if (keyAccount !== undefined && (password === undefined || password === '')) {
      const row = await rowOf(keyAccount);
      return row !== undefined && matchesDigest(user, row.publishableKeyDigest) ? { kind: 'publishable', account: keyAccount } : undefined;
    }
    if (password === undefined) return undefined;
    const row = await rowOf(user);
    return row !== undefined && matchesDigest(password, row.secretDigest) ? { kind: 'account', account: user } : undefined;
  };
  return {
    quota: async (account, name) => (known.get(account) ?? (await rowOf(account)))?.quotas[name],
    create: async ({ name, quotas }) => {
      const account = newAccountId();
      const secret = newSecret();
      const publishableKey = newPublishableKey(account);
      const row = { account, name, secretDigest: digestOf(secret), publishableKeyDigest: digestOf(publishableKey), createdAtMs: clock.wallMs(), quotas };
      const stored = await store.putAccount(row);
      if (stored.kind !== 'stored') throw new Error('a fresh random account id was taken');
      return { account_id: account, secret, publishable_key: publishableKey };
    },
    identify: (authorization) => {
      if (authorization === undefined) return undefined;
      const { scheme, token } = readCredentials(authorization) ?? {};
      if (token === undefined) return undefined;
      if (scheme === 'bearer') return tokens.verify(token);
      return scheme === 'basic' ? identifyBasic(token) : undefined;
    },
  };
}
