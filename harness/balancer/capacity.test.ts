import { expect, test } from 'vitest';
import { createCapacity } from './capacity.ts';
import { elbGrowth } from './presets.ts';
import { lcuOf, nlcuOf } from './units.ts';

const calm = { newConnectionsPerSecond: 0, activeConnections: 0, bytesPerSecond: 0 };

test('units by the documented figures', () => {
  expect(lcuOf({ ...calm, newConnectionsPerSecond: 10_000 })).toBe(400);
  expect(lcuOf({ ...calm, activeConnections: 10_000 })).toBeCloseTo(3.33, 2);
  expect(lcuOf({ ...calm, bytesPerSecond: 1e9 / 3600 })).toBeCloseTo(1, 9);
  expect(lcuOf({ ...calm, requestsPerSecond: 1000, rules: 10 })).toBe(0);
  expect(lcuOf({ ...calm, requestsPerSecond: 1000, rules: 30 })).toBe(20);
  expect(nlcuOf({ ...calm, newConnectionsPerSecond: 1600 })).toBe(2);
  expect(nlcuOf({ ...calm, activeConnections: 100_000 })).toBe(1);
});

test('refuses above its units, and grows by half in five minutes only while it is used', () => {
  const capacity = createCapacity({ initialUnits: 4, ...elbGrowth, above: 'refuse' }, lcuOf, 0);
  const second = (nowMs: number, connections: number): number => {
    let admitted = 0;
    for (let i = 0; i < connections; i++) if (capacity.admit(nowMs)) admitted++;
    for (let i = 0; i < admitted; i++) capacity.release();
    capacity.settle(nowMs + 1000);
    return admitted;
  };
  // 4 LCU are 100 new connections a second.
  expect(second(0, 1000)).toBe(100);
  for (let at = 1000; at < 300_000; at += 1000) second(at, 1000);
  expect(capacity.units()).toBeCloseTo(6, 1);
  expect(second(300_000, 1000)).toBe(150);
  const before = capacity.units();
  for (let at = 301_000; at < 600_000; at += 1000) second(at, 10);
  expect(capacity.units()).toBe(before);
});

test('held connections use units too, and give them back', () => {
  const capacity = createCapacity({ initialUnits: 1, ...elbGrowth, above: 'refuse' }, nlcuOf, 0);
  let admitted = 0;
  for (let nowMs = 0; nowMs < 200_000; nowMs += 1000) {
    for (let i = 0; i < 700; i++) if (capacity.admit(nowMs)) admitted++;
    capacity.settle(nowMs + 1000);
  }
  expect(admitted).toBeGreaterThan(100_000);
  expect(admitted).toBeLessThan(100_000 * 1.5);
  const held = admitted;
  for (let i = 0; i < held; i++) capacity.release();
  expect(capacity.admit(201_000)).toBe(true);
});
