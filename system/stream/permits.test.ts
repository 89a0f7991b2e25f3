import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createPermitLedger } from './permits.ts';

test('whoever takes, gives back and goes: never more than the quota, and never fewer than there are', () => {
  const step = fc.record({ holder: fc.nat(2), account: fc.constantFrom('a', 'b'), what: fc.constantFrom('take', 'take', 'back', 'go') });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 5 }), fc.array(step, { maxLength: 200 }), (quota, steps) => {
      const ledger = createPermitLedger();
      const held = new Map<string, number>();
      const of = (account: string): number => [...held].reduce((sum, [key, count]) => (key.startsWith(account) ? sum + count : sum), 0);
      for (const { holder, account, what } of steps) {
        const key = `${account}${holder}`;
        const own = held.get(key) ?? 0;
        if (what === 'take') {
          const isFree = of(account) < quota;
          expect(ledger.take(holder, { account, quota })).toBe(isFree);
          if (isFree) held.set(key, own + 1);
        } else if (what === 'back') {
          if (own > 0) ledger.giveBack(holder, account);
          held.set(key, Math.max(0, own - 1));
        } else {
          ledger.giveAllBack(holder);
          for (const name of ['a', 'b']) held.delete(`${name}${holder}`);
        }
        expect(ledger.heldBy(account)).toBe(of(account));
      }
    }),
  );
});
