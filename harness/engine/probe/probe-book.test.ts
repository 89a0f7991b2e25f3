import fc from 'fast-check';
import { expect, test } from 'vitest';
import { arrivalState } from '#harness/engine/engine.ts';
import { Audit } from '#harness/ledger/audit.ts';
import { countOf } from '#harness/metrics/histogram.ts';
import type { PhaseRecord } from '#harness/run-result.ts';
import { eventIdOf, parseEventId } from '#harness/target/event-ids.ts';
import { createInstants } from './instants.ts';
import type { ProbeMessage, ProbeSample } from './messages.ts';
import { ProbeBook } from './probe-book.ts';

const plan = { seed: 3, ratePerSecond: 20, startMs: 0 };
const phases: readonly PhaseRecord[] = [
  { name: 'warm-up', measured: false, startSeconds: 0, endSeconds: 1, planned: 20 },
  { name: 'load', measured: true, startSeconds: 1, endSeconds: 3, planned: 40 },
];
const due = (untilMs: number): number => {
  const next = createInstants(plan);
  let count = 0;
  while (next() < untilMs) count++;
  return count;
};

const good = (arrival: number): ProbeSample => ({ arrival, kind: 'good', state: arrivalState.acknowledged, serviceMicros: 700, behindMs: 0.1 });
const samples: fc.Arbitrary<ProbeSample['kind']> = fc.constantFrom('good', 'shed', 'failed', 'unsent');
const sampleOf = (kind: ProbeSample['kind'], arrival: number): ProbeSample =>
  ({
    good: good(arrival),
    shed: { arrival, kind, state: arrivalState.refused, behindMs: 0 },
    failed: { arrival, kind, state: arrivalState.unknown, behindMs: 0 },
    unsent: { arrival, kind, state: arrivalState.notFired },
  })[kind];

/** What a truthful service has: what it acknowledged, and of what failed every second one. */
const storedBy = (all: readonly ProbeSample[]): readonly number[] =>
  all.filter(({ kind, arrival }) => kind === 'good' || (kind === 'failed' && arrival % 2 === 0)).map(({ arrival }) => arrival);

function auditOf(states: Uint8Array, stored: readonly number[]) {
  const run = 'aaaaaaaaaaaap';
  const audit = new Audit({
    states,
    devices: 1,
    eventsPerBatch: 1,
    isOrdered: () => true,
    parseEventId: (id) => parseEventId(run, id),
    eventIdOf: (arrival, index) => eventIdOf(run, arrival, index),
  });
  for (const arrival of stored) audit.see(eventIdOf(run, arrival, 0));
  return audit.finish();
}

/** The messages of a probe, each with how often it comes (0: never) and where in the row. */
const fates = fc.array(fc.record({ times: fc.integer({ min: 0, max: 3 }), place: fc.double({ min: 0, max: 1, noNaN: true }) }), {
  minLength: 1,
  maxLength: 40,
});

test('whatever is lost, doubled or late of what the probe says, nothing of a truthful service is lost, twice there or out of order', () => {
  fc.assert(
    fc.property(fc.array(samples, { maxLength: 80 }), fc.integer({ min: 1, max: 9 }), fates, (kinds, batch, fate) => {
      const all = kinds.map(sampleOf);
      const messages: ProbeMessage[] = [{ kind: 'begun', arrival: 0 }];
      for (let i = 0; i < all.length; i += batch) messages.push({ kind: 'samples', samples: all.slice(i, i + batch) });
      messages.push({ kind: 'done', arrival: all.length });
      const book = new ProbeBook(plan);
      const heard = messages.flatMap((message, i) => {
        const { times, place } = fate[i % fate.length] as { times: number; place: number };
        return Array.from({ length: times }, () => ({ message, place }));
      });
      for (const { message } of heard.toSorted((a, b) => a.place - b.place)) book.hear(message);
      const { record, states } = book.outcome(phases);
      expect(auditOf(states, storedBy(all))).toMatchObject({ lost: 0, duplicated: 0, reordered: 0, refusedFound: 0 });
      const told = record.seconds.reduce((sum, one) => sum + countOf(one.service) + one.failed + (one.shed ?? 0) + (one.missing ?? 0), 0);
      expect(told).toBeLessThanOrEqual(due(3000));
      if (!heard.some(({ message }) => message.kind === 'begun' || message.kind === 'done')) expect(told).toBe(due(3000));
    }),
    { numRuns: 500 },
  );
});

test('a service that lost what it acknowledged is found out, whatever else was missing', () => {
  const book = new ProbeBook(plan);
  book.hear({ kind: 'samples', samples: [good(4), good(2)] });
  const { states } = book.outcome(phases);
  expect(auditOf(states, [0, 1, 2, 3, 5])).toMatchObject({ lost: 1, acknowledged: 2 });
});

test('an instant of which nothing was heard, or that was sent late, is missing where it was due', () => {
  const book = new ProbeBook(plan);
  const last = due(3000) - 1;
  book.hear({ kind: 'begun', arrival: last - 3 });
  book.hear({ kind: 'samples', samples: [good(last - 3), { ...good(last - 2), behindMs: 101 }, { arrival: last - 1, kind: 'unsent', state: 1 }] });
  const { record } = book.outcome(phases);
  const sum = (count: (one: (typeof record.seconds)[number]) => number): number => record.seconds.reduce((total, one) => total + count(one), 0);
  expect([sum(({ service }) => countOf(service)), sum(({ missing }) => missing ?? 0)]).toEqual([1, 3]);
  expect(Math.max(...record.seconds.map(({ behindMsMax }) => behindMsMax ?? 0))).toBe(101);
  expect(record.trouble).toMatch(/before it had told of everything/);
});

test('a probe that told of everything has no trouble, one without a sample has', () => {
  const book = new ProbeBook(plan);
  book.hear({ kind: 'begun', arrival: 0 });
  expect(book.outcome(phases).record.trouble).toBe('the probe has no sample');
  book.hear({ kind: 'samples', samples: [good(0)] });
  book.hear({ kind: 'done', arrival: 1 });
  expect(book.outcome(phases).record.trouble).toBeUndefined();
});
