/** A worker's permits: asked of the supervisor, those of one turn of the event loop together, so that a herd costs messages by turns and not by streams. */
import type { Permits, PermitWanted } from '#system/stream/permits.ts';

export type RemotePermits = Permits & { readonly granted: (id: number, granted: readonly boolean[]) => void };

export type Asking = {
  readonly want: (id: number, wanted: readonly PermitWanted[]) => void;
  readonly giveBack: (accounts: readonly string[]) => void;
};

type Waiting = PermitWanted & { readonly resolve: (granted: boolean) => void };

export function createRemotePermits({ want, giveBack }: Asking): RemotePermits {
  const asked = new Map<number, readonly Waiting[]>();
  let wanted: Waiting[] = [];
  let returned: string[] = [];
  let nextId = 0;
  let isDue = false;
  const tell = (): void => {
    isDue = false;
    // First what is free again.
    if (returned.length > 0) giveBack(returned);
    returned = [];
    if (wanted.length > 0) {
      asked.set(nextId, wanted);
      want(
        nextId++,
        wanted.map(({ account, quota }) => ({ account, quota })),
      );
    }
    wanted = [];
  };
  const tellSoon = (): void => {
    if (!isDue) setImmediate(tell);
    isDue = true;
  };
  return {
    take: ({ account, quota }) =>
      new Promise((resolve) => {
        wanted.push({ account, quota, resolve });
        tellSoon();
      }),
    giveBack: (account) => {
      returned.push(account);
      tellSoon();
    },
    granted: (id, granted) => {
      for (const [i, { resolve }] of (asked.get(id) ?? []).entries()) resolve(granted[i] === true);
      asked.delete(id);
    },
  };
}
