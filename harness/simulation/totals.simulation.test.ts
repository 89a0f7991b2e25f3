import fc from 'fast-check';
import { expect, test } from 'vitest';
import { gapsOf } from '#harness/gates/identities.ts';
import { totalOf } from './figures.ts';
import type { Act, ScriptedRequest } from './scripted-wire.ts';
import { answerText, body202, bytesAt } from './scripts.ts';
import { poissonPhase, type SimulateOptions, simulateRun, startMs } from './simulate.ts';

type Share = { readonly of: number; readonly act: (atMs: number) => readonly Act[] };

/** What a target may do to a request; the rest is answered as it should be. */
const deeds: readonly Share[] = [
  { of: 5, act: () => [] },
  { of: 7, act: (atMs) => [{ kind: 'close', atMs: atMs + 1 }] },
  { of: 11, act: (atMs) => [bytesAt(atMs + 1, 'HTTP/1.1 202 Acc'), { kind: 'close', atMs: atMs + 2 }] },
  { of: 13, act: (atMs) => [bytesAt(atMs + 1, 'no HTTP at all\r\n\r\n')] },
  { of: 17, act: (atMs) => [bytesAt(atMs + 1, answerText('{}', '500 Broken'))] },
  { of: 19, act: (atMs) => [bytesAt(atMs + 900, answerText(body202(1)))] },
];

/** A target that does some of these to some of its requests, and refuses some connections. */
const roughServer = (kinds: readonly number[], serviceMs: number, isFull: boolean): SimulateOptions['server'] => ({
  connect: (connection) => {
    if (isFull && connection % 3 === 2) return connection % 2 === 0 ? 'EMFILE' : 'ECONNREFUSED';
    return connection % 5 === 4 ? 120 : 0;
  },
  answer: ({ atMs, request }: ScriptedRequest) => {
    const deed = kinds.map((kind) => deeds[kind] as Share).find(({ of }) => request % of === of - 1);
    return deed?.act(atMs) ?? [bytesAt(atMs + serviceMs, answerText(body202(1)))];
  },
});

const runs: fc.Arbitrary<SimulateOptions> = fc
  .record({
    kinds: fc.uniqueArray(fc.integer({ min: 0, max: deeds.length - 1 })),
    serviceMs: fc.constantFrom(1, 30, 300),
    isFull: fc.boolean(),
    workers: fc.constantFrom(1, 2),
    connectionsMax: fc.constantFrom(2, 8, 1000),
    connection: fc.constantFrom<NonNullable<SimulateOptions['connection']>>(
      { kind: 'per-request', openMax: 50 },
      { kind: 'per-device-group', connections: 4 },
      { kind: 'per-device-group', connections: 4, openMax: 6, opening: { perSecond: 2, atOnce: 1 } },
    ),
    timeoutMs: fc.constantFrom(100, 500),
    retries: fc.boolean(),
    stopMs: fc.constantFrom(0, 150, 700),
    cutAtMs: fc.option(fc.integer({ min: startMs, max: startMs + 3000 }), { nil: undefined }),
    endsEarly: fc.boolean(),
    chained: fc.boolean(),
    seed: fc.integer({ min: 1, max: 1000 }),
  })
  .map(({ kinds, serviceMs, isFull, retries, stopMs, cutAtMs, chained, ...rest }) => ({
    ...rest,
    server: roughServer(kinds, serviceMs, isFull),
    phases: [poissonPhase('calm', 60, 1), poissonPhase('load', 200, 1), poissonPhase('after', 60, 1)],
    goodWithinMs: 400,
    ...(chained ? { chains: { ingest: ['ingest', 'ingest'] } } : {}),
    ...(retries ? { retry: { kind: 'ignore', triesMax: 3, afterMs: 200 } } : {}),
    ...(stopMs === 0 ? {} : { stops: [{ atMs: startMs + 1200, forMs: stopMs }] }),
    ...(cutAtMs === undefined ? {} : { cut: { phase: 1, atMs: cutAtMs } }),
  }));

test('whatever a target does, nothing that was planned or fired ends as nothing', () => {
  const seen = { neverFired: 0, firedLate: 0, heldNever: 0, heldLate: 0, timedOut: 0, cut: 0, inFlightAtEnd: 0 };
  fc.assert(
    fc.property(runs, (options) => {
      const run = simulateRun(options);
      expect(gapsOf(run.cells)).toEqual([]);
      expect(totalOf(run, 'firedLate')).toBeLessThanOrEqual(totalOf(run, 'fired'));
      expect(totalOf(run, 'heldLate')).toBeLessThanOrEqual(totalOf(run, 'firedLate'));
      expect(totalOf(run, 'heldNever')).toBeLessThanOrEqual(totalOf(run, 'neverFired'));
      for (const name of Object.keys(seen) as (keyof typeof seen)[]) seen[name] += totalOf(run, name);
    }),
    { numRuns: 150, seed: 7 },
  );
  // Of each kind there were some, or the sums prove nothing.
  expect(Object.entries(seen).filter(([, count]) => count === 0)).toEqual([]);
});
