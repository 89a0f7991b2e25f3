import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createNumbering, MessageRow, type Numbered } from './message-row.ts';

test('whatever is lost, doubled or late: each message is heard at most once, and gaps before the last are counted', () => {
  const fates = fc.array(fc.record({ times: fc.nat(3), place: fc.nat(50) }), { maxLength: 40 });
  fc.assert(
    fc.property(fates, (fate) => {
      const sent: Numbered<string>[] = [];
      const say = createNumbering<string>((numbered) => sent.push(numbered));
      for (const i of fate.keys()) say(`m${i}`);
      const came = sent.flatMap((one, i) => Array.from({ length: fate[i]?.times ?? 0 }, () => ({ one, place: fate[i]?.place ?? 0 })));
      const row = new MessageRow();
      const heard = came.toSorted((a, b) => a.place - b.place).flatMap(({ one }) => (row.isNew(one.number) ? [one.message] : []));
      const arrived = sent.filter((_, i) => (fate[i]?.times ?? 0) > 0);
      expect(heard.toSorted()).toEqual(arrived.map(({ message }) => message).toSorted());
      expect(row.missing).toBe((arrived.at(-1)?.number ?? -1) + 1 - arrived.length);
    }),
  );
});
