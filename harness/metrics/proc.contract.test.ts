import { expect, test } from 'vitest';
import { readProcess } from './proc.ts';

test('what a process holds of its own grows with what it takes, and is no more than what is resident', () => {
  const before = readProcess(process.pid);
  const taken = Buffer.alloc(64 * 2 ** 20, 1);
  const after = readProcess(process.pid);
  expect(taken.at(-1)).toBe(1);
  expect((after.ownBytes as number) - (before.ownBytes as number)).toBeGreaterThan(60 * 2 ** 20);
  expect(after.ownBytes).toBeLessThan(after.residentBytes as number);
});

test('a process that is not there reads as undefined, never as 0', () => {
  expect(readProcess(2 ** 22 + 1)).toEqual({
    cpuMicros: undefined,
    residentBytes: undefined,
    ownBytes: undefined,
    runQueueWaitMs: undefined,
    descriptors: undefined,
  });
});
