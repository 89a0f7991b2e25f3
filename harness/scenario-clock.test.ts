import { expect, test } from 'vitest';
import { readerPlans } from '#harness/engine/streams/plan.ts';
import { defineScenario, thinkTimesOf } from './scenario.ts';
import { runningScenario } from './scenario-clock.ts';

const scenario = defineScenario({
  name: 'clocked',
  description: '',
  clock: { scale: 10 },
  fleet: { accounts: 1, devices: 10, connection: { kind: 'per-device-group', connections: 2 } },
  streams: {
    users: 5,
    readers: [
      { name: 'listening' },
      { name: 'asking', way: { kind: 'poll', everySeconds: 5 } },
      { name: 'loud', way: { kind: 'stream', heartbeatMs: 60_000 } },
    ],
  },
  chains: {
    visit: [
      'ingest',
      { operation: 'ingest', thinkTime: { kind: 'fixed', ms: 400 } },
      { operation: 'ingest', thinkTime: { kind: 'uniform', fromMs: 5, untilMs: 90 } },
      { operation: 'ingest', thinkTime: { kind: 'exponential', meanMs: 1000 } },
    ],
  },
  webhooks: [
    { name: 'good' },
    { name: 'late', reaction: { kind: 'slow', ms: 500 } },
    { name: 'returns', endpointsPerAccount: 2, reaction: { kind: 'recovers', afterSeconds: 30 } },
  ],
  faults: [{ kind: 'kill-worker', phase: 'spike', atSeconds: 30 }],
  phases: [
    {
      name: 'spike',
      measured: true,
      durationSeconds: 100,
      rate: { kind: 'spike', basePerSecond: 1, peakPerSecond: 9, fromSeconds: 20, untilSeconds: 50 },
      population: [{ reader: 'listening', target: 40, perSecond: 7 }],
    },
    { name: 'steps', measured: true, durationSeconds: 60, rate: { kind: 'step', steps: [{ atSeconds: 30, ratePerSecond: 4 }] } },
  ],
  thresholds: [{ metric: 'failed', expression: 'rate<1' }],
});

test('every duration passes faster, and no rate or number changes', () => {
  const running = runningScenario(scenario);
  expect(thinkTimesOf(running.chains)).toEqual({
    visit: { 1: { kind: 'fixed', ms: 40 }, 2: { kind: 'uniform', fromMs: 1, untilMs: 9 }, 3: { kind: 'exponential', meanMs: 100 } },
  });
  expect(running.phases).toMatchObject([
    {
      durationSeconds: 10,
      rate: { basePerSecond: 1, peakPerSecond: 9, fromSeconds: 2, untilSeconds: 5 },
      population: [{ target: 40, perSecond: 7 }],
    },
    { durationSeconds: 6, rate: { steps: [{ atSeconds: 3, ratePerSecond: 4 }] } },
  ]);
  expect(running.faults?.[0]?.atSeconds).toBe(3);
  expect(running.streams?.readers.map(({ way }) => way)).toEqual([
    { kind: 'stream', heartbeatMs: 2500 },
    { kind: 'poll', everySeconds: 0.5 },
    { kind: 'stream', heartbeatMs: 6000 },
  ]);
});

test('without a clock it is the scenario itself', () => {
  const { clock: _, ...plain } = scenario;
  expect(runningScenario(plain)).toBe(plain);
});

test('what a scenario leaves out is said in the plan of its readers', () => {
  const { clock: _, ...plain } = scenario;
  expect(readerPlans(plain)).toMatchObject([
    {
      name: 'listening',
      channels: ['sync:trips', 'inbox'],
      way: { kind: 'stream', heartbeatMs: 25_000 },
      pace: { kind: 'normal' },
      reconnect: { jitter: 'full', baseMs: 500, capMs: 30_000 },
      count: 40,
    },
    { name: 'asking', channels: ['sync:trips'], way: { kind: 'poll', everyMs: 5000 }, count: 0 },
    { name: 'loud', count: 0 },
  ]);
});

test('receivers answer as much sooner as the clock is faster', () => {
  expect(runningScenario(scenario).webhooks).toEqual([
    { name: 'good' },
    { name: 'late', reaction: { kind: 'slow', ms: 50 } },
    { name: 'returns', endpointsPerAccount: 2, reaction: { kind: 'recovers', afterSeconds: 3 } },
  ]);
});
