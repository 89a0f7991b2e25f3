import { describe, expect, test } from 'vitest';
import type { RunResult } from '#harness/run-result.ts';
import { coveredShares, mostBeside, ratesOf } from './series.ts';

const phase = (startSeconds: number, endSeconds: number): RunResult['phases'][number] => ({ name: 'a', measured: true, startSeconds, endSeconds, planned: 0 });

describe('seconds that load covers in part', () => {
  test('shares are of all phases together', () => {
    expect(coveredShares(4, [phase(0.25, 1.5), phase(1.5, 2.5)])).toEqual([0.75, 1, 0.5, 0]);
    expect(coveredShares(2, [])).toEqual([0, 0]);
  });
  test('a ramp to 100/s that ends in the middle of a second ends near 100', () => {
    expect(ratesOf([10, 30, 50, 70, 47], [1, 1, 1, 1, 0.5])).toEqual([10, 30, 50, 70, 94]);
  });
  test('what came after the load, in its last second or later, is not drawn faster than it was asked for', () => {
    const planned = ratesOf([200, 20, 0], [1, 0.1, 0]);
    expect(planned).toEqual([200, 200, 0]);
    expect(ratesOf([100, 120, 0], [1, 0.1, 0], planned)).toEqual([100, 200, 0]);
    expect(ratesOf([0, 220, 30], [1, 0.1, 0], planned)).toEqual([0, 220, 30]);
  });
  test('too little of a second says nothing', () => {
    expect(ratesOf([2, 200, null], [0.01, 1, 0.5])).toEqual([null, 200, null]);
  });
  test('what arrives when it will is no faster in a part of a second than beside it', () => {
    const frames = [30, 50, 40];
    expect(ratesOf(frames, [0.5, 1, 0.5], mostBeside(frames))).toEqual([50, 50, 50]);
  });
});
