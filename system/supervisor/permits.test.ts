import { expect, test } from 'vitest';
import { createPermitLedger, type PermitWanted } from '#system/stream/permits.ts';
import { createRemotePermits, type RemotePermits } from './permits.ts';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('permits of one turn are asked together, and what is free again is told first', async () => {
  const ledger = createPermitLedger();
  const said: unknown[] = [];
  const permits: RemotePermits = createRemotePermits({
    want: (id: number, wanted: readonly PermitWanted[]) => {
      said.push(['want', wanted.length]);
      permits.granted(
        id,
        wanted.map((one) => ledger.take(1, one)),
      );
    },
    giveBack: (accounts) => {
      said.push(['back', accounts.length]);
      for (const account of accounts) ledger.giveBack(1, account);
    },
  });
  const take = (): Promise<boolean> => permits.take({ account: 'a', quota: 2 });
  expect(await Promise.all([take(), take(), take()])).toEqual([true, true, false]);
  permits.giveBack('a');
  expect(await Promise.all([take(), take()])).toEqual([true, false]);
  permits.giveBack('a');
  await turn();
  expect(said).toEqual([
    ['want', 3],
    ['back', 1],
    ['want', 2],
    ['back', 1],
  ]);
  expect(ledger.heldBy('a')).toBe(1);
});
