import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createNumbering, MessageRow, type Numbered } from '#harness/engine/message-row.ts';
import { ReceiverAnswers } from './receiver-answers.ts';
import { arrivalsByPath, type PathArrivals } from './start-receiver.ts';

type Answer = { readonly id: number; readonly answer: readonly PathArrivals[] };

/** One more event has come each time that somebody asks. */
const came = (count: number): readonly PathArrivals[] => {
  const ids = Array.from({ length: count }, (_, i) => `evt_${i}`);
  return [{ path: '/a', ids, devices: ids.map((id) => `d-${id}`), accepted: ids.map(() => 1) }];
};

test('whatever is lost, doubled or late of what the receiver says, each question has its own answer or none', async () => {
  const fate = fc.record({ copies: fc.nat(2), lateness: fc.nat(5) });
  await fc.assert(
    fc.asyncProperty(fc.array(fate, { minLength: 1, maxLength: 8 }), async (fates) => {
      const answers = new ReceiverAnswers(60_000);
      const sent: Numbered<Answer>[] = [];
      const say = createNumbering<Answer>((numbered) => sent.push(numbered));
      const asked = fates.map((_, i) => answers.ask((id) => say({ id, answer: came(i) })));
      const row = new MessageRow();
      const heard = sent.flatMap((one, i) => Array.from({ length: fates[i]?.copies ?? 0 }, (_, copy) => ({ one, at: i + copy * (fates[i]?.lateness ?? 0) })));
      for (const { one } of heard.toSorted((a, b) => a.at - b.at)) if (row.isNew(one.number)) answers.hear(one.message);
      answers.fail(new Error('the receiver ended'));
      const told = await Promise.allSettled(asked);
      const expected = fates.map(({ copies }, i) => (copies === 0 ? undefined : came(i)[0]?.ids));
      const ids = told.map((one) => (one.status === 'fulfilled' ? arrivalsByPath(['/a'], one.value as readonly PathArrivals[])[0]?.ids : undefined));
      expect(ids).toEqual(expected);
    }),
  );
});
