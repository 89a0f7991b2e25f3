import { expect, test } from 'vitest';
import { loadScenario } from '#harness/scenario-load.ts';
import { parseScenario } from '#harness/scenario-parse.ts';
import { operations } from '#harness/target/operations.ts';
import { shedsByPlan } from './shedding.ts';

test.each([
  ['spike', { ingest: false }],
  ['noisy-neighbour', { ingest: false, flood: true }],
  ['registration-storm', { ingest: false, 'register-new': true }],
])('whose refusals belong to the plan of %s', async (name, expected) => {
  const loaded = await loadScenario(name);
  const parsed = parseScenario(loaded.kind === 'ok' ? loaded.value : undefined, { source: name, operations: operations.map((one) => one.name) });
  if (parsed.kind !== 'ok') throw new Error(`${name} is not right`);
  const isByPlan = shedsByPlan(parsed.scenario, parsed.thresholds);
  expect(Object.fromEntries(Object.keys(expected).map((operation) => [operation, isByPlan(operation)]))).toEqual(expected);
});
