import { describe, expect, it } from 'vitest';
import type { Cell, CellCounts } from '#harness/run-result.ts';
import { reasonsOf, totalOf } from './figures.ts';
import type { ScriptedServer } from './scripted-wire.ts';
import { answerText, body202, bytesAt, constantServer } from './scripts.ts';
import { poissonPhase, type SimulateOptions, simulateRun, startMs } from './simulate.ts';

const capacity = 200;
const timeoutMs = 1000;

/** Takes so many a second, a quarter of a second's worth at once, and leaves the others without an answer. */
function bucketServer(): ScriptedServer {
  let tokens = capacity / 4;
  let filledMs = 0;
  return {
    answer: ({ atMs }) => {
      tokens = Math.min(capacity / 4, tokens + ((atMs - filledMs) / 1000) * capacity);
      filledMs = atMs;
      if (tokens < 1) return [];
      tokens--;
      return [bytesAt(atMs + 5, answerText(body202(1)))];
    },
  };
}

const overload = {
  phases: [poissonPhase('calm', 0.8 * capacity, 5), poissonPhase('over', 3 * capacity, 10), poissonPhase('after', 0.8 * capacity, 10)],
  connection: { kind: 'per-device-group', connections: 50, openMax: 150, opening: { perSecond: 10, atOnce: 60 } },
  timeoutMs,
} satisfies Partial<SimulateOptions>;
const afterMs = startMs + 15_000;

const inPhase = (cells: readonly Cell[], phase: number, count: keyof CellCounts): number =>
  cells.reduce((sum, cell) => sum + (cell.phase === phase ? cell.counts[count] : 0), 0);

describe('a service that takes a third of what is planned', () => {
  const run = simulateRun({ ...overload, server: bucketServer() });

  it('meets no more connections than the fleet has, opened at its pace', () => {
    // The groups' own, what is opened at once, and ten a second for as long as there are arrivals.
    expect(run.seen.connections).toBeLessThanOrEqual(50 + 60 + 25 * 10 + 10);
    expect(run.seen.connections).toBeGreaterThan(150);
  });

  it('is answered for what waited because it held every connection; the generator is not', () => {
    expect(totalOf(run, 'waitedForConnection')).toBe(0);
    const counts = (['neverFired', 'firedLate', 'planned'] as const).map((count) => inPhase(run.cells, 1, count));
    expect(counts[0]).toBeGreaterThan(1000);
    expect(inPhase(run.cells, 1, 'heldNever')).toBe(counts[0]);
    expect(inPhase(run.cells, 1, 'heldLate')).toBe(counts[1]);
    expect(reasonsOf(run)['no connection opened or was free within the timeout']).toBe(counts[0]);
    // It was asked for all that it takes nevertheless.
    expect(inPhase(run.cells, 1, 'good')).toBeGreaterThan(0.95 * 10 * capacity);
  });

  it('does not make the next phase wait behind what the one before it left', () => {
    const seconds = run.cells.filter(({ phase, second }) => phase === 2 && second * 1000 >= afterMs + timeoutMs);
    expect(seconds.reduce((sum, { counts }) => sum + counts.planned, 0)).toBeGreaterThan(1000);
    const late = seconds.reduce((sum, { counts }) => sum + counts.firedLate + counts.neverFired, 0);
    expect(late).toBe(0);
  });

  it('the queue of the phase before it ends within the timeout, and that is known', () => {
    const [calm, over, after] = run.queuedUntilMs as [number, number, number];
    expect(calm).toBe(Number.NEGATIVE_INFINITY);
    expect(over).toBeGreaterThan(afterMs + 0.9 * timeoutMs);
    expect(over).toBeLessThanOrEqual(afterMs + 2 * timeoutMs);
    expect(after).toBeLessThan(afterMs + 2 * timeoutMs);
  });
});

describe('whose doing a wait for a connection is', () => {
  const tight = { ...overload, connection: { kind: 'per-device-group', connections: 50 }, connectionsMax: 60 } as const;

  it('the process’s own limit is the generator’s', () => {
    const run = simulateRun({ ...tight, server: bucketServer() });
    expect(totalOf(run, 'waitedForConnection')).toBeGreaterThan(1000);
    expect(totalOf(run, 'neverFired')).toBeGreaterThan(1000);
    expect([totalOf(run, 'heldNever'), totalOf(run, 'heldLate')]).toEqual([0, 0]);
    expect(reasonsOf(run)['no connection within the timeout']).toBe(totalOf(run, 'neverFired'));
  });

  it('so is what waits because the generator stood still', () => {
    const run = simulateRun({
      server: constantServer(20),
      phases: [poissonPhase('load', 200, 5)],
      connection: { kind: 'per-device-group', connections: 20, openMax: 20 },
      stops: [{ atMs: startMs + 2000, forMs: 800 }],
    });
    // Those of the stop's last 100 ms were fired in time as far as the generator goes, and then waited for the others.
    expect(totalOf(run, 'firedLate')).toBeGreaterThan(100);
    expect(totalOf(run, 'heldLate')).toBeLessThan(40);
  });

  it('where a fleet has what it needs nobody waits', () => {
    const run = simulateRun({ ...overload, server: constantServer(20) });
    expect([totalOf(run, 'firedLate'), totalOf(run, 'neverFired'), totalOf(run, 'waitedForConnection')]).toEqual([0, 0, 0]);
  });

  it('a target that refuses is asked by every arrival, and slows nobody down', () => {
    const run = simulateRun({
      ...overload,
      server: { ...constantServer(5), connect: () => 'ECONNREFUSED' },
      phases: [poissonPhase('load', 200, 5)],
    });
    expect([totalOf(run, 'cut'), totalOf(run, 'fired'), totalOf(run, 'neverFired')]).toEqual([1000, 1000, 0]);
  });
});
