import { expect, test } from 'vitest';
import type { Scenario } from '#harness/scenario.ts';
import { thinkingMost, vusOf } from './k6-plan.ts';
import { k6Trouble } from './k6-trouble.ts';

const chains = { ingest: ['ingest'], item: ['write', 'read', 'delete'] };
const phaseOf = (ratePerSecond: number, ...names: readonly string[]) => ({
  durationSeconds: 5,
  rate: { kind: 'constant' as const, ratePerSecond },
  traffic: names.map((chain) => ({ chain, weight: 1 })),
});
const timeoutMs = 10_000;

test('VUs are there for answers of 200 ms at the peak, to each step of a chain, between 100 and 4,000', () => {
  expect(vusOf(phaseOf(3000, 'ingest'), { chains, timeoutMs })).toBe(600);
  expect(vusOf(phaseOf(3000, 'item'), { chains, timeoutMs })).toBe(1800);
  expect(vusOf(phaseOf(3000, 'ingest', 'item'), { chains, timeoutMs })).toBe(1200);
  expect(vusOf(phaseOf(10, 'ingest'), { chains, timeoutMs })).toBe(100);
  expect(vusOf(phaseOf(50_000, 'ingest'), { chains, timeoutMs })).toBe(4000);
});

test('nothing keeps a VU longer than the timeout', () => {
  expect(vusOf(phaseOf(3000, 'ingest'), { chains, timeoutMs: 100 })).toBe(300);
});

test('who thinks keeps its VU; more of them than k6 can have is said before the run', () => {
  const thinkTimes = { item: { 1: { kind: 'uniform', fromMs: 1000, untilMs: 3000 }, 2: { kind: 'fixed', ms: 500 } } } as const;
  expect(vusOf(phaseOf(300, 'item'), { chains, thinkTimes, timeoutMs })).toBe(300 * 0.6 + 300 * 2.5);
  expect(thinkingMost([phaseOf(300, 'item', 'ingest'), phaseOf(100, 'item')], thinkTimes)).toBe(375);
  const scenario = (meanMs: number): Scenario => ({
    name: 'shop',
    description: '',
    fleet: { accounts: 1, devices: 10, connection: { kind: 'per-device-group', connections: 2 } },
    chains: { visit: ['authenticate', { operation: 'ingest', thinkTime: { kind: 'exponential', meanMs } }] },
    phases: [{ name: 'load', measured: true, ...phaseOf(500, 'visit') }],
    thresholds: [{ metric: 'failed', expression: 'rate<1' }],
  });
  expect(k6Trouble(scenario(7000))).toBeUndefined();
  expect(k6Trouble(scenario(9000))).toMatch(/^shop has about 4,500 users at once that think, .* at most 4,000\. Run it with --engine native/);
});
