/** Who thinks between two steps: for how long, and what of it is in which figure. */
import { expect, test } from 'vitest';
import { arrivalState } from '#harness/engine/engine.ts';
import type { ThinkTime } from '#harness/scenario.ts';
import { operations } from '#harness/target/operations.ts';
import { quantileMs, statesOf, totalOf } from './figures.ts';
import { answerText, bytesAt } from './scripts.ts';
import { poissonPhase, type SimulateOptions, simulateRun } from './simulate.ts';

const serviceMs = 5;
const accepted = answerText(JSON.stringify({ accepted: 1, duplicate: 0, rejected: [], position: 'p', durability: 'fsync' }));
const phases = [{ ...poissonPhase('load', 100, 10), traffic: [{ chain: 'session', weight: 1 }] }];
const arrivals = 1000;

/** Every arrival sends its event, thinks, and sends it again. Returns when each one asked. */
function thinking(thinkTime: ThinkTime, options: Partial<SimulateOptions> = {}) {
  const askedAtMs = new Map<string, number[]>();
  const server: SimulateOptions['server'] = {
    answer: ({ atMs, text }) => {
      const id = /"id":"([^"]+)"/.exec(text)?.[1] as string;
      askedAtMs.set(id, [...(askedAtMs.get(id) ?? []), atMs]);
      return [bytesAt(atMs + serviceMs, accepted)];
    },
  };
  const run = simulateRun({ server, operations, phases, chains: { session: ['ingest', 'ingest'] }, thinkTimes: { session: { 1: thinkTime } }, ...options });
  const thoughtMs = [...askedAtMs]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([, [first, second]]) => (second === undefined ? [] : [second - (first as number) - serviceMs]));
  return { run, thoughtMs };
}
const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

test('a fixed time is thought to the millisecond, and is in no figure of the service or the generator', () => {
  const { run, thoughtMs } = thinking({ kind: 'fixed', ms: 1500 });
  expect(thoughtMs).toHaveLength(arrivals);
  for (const ms of thoughtMs) expect(Math.abs(ms - 1500)).toBeLessThan(1);
  expect(totalOf(run, 'good')).toBe(2 * arrivals);
  expect(quantileMs(run, 'response', 1)).toBeLessThan(serviceMs + 1);
  expect(quantileMs(run, 'dispatch_delay', 1)).toBeLessThan(1);
  expect(Math.abs((quantileMs(run, 'chain', 0.5) ?? 0) - 2 * serviceMs)).toBeLessThan(1);
});

test('what is drawn has its mean and its bounds, and follows from the seed alone', () => {
  const { thoughtMs } = thinking({ kind: 'exponential', meanMs: 400 });
  expect(Math.abs(mean(thoughtMs) - 400)).toBeLessThan(40);
  expect(thoughtMs.filter((ms) => ms < 400 * Math.LN2).length / arrivals).toBeCloseTo(0.5, 1);
  const again = (options: Partial<SimulateOptions>): number => {
    const other = thinking({ kind: 'exponential', meanMs: 400 }, options).thoughtMs;
    return Math.max(...other.map((ms, index) => Math.abs(ms - (thoughtMs[index] as number))));
  };
  // A turn is taken at least every 4 ms: what is thought for less may wait for it.
  expect(again({ workers: 2 })).toBeLessThanOrEqual(4);
  expect(again({ seed: 2 })).toBeGreaterThan(1000);
  const even = thinking({ kind: 'uniform', fromMs: 200, untilMs: 600 }).thoughtMs;
  expect(Math.abs(mean(even) - 400)).toBeLessThan(15);
  expect([Math.min(...even) >= 199, Math.max(...even) <= 601]).toEqual([true, true]);
});

test('who thinks holds no connection', () => {
  const { run } = thinking({ kind: 'fixed', ms: 5000 }, { connection: { kind: 'per-device-group', connections: 4, openMax: 4 } });
  expect(run.seen.connections).toBe(4);
  expect([totalOf(run, 'good'), totalOf(run, 'firedLate')]).toEqual([2 * arrivals, 0]);
});

test('who still thinks when the run ends has failed at nothing, and what was acknowledged stays so', () => {
  const { run, thoughtMs } = thinking({ kind: 'fixed', ms: 60_000 }, { timeoutMs: 1000, goodWithinMs: 1000 });
  expect(thoughtMs).toEqual([]);
  expect([totalOf(run, 'planned'), totalOf(run, 'good'), totalOf(run, 'givenUp'), totalOf(run, 'failed')]).toEqual([arrivals, arrivals, 0, 0]);
  expect(statesOf(run)).toEqual({ [arrivalState.acknowledged]: arrivals });
});

test('a step that was thought about until after its phase is no backlog of it', () => {
  const late = { atMs: 13_000, forMs: 400 };
  const { run } = thinking({ kind: 'fixed', ms: 5000 }, { stops: [late] });
  expect(totalOf(run, 'firedLate')).toBeGreaterThan(0);
  expect(run.queuedUntilMs).toEqual([Number.NEGATIVE_INFINITY]);
});
