import { expect, test } from 'vitest';
import { vusOf } from './k6-plan.ts';

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
