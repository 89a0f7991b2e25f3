import { expect, test } from 'vitest';
import { InterruptedError } from '#harness/interrupted-error.ts';
import { UsageError } from '#harness/usage-error.ts';
import { endingOf } from './exit-codes.ts';

const withCode = (code: string) => Object.assign(new Error(`${code}: something`), { code });

test.each<[string, unknown, number]>([
  ['a usage error', new UsageError('no such file'), 2],
  ['an interruption before there is anything to report', new InterruptedError('stopped'), 130],
  ['a sentence of ours', new Error('the service did not start'), 3],
  ['what the network says of the service', withCode('ECONNRESET'), 3],
  ['a fault of ours', new TypeError("Cannot read properties of undefined (reading 'x')"), 5],
  ['a full disk under the harness', withCode('ENOSPC'), 5],
  ['too many open files', withCode('EMFILE'), 5],
  ['a thrown text', 'what', 5],
])('%s ends with its own code, and never with that of a failed service', (_, thrown, code) => {
  const ending = endingOf(thrown);
  expect(ending.code).toBe(code);
  expect(ending.text.endsWith('\n')).toBe(true);
});

test('a fault of ours shows where it is', () => {
  expect(endingOf(new TypeError('x')).text).toMatch(/says nothing about the service:\nTypeError: x\n +at /);
});
