import fc from 'fast-check';
import { expect, test } from 'vitest';
import { afterAcknowledged, arrivalState } from '#harness/engine/engine.ts';
import { Audit } from '#harness/ledger/audit.ts';
import { foldCells, timesOf } from '#harness/metrics/fold.ts';
import { quantileMicros } from '#harness/metrics/histogram.ts';
import { thinkMsOf } from '#harness/pacing/think-time.ts';
import type { CellCounts, SecondDelta } from '#harness/run-result.ts';
import { k6PlanOf } from './k6-plan.ts';
import { SampleFold } from './sample-fold.ts';
import type { RequestSample } from './samples.ts';

const originWallMs = 1_000_000;
const startMs = 500;
const phases = [
  {
    name: 'calm',
    measured: true,
    durationSeconds: 2,
    rate: { kind: 'constant', ratePerSecond: 2 },
    spacing: 'uniform',
    traffic: [{ chain: 'ingest', weight: 1 }],
  },
  {
    name: 'load',
    measured: true,
    durationSeconds: 1,
    rate: { kind: 'constant', ratePerSecond: 4 },
    spacing: 'uniform',
    traffic: [{ chain: 'ingest', weight: 1 }],
  },
] as const;
const plan = k6PlanOf({
  run: 'abcdefghijkl',
  seed: 1,
  baseUrl: 'http://127.0.0.1:1',
  deviceCount: 2,
  eventsPerBatch: 1,
  timeoutMs: 1000,
  goodWithinMs: 300,
  chains: { ingest: ['ingest'] },
  connection: { kind: 'per-device-group', connections: 1 },
  phases,
});

/** When the plan wants an arrival, since the origin: phases begin at 500 and 2500 ms. */
const intendedMs = (arrival: number): number => startMs + (arrival < 4 ? 250 + arrival * 500 : 2000 + 125 + (arrival - 4) * 250);

function sampleOf(arrival: number, changes: Partial<RequestSample> & { readonly afterMs?: number } = {}): RequestSample {
  const { afterMs = 50, ...rest } = changes;
  return {
    kind: 'request',
    arrival,
    step: 0,
    phaseStartMs: originWallMs + (arrival < 4 ? 500 : 2500),
    operation: 'ingest',
    outcome: 'good',
    kept: 'acknowledged',
    reason: '',
    endedAtMs: originWallMs + intendedMs(arrival) + afterMs,
    serviceMs: 20,
    connectMs: undefined,
    ...rest,
  };
}

function folded(samples: readonly (RequestSample | { kind: 'dropped'; phase: string; atMs: number; count: number })[], cutMs?: number, hasOneClock = true) {
  const fold = new SampleFold({ plan, phases, operations: ['ingest'], originWallMs, startMs, lateAboveMs: 100, hasOneClock });
  const deltas: SecondDelta[] = [];
  for (const sample of samples) {
    fold.add(sample);
    deltas.push(fold.takeDelta(0));
  }
  deltas.push(fold.finish(cutMs));
  const cells = foldCells(deltas);
  const count = (name: keyof CellCounts): number => cells.reduce((sum, cell) => sum + cell.counts[name], 0);
  return { fold, cells, count, states: [...fold.states] };
}

const all = Array.from({ length: 8 }, (_, arrival) => sampleOf(arrival));

test('every arrival once: planned, fired, good, acknowledged, and its response from the plan', () => {
  const { count, cells, states } = folded(all);
  expect([count('planned'), count('fired'), count('answered'), count('good'), count('neverFired')]).toEqual([8, 8, 8, 8, 0]);
  expect((quantileMicros(timesOf(cells, 'response'), 1) ?? 0) / 1000).toBeCloseTo(50, 0);
  expect((quantileMicros(timesOf(cells, 'service'), 1) ?? 0) / 1000).toBeCloseTo(20, 0);
  expect(timesOf(cells, 'dispatch_delay').index).toEqual([]);
  // Of two devices: all but the first of each were sent after their device's one before was acknowledged.
  expect(states).toEqual([3, 3, ...Array(6).fill(arrivalState.acknowledged | afterAcknowledged)]);
});

