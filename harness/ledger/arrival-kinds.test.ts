import { expect, test } from 'vitest';
import type { ArrivalPhase } from '#harness/pacing/plan.ts';
import { operations } from '#harness/target/operations.ts';
import { createLookup, keptAs } from './arrival-kinds.ts';

const phaseOf = (chain: string): ArrivalPhase => ({
  name: 'load',
  measured: true,
  durationSeconds: 1,
  rate: { kind: 'constant', ratePerSecond: 4 },
  spacing: 'uniform',
  traffic: [{ chain, weight: 1 }],
});

test.each([
  ['launch', 'device'],
  ['ingest', 'events'],
  ['launch-and-send', 'events'],
  ['change', 'item'],
  ['token', undefined],
])('an arrival of %s is kept as %s', (chain, kind) => {
  const chains = { ingest: ['ingest'], launch: ['register-new'], 'launch-and-send': ['register-new', 'ingest'], change: ['put-item'], token: ['authenticate'] };
  const kindOf = createLookup({ seed: 1, phases: [phaseOf(chain)], chains, operations }, keptAs);
  expect([0, 1, 2, 3].map(kindOf)).toEqual([kind, kind, kind, kind]);
});
