import fc from 'fast-check';
import { expect, test } from 'vitest';
import { afterAcknowledged, arrivalState } from '#harness/engine/engine.ts';
import { ArrivalStates } from '#harness/engine/native/arrival-states.ts';
import { Audit } from './audit.ts';

const { acknowledged, refused, unknown, notFired, notPlanned } = arrivalState;
const eventIdOf = (arrival: number, index: number) => `r-${arrival}-${index}`;

function audit(states: readonly number[], options: { devices?: number; eventsPerBatch?: number; loud?: readonly number[] } = {}) {
  return new Audit({
    states: Uint8Array.from(states),
    devices: options.devices ?? 2,
    eventsPerBatch: options.eventsPerBatch ?? 1,
    eventIdOf,
    isOrdered: (arrival) => options.loud?.includes(arrival) !== true,
    parseEventId: (id) => {
      const match = /^r-(\d+)-(\d+)$/.exec(id);
      return match === null ? undefined : { arrival: Number(match[1]), index: Number(match[2]) };
    },
  });
}

test('everything acknowledged and there, once and in order: nothing to report', () => {
  const book = audit([acknowledged, acknowledged, acknowledged | afterAcknowledged, acknowledged | afterAcknowledged]);
  for (const id of ['r-1-0', 'r-0-0', 'r-2-0', 'r-3-0']) book.see(id);
  expect(book.finish()).toEqual({
    acknowledged: 4,
    refused: 0,
    unknown: 0,
    lost: 0,
    duplicated: 0,
    reordered: 0,
    unknownFound: 0,
    refusedFound: 0,
    foreign: 0,
    examples: [],
  });
});

test('an acknowledged event that is not there is lost, and named', () => {
  const book = audit([acknowledged, acknowledged]);
  book.see('r-0-0');
  expect(book.finish()).toMatchObject({ lost: 1, examples: [{ kind: 'lost', eventId: 'r-1-0' }] });
});

test('the unknown may be there or not; the refused may not; what was never sent is foreign only if an id says so', () => {
  const book = audit([unknown, unknown, refused, notFired, notPlanned]);
  for (const id of ['r-0-0', 'r-2-0', 'x-9-9', 'r-77-0']) book.see(id);
  expect(book.finish()).toMatchObject({ unknown: 2, unknownFound: 1, refused: 1, refusedFound: 1, foreign: 2, lost: 0 });
});

test('a second sight of an event is a duplicate', () => {
  const book = audit([acknowledged, acknowledged]);
  for (const id of ['r-0-0', 'r-1-0', 'r-0-0']) book.see(id);
  expect(book.finish()).toMatchObject({ duplicated: 1, lost: 0 });
});

test('order counts exactly where the acknowledgement came before the next send', () => {
  const certain = audit([acknowledged, acknowledged | afterAcknowledged, acknowledged | afterAcknowledged], { devices: 1 });
  for (const id of ['r-2-0', 'r-0-0', 'r-1-0']) certain.see(id);
  expect(certain.finish().reordered).toBe(2);

  const concurrent = audit([acknowledged, acknowledged, acknowledged], { devices: 1 });
  for (const id of ['r-2-0', 'r-0-0', 'r-1-0']) concurrent.see(id);
  expect(concurrent.finish().reordered).toBe(0);
});

/** A random history of one device: every arrival goes out at some step, is stored at a later one and acknowledged at a still later one. */
const histories = fc.array(fc.tuple(fc.nat(40), fc.integer({ min: 1, max: 8 }), fc.integer({ min: 1, max: 8 })), { minLength: 2, maxLength: 12 });

test('in whatever order a device’s arrivals go out, a service that stores each between its request and its answer is accused of nothing', () => {
  const acknowledging = { kind: 'good', acknowledged: 1, duplicate: 0 } as const;
  fc.assert(
    fc.property(histories, (arrivals) => {
      const states = new Uint8Array(arrivals.length);
      const kept = new ArrivalStates(states, 1);
      const stored: string[] = [];
      const steps = arrivals.flatMap(([sentAt, toStore, toAnswer], arrival) => [
        { at: sentAt, run: () => kept.sending(arrival, true) },
        { at: sentAt + toStore, run: () => void stored.push(`r-${arrival}-0`) },
        { at: sentAt + toStore + toAnswer, run: () => kept.answered(arrival, acknowledging, 202) },
      ]);
      for (const { run } of steps.sort((one, other) => one.at - other.at)) run();
      const book = audit([...states], { devices: 1 });
      for (const id of stored) book.see(id);
      expect(book.finish()).toMatchObject({ acknowledged: arrivals.length, lost: 0, reordered: 0 });
    }),
    { numRuns: 2000 },
  );
});

test('events of one batch keep the batch’s order', () => {
  const book = audit([acknowledged], { devices: 1, eventsPerBatch: 3 });
  for (const id of ['r-0-1', 'r-0-0', 'r-0-2']) book.see(id);
  expect(book.finish()).toMatchObject({ acknowledged: 3, reordered: 1, lost: 0 });
});

test('what another account’s device sent has no place in the order of the devices, and is counted like all else', () => {
  const states = [acknowledged, acknowledged, acknowledged | afterAcknowledged, acknowledged | afterAcknowledged];
  const inOrderOfAccounts = ['r-2-0', 'r-0-0', 'r-1-0', 'r-3-0'];
  const [blind, knowing] = [audit(states), audit(states, { loud: [2] })];
  for (const id of inOrderOfAccounts) for (const book of [blind, knowing]) book.see(id);
  expect(blind.finish().reordered).toBe(1);
  expect(knowing.finish()).toMatchObject({ acknowledged: 4, lost: 0, duplicated: 0, reordered: 0 });
});
