/** How many streams an account with a quota of its own holds, counted in one place for all that open them. Accounts without one are not counted. */

export type PermitWanted = { readonly account: string; readonly quota: number };

export type Permits = {
  /** False: the account holds as many as it may. Whoever got one gives it back. */
  readonly take: (wanted: PermitWanted) => Promise<boolean>;
  readonly giveBack: (account: string) => void;
};

export type PermitLedger = {
  readonly take: (holder: number, wanted: PermitWanted) => boolean;
  readonly giveBack: (holder: number, account: string) => void;
  /** All that `holder` has. */
  readonly giveAllBack: (holder: number) => void;
  readonly heldBy: (account: string) => number;
};

export function createPermitLedger(): PermitLedger {
  const byAccount = new Map<string, Map<number, number>>();
  const heldBy = (account: string): number => [...(byAccount.get(account)?.values() ?? [])].reduce((sum, held) => sum + held, 0);
  const set = (account: string, holder: number, held: number): void => {
    const holders = byAccount.get(account) ?? new Map<number, number>();
    if (held > 0) holders.set(holder, held);
    else holders.delete(holder);
    if (holders.size > 0) byAccount.set(account, holders);
    else byAccount.delete(account);
  };
  const held = (account: string, holder: number): number => byAccount.get(account)?.get(holder) ?? 0;
  return {
    heldBy,
    take: (holder, { account, quota }) => {
      if (heldBy(account) >= quota) return false;
      set(account, holder, held(account, holder) + 1);
      return true;
    },
    giveBack: (holder, account) => set(account, holder, held(account, holder) - 1),
    giveAllBack: (holder) => {
      for (const account of [...byAccount.keys()]) set(account, holder, 0);
    },
  };
}

/** For a process that has no others beside it. */
export function createOwnPermits(): Permits {
  const ledger = createPermitLedger();
  return { take: async (wanted) => ledger.take(0, wanted), giveBack: (account) => ledger.giveBack(0, account) };
}