test('one that goes out behind a later one of its device says nothing of their order', () => {
  const { states } = folded(all.map((sample, arrival) => (arrival === 2 ? sampleOf(arrival, { afterMs: 2500 }) : sample)));
  const inOrder = arrivalState.acknowledged | afterAcknowledged;
  // The fourth and the sixth of the first device were sent while the second had still to go out.
  expect(states).toEqual([3, 3, arrivalState.acknowledged, inOrder, arrivalState.acknowledged, inOrder, inOrder, inOrder]);
});

test('in any order of processes the ledger is the same', () => {
  expect(folded([...all].reverse()).states).toEqual(folded(all).states);
});

test('of several machines, whose clocks differ, nothing is said about order', () => {
  expect(folded(all, undefined, false).states).toEqual(Array(8).fill(arrivalState.acknowledged));
});

test('what k6 dropped was never fired', () => {
  const { count, states } = folded([...all.filter(({ arrival }) => arrival !== 5), drop('load', 2700)]);
  expect([count('planned'), count('fired'), count('neverFired'), count('givenUp')]).toEqual([8, 7, 1, 1]);
  expect(states[5]).toBe(arrivalState.notFired);
  // No arrival before it was acknowledged.
  expect(states[7]).toBe(arrivalState.acknowledged);
});

test('what never came and was not dropped was in flight at the end, and may have been sent', () => {
  const { count, states } = folded(all.filter(({ arrival }) => arrival !== 5));
  expect([count('planned'), count('fired'), count('inFlightAtEnd'), count('neverFired')]).toEqual([8, 8, 1, 0]);
  expect(states[5]).toBe(arrivalState.unknown);
});

test('of a run that was cut, what was due and did not come may have been sent; what was not due was not planned', () => {
  const { count, states } = folded(all.slice(0, 4), 2700);
  expect([count('planned'), count('inFlightAtEnd')]).toEqual([5, 1]);
  expect(states.slice(4)).toEqual([arrivalState.unknown, 0, 0, 0]);
});

test('fired more than 100 ms late is load not delivered; a phase that k6 began late counts from there', () => {
  expect(folded([sampleOf(0, { afterMs: 200 }), ...all.slice(1)]).count('firedLate')).toBe(1);
  const shifted = all.map((sample) =>
    sample.arrival < 4 ? sample : { ...sample, phaseStartMs: sample.phaseStartMs + 200, endedAtMs: sample.endedAtMs + 200 },
  );
  expect(folded(shifted).count('firedLate')).toBe(0);
});

test('late answers, refusals, timeouts and the own limits are told apart', () => {
  const { count, states, cells } = folded([
    sampleOf(0, { afterMs: 350, serviceMs: 340 }),
    sampleOf(1, { outcome: 'shed', kept: 'refused' }),
    sampleOf(2, { outcome: 'timeout', kept: 'unknown', serviceMs: 1000, afterMs: 1000 }),
    sampleOf(3, { outcome: 'own-limit', kept: 'not-sent', reason: 'too many open files' }),
    ...all.slice(4),
  ]);
  expect([count('good'), count('shed'), count('failed'), count('timedOut'), count('neverFired'), count('fired')]).toEqual([4, 1, 2, 1, 1, 7]);
  expect(states.slice(0, 4).map((state) => state & 0x0f)).toEqual([
    arrivalState.acknowledged,
    arrivalState.refused,
    arrivalState.unknown,
    arrivalState.notFired,
  ]);
  expect(Object.assign({}, ...cells.map(({ reasons }) => reasons))).toEqual({ late: 1, timeout: 1, 'generator out of means: too many open files': 1 });
});

const drop = (phase: string, sinceMs: number) => ({ kind: 'dropped' as const, phase, atMs: originWallMs + sinceMs, count: 1 });

test('iterations that k6 dropped count in their phase, whenever it came to them', () => {
  expect(folded([drop('calm', 1000), drop('calm', 2600), drop('load', 2600), drop('load', 2700), drop('load', 3600)]).fold.dropped).toEqual([2, 3]);
});

