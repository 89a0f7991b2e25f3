import { expect, test } from 'vitest';
import { thresholdOf } from '#harness/gates/example-run.ts';
import { peakPerSecond } from '#harness/pacing/rate.ts';
import { loadScenario, scenarioNames } from '#harness/scenario-load.ts';
import { parseScenario } from '#harness/scenario-parse.ts';
import { operations } from '#harness/target/operations.ts';
import { scaledScenario, unscaledThresholds } from './scale-scenario.ts';

async function shipped(name: string) {
  const loaded = await loadScenario(name);
  if (loaded.kind === 'error') throw new Error(loaded.message);
  return parsed(loaded.value, name);
}

function parsed(value: unknown, source: string) {
  const result = parseScenario(value, { source, operations: operations.map(({ name }) => name) });
  if (result.kind !== 'ok') throw new Error(`${source} is not right`);
  return result.scenario;
}

test.each(scenarioNames())('%s, scaled: every phase has that share of its peak, and it is a right scenario still', async (name) => {
  const scenario = await shipped(name);
  const scaled = parsed(scaledScenario(scenario, 0.42), name);
  scaled.phases.forEach((phase, index) => {
    expect(peakPerSecond(phase)).toBeCloseTo(0.42 * peakPerSecond(scenario.phases[index] as (typeof scaled.phases)[number]), 6);
  });
  expect({ ...scaled, phases: [], system: undefined }).toEqual({ ...scenario, phases: [], system: undefined });
  expect(scaledScenario(scenario, 1)).toBe(scenario);
});

test('a flood of six times its quota stays one', async () => {
  const scaled = scaledScenario(await shipped('noisy-neighbour'), 0.42);
  expect(scaled.system?.settings?.['account-quotas']).toBe('ingest=210');
});

test('curves of all kinds', async () => {
  const [phase] = (await shipped('smoke')).phases;
  const scaledRate = (rate: NonNullable<typeof phase>['rate']) =>
    scaledScenario(
      {
        name: 'a',
        description: '',
        fleet: { accounts: 1, devices: 1, connection: { kind: 'per-request', openMax: 1 } },
        thresholds: [],
        phases: [{ name: 'a', measured: true, durationSeconds: 1, rate }],
      },
      0.5,
    ).phases[0]?.rate;
  expect(scaledRate({ kind: 'ramp', fromPerSecond: 10, toPerSecond: 30 })).toEqual({ kind: 'ramp', fromPerSecond: 5, toPerSecond: 15 });
  expect(scaledRate({ kind: 'spike', basePerSecond: 10, peakPerSecond: 30, fromSeconds: 1, untilSeconds: 2 })).toEqual({
    kind: 'spike',
    basePerSecond: 5,
    peakPerSecond: 15,
    fromSeconds: 1,
    untilSeconds: 2,
  });
});

test('a limit that counts requests is named, since it was not scaled; one of 0 needs no scaling', () => {
  const thresholds = [thresholdOf('failed', 'count<100'), thresholdOf('failed', 'count==0'), thresholdOf('failed', 'rate<0.1')];
  expect(unscaledThresholds(thresholds)).toEqual([thresholds[0]]);
});
