import { expect, test } from 'vitest';
import { exampleCell } from '#harness/gates/example-run.ts';
import type { ArrivalPhase } from '#harness/pacing/plan.ts';
import type { Cell } from '#harness/run-result.ts';
import { createFitCheck, type FitSeen } from './fit-check.ts';

const phase = (name: string, measured: boolean, ratePerSecond: number): ArrivalPhase => ({
  name,
  measured,
  durationSeconds: 20,
  rate: { kind: 'constant', ratePerSecond },
  spacing: 'poisson',
  traffic: [{ chain: 'ingest', weight: 1 }],
});

/** Answers 300 of the 1,000 of every second. */
const behind = (index: number): readonly Cell[] =>
  Array.from({ length: 20 }, (_, second) => exampleCell({ second, phase: index, counts: { planned: 1000, answered: 300 } }));

type Looked = { readonly phases: readonly ArrivalPhase[]; readonly phase?: number; readonly seen?: Partial<FitSeen> };

/** Looks on once a second for ten seconds, and gives what was said in each. */
function looked({ phases, phase: index = 0, seen = {} }: Looked): readonly (string | undefined)[] {
  const check = createFitCheck({ next: 'npm run scenario -- spike --fit', phases, cores: 2, coresOfMachine: 2, requestsAlone: true });
  const machine = { second: 0, busyShare: 1, stealShare: 0, cpuPressureShare: undefined, throttledPeriods: undefined };
  return Array.from({ length: 10 }, (_, second) =>
    check({
      phase: index,
      startMs: 0,
      nowMs: (second + 1) * 1000 + 500,
      cells: () => behind(index),
      oursCores: 2,
      machine,
      over: false,
      ...seen,
    }),
  );
}

const plan = [phase('warm-up', false, 1000), phase('load', true, 3000)];

test('the sentence says the rate, the peak, what there is and what to type; as soon as a queue has grown for three seconds after two cold ones', () => {
  const said = looked({ phases: plan });
  expect(said.slice(0, 5)).toEqual([undefined, undefined, undefined, undefined, undefined]);
  expect(said[5]).toBe('this machine holds about 300/s of this plan (its peak is 3,000/s; generator and service on 2 cores); npm run scenario -- spike --fit');
});

test('beside other programs it waits for three seconds more, and says how much they take', () => {
  const said = looked({ phases: plan, seen: { oursCores: 0.7 } });
  expect(said.findIndex((text) => text !== undefined)).toBe(8);
  expect(said[8]).toContain('generator and service on 2 cores, while other programs take 1.3 cores');
});

test('where processor time is not measurable it goes by the queue alone', () => {
  expect(looked({ phases: plan, seen: { oursCores: undefined, machine: undefined } })[5]).toContain('about 300/s');
});

test('once measuring has begun, and where nothing is measured at all, it says nothing', () => {
  for (const given of [{ phases: plan, phase: 1 }, { phases: [phase('load', false, 1000)] }, { phases: [phase('load', true, 1000)] }])
    expect(looked(given).filter((text) => text !== undefined)).toEqual([]);
});
