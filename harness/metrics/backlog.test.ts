import { expect, test } from 'vitest';
import type { PhaseRecord } from '#harness/run-result.ts';
import { withBacklogs } from './backlog.ts';

const phase = (name: string, startSeconds: number, measured = true): PhaseRecord => ({
  name,
  measured,
  startSeconds,
  endSeconds: startSeconds + 10,
  planned: 10,
});
const phases = [phase('warm-up', 1, false), phase('calm', 11), phase('load', 21)];
const backlogs = (queuedUntilMs: readonly number[]) => withBacklogs(phases, queuedUntilMs).map(({ backlog }) => backlog);

test('a queue that ran into later phases is said in each, with how long', () => {
  expect(backlogs([22_500, 21_300, 40_000])).toEqual([
    undefined,
    { phase: 'warm-up', measured: false, seconds: 11.5 },
    { phase: 'warm-up', measured: false, seconds: 1.5 },
  ]);
});

test('what left the queue in its own phase, or a moment after it, is none; nor is what nobody knows', () => {
  expect(backlogs([11_100, Number.NEGATIVE_INFINITY, 40_000])).toEqual([undefined, undefined, undefined]);
  expect(backlogs([])).toEqual([undefined, undefined, undefined]);
});
