import { describe, expect, it } from 'vitest';
import { Density } from './density.ts';

function lookBack(napBelowMs: number, perMs: number): boolean {
  const density = new Density(napBelowMs);
  for (let ms = 0; ms <= 200; ms++) density.look(ms, Math.floor(ms * perMs));
  return density.dense;
}

describe('density', () => {
  it('tells dense arrivals from rare ones', () => {
    expect(lookBack(0.25, 10)).toBe(true);
    expect(lookBack(0.25, 1)).toBe(false);
    expect(lookBack(0, 1000)).toBe(false);
  });
  it('says how far they are apart', () => {
    const density = new Density(0.25);
    expect(density.gapMs).toBe(Number.POSITIVE_INFINITY);
    for (let ms = 0; ms <= 200; ms++) density.look(ms, ms * 20);
    expect(density.gapMs).toBeCloseTo(0.05);
  });
  it('ends when arrivals do', () => {
    const density = new Density(0.25);
    for (let ms = 0; ms <= 100; ms++) density.look(ms, ms * 10);
    expect(density.dense).toBe(true);
    for (let ms = 101; ms <= 150; ms++) density.look(ms, 1000);
    expect(density.dense).toBe(false);
    expect(density.gapMs).toBe(Number.POSITIVE_INFINITY);
  });
});
