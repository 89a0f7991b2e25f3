import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { afterAcknowledged, arrivalState, secondAcknowledged } from '#harness/engine/engine.ts';
import { eventIdOf } from '#harness/target/event-ids.ts';
import { userNameOf } from '#harness/target/item-laws.ts';
import { onceKeyOf } from '#harness/target/stream-contract.ts';
import { ItemAudit } from './item-audit.ts';

const run = 'abcdefghijkl';
const { acknowledged, unknown, notPlanned } = arrivalState;
// Arrival i is of device i mod 4 and so of user i mod 2.
const population = { accounts: 1, devices: 4, users: 2 };

const audit = (states: readonly number[]) =>
  new ItemAudit({ run, states: Uint8Array.from(states), population, isItem: (arrival) => states[arrival] !== notPlanned });
const put = (arrival: number) => ({ t: 'put', ch: 'sync:trips', k: 'k1', d: { id: eventIdOf(run, arrival, 0) } });
const del = (arrival: number) => ({ t: 'del', ch: 'sync:trips', k: onceKeyOf(arrival) });
const shared = (arrival: number, from: number) => ({
  t: 'put',
  ch: 'inbox',
  k: 'share',
  d: { from: { user: userNameOf(run, from) }, data: { id: eventIdOf(run, arrival, 0) } },
});

test('everything acknowledged stands in its user’s log', () => {
  const book = audit([acknowledged, acknowledged | secondAcknowledged, unknown, acknowledged | secondAcknowledged]);
  book.see(0, put(0));
  for (const change of [put(1), del(1), put(3)]) book.see(1, change);
  expect(book.missingRecipients()).toEqual([0]);
  book.see(0, shared(3, 1));
  expect(book.missingRecipients()).toEqual([]);
  expect(book.finish()).toMatchObject({ acknowledged: 5, unknown: 1, unknownFound: 0, lostFromLog: 0, duplicated: 0, reordered: 0, leaked: 0, logLength: 5 });
});

describe('what is wrong is counted and named', () => {
  test('a write that is in no log', () => {
    const counts = audit([acknowledged, acknowledged]).finish();
    expect(counts).toMatchObject({ lostFromLog: 2 });
    expect(counts.examples[0]?.text).toContain('the write of arrival 0');
  });
  test('a share that never reached its inbox', () => {
    const book = audit([acknowledged | secondAcknowledged]);
    book.see(0, put(0));
    expect(book.finish()).toMatchObject({ lostFromLog: 1, examples: [{ kind: 'lost-from-log', text: expect.stringContaining('delete or share') }] });
  });
  test('a write that stands there twice', () => {
    const book = audit([acknowledged]);
    for (const change of [put(0), put(0)]) book.see(0, change);
    expect(book.finish()).toMatchObject({ duplicated: 1 });
  });
  test('another user’s write, and an inbox with what was not shared with it', () => {
    const book = audit([acknowledged, acknowledged]);
    book.see(1, put(0));
    book.see(0, shared(0, 0));
    expect(book.finish()).toMatchObject({ leaked: 2 });
  });
  test('order counts where the acknowledgement came before the device’s next write was sent', () => {
    const states = [acknowledged, notPlanned, notPlanned, notPlanned, acknowledged | afterAcknowledged];
    const certain = audit(states);
    for (const change of [put(4), put(0)]) certain.see(0, change);
    expect(certain.finish()).toMatchObject({ reordered: 1, lostFromLog: 0 });
    const concurrent = audit([acknowledged, notPlanned, notPlanned, notPlanned, acknowledged]);
    for (const change of [put(4), put(0)]) concurrent.see(0, change);
    expect(concurrent.finish()).toMatchObject({ reordered: 0 });
  });
});

test('what another run wrote lies there from before, and an unknown write may be there', () => {
  const book = audit([unknown]);
  book.see(0, { t: 'put', ch: 'sync:trips', k: 'k', d: { id: 'somebody-else' } });
  book.see(0, put(0));
  expect(book.finish()).toMatchObject({ unknown: 1, unknownFound: 1, logLength: 1, lostFromLog: 0 });
});

test('whatever nobody knows of which writes were acknowledged, a log that has all of them in order has lost, doubled and leaked none', () => {
  const kept = fc.constantFrom(acknowledged, acknowledged | afterAcknowledged, acknowledged | secondAcknowledged, unknown);
  fc.assert(
    fc.property(fc.array(kept, { minLength: 1, maxLength: 16 }), fc.array(fc.boolean(), { minLength: 16, maxLength: 16 }), (states, forgotten) => {
      const book = audit(states.map((state, arrival) => (forgotten[arrival] === true ? unknown : state)));
      for (const [arrival, state] of states.entries()) {
        book.see(arrival % 2, put(arrival));
        if ((state & secondAcknowledged) !== 0) book.see(arrival % 2, del(arrival));
      }
      expect(book.finish()).toMatchObject({ lostFromLog: 0, duplicated: 0, reordered: 0, leaked: 0, examples: [] });
    }),
  );
});