test('what was planned is what k6 began and what it dropped: a missing, a doubled and a foreign sample are not accounted for', () => {
  const six = all.filter(({ arrival }) => arrival < 6);
  expect(folded(all).fold.unaccounted).toEqual([0, 0]);
  expect(folded([...six, drop('load', 2700), drop('load', 3600)]).fold.unaccounted).toEqual([0, 0]);
  expect(folded([...six, drop('load', 2700)]).fold.unaccounted).toEqual([0, 1]);
  expect(folded([...all, sampleOf(2)]).fold.unaccounted).toEqual([1, 0]);
  // One that is missing and one that came twice do not make up for each other.
  expect(folded([...all.filter(({ arrival }) => arrival !== 1), sampleOf(2)]).fold.unaccounted).toEqual([2, 0]);
  // Fired in the place of one that was dropped: as many came as were planned, and one too many was begun.
  expect(folded([...all, drop('load', 2700)]).fold.unaccounted).toEqual([0, 1]);
  expect(folded(six, 2700).fold.unaccounted).toEqual([0, 0]);
});

test('a sample that comes twice is one request', () => {
  const twice = folded([...all, ...all]);
  expect(twice.states).toEqual(folded(all).states);
  for (const name of ['planned', 'fired', 'answered', 'good', 'failed'] as const) expect(twice.count(name)).toBe(folded(all).count(name));
});

test('whatever is lost, doubled or late of what k6 says, nothing of a truthful service is lost, twice there or out of order, and holes are told', () => {
  const kinds = fc.array(fc.constantFrom('good', 'timeout', 'shed'), { minLength: 8, maxLength: 8 });
  const fates = fc.array(fc.record({ times: fc.nat(2), place: fc.nat(100) }), { minLength: 8, maxLength: 8 });
  const keptAs = { good: 'acknowledged', timeout: 'unknown', shed: 'refused' } as const;
  fc.assert(
    fc.property(kinds, fates, fc.boolean(), (outcomes, fate, hasOneClock) => {
      const samples = outcomes.map((outcome, arrival) => sampleOf(arrival, { outcome, kept: keptAs[outcome] }));
      const came = samples.flatMap((sample, i) => Array.from({ length: fate[i]?.times ?? 0 }, () => ({ sample, place: fate[i]?.place ?? 0 })));
      const order = came.toSorted((a, b) => a.place - b.place).map(({ sample }) => sample);
      const { states, fold } = folded(order, undefined, hasOneClock);
      const audit = new Audit({
        states: Uint8Array.from(states),
        devices: 2,
        eventsPerBatch: 1,
        isOrdered: () => true,
        parseEventId: (id) => ({ arrival: Number(id), index: 0 }),
        eventIdOf: String,
      });
      // It has what it acknowledged, and of what timed out every second one.
      for (const [arrival, outcome] of outcomes.entries()) if (outcome === 'good' || (outcome === 'timeout' && arrival % 2 === 0)) audit.see(String(arrival));
      expect(audit.finish()).toMatchObject({ lost: 0, duplicated: 0, reordered: 0, refusedFound: 0 });
      const isWhole = fate.every(({ times }) => times === 1);
      expect(fold.unaccounted.every((count) => count === 0)).toBe(isWhole);
    }),
  );
});

test('what was thought between two steps is not in the time of the chain', () => {
  const thinkTimes = { visit: { 1: { kind: 'uniform', fromMs: 100, untilMs: 900 } } } as const;
  const visits = phases.map((phase) => ({ ...phase, traffic: [{ chain: 'visit', weight: 1 }] }));
  const visited = {
    ...plan,
    chains: { visit: ['ingest', 'ingest'] },
    thinkTimes,
    phases: plan.phases.map((phase) => ({ ...phase, traffic: [{ chain: 'visit', weight: 1 }] })),
  };
  const fold = new SampleFold({ plan: visited, phases: visits, operations: ['ingest'], originWallMs, startMs, lateAboveMs: 100, hasOneClock: true });
  for (const { arrival } of all) {
    const thoughtMs = thinkMsOf(thinkTimes.visit[1], { seed: 1, arrival, step: 1 });
    fold.add(sampleOf(arrival));
    fold.add(sampleOf(arrival, { step: 1, afterMs: 50 + thoughtMs + 20 }));
  }
  const chain = timesOf(foldCells([fold.finish()]), 'chain');
  for (const q of [0, 1]) expect((quantileMicros(chain, q) ?? 0) / 1000).toBeCloseTo(70, 0);
});
