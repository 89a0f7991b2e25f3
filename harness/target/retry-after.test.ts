import fc from 'fast-check';
import { expect, test } from 'vitest';
import { judgeRefusal } from './answers.ts';
import { retryAfterSeconds } from './retry-after.ts';

const headers = (given: Readonly<Record<string, string>>) => (name: string) => given[name];
const httpDate = (seconds: number): string => new Date(seconds * 1000).toUTCString();

test('a date asks for the time from the answer’s own date until it', () => {
  const secondsMax = 253_402_300_799;
  fc.assert(
    fc.property(fc.integer({ min: 0, max: secondsMax - 86_400 }), fc.integer({ min: 0, max: 86_400 }), (now, wait) => {
      expect(retryAfterSeconds(headers({ date: httpDate(now), 'retry-after': httpDate(now + wait) }))).toBe(wait);
    }),
  );
});

test.each<[string, Readonly<Record<string, string>>, number | undefined]>([
  ['seconds', { 'retry-after': '7' }, 7],
  ['a date that has passed', { date: httpDate(100), 'retry-after': httpDate(50) }, 0],
  ['a date beside no clock', { 'retry-after': httpDate(50) }, undefined],
  ['no date at all', { date: httpDate(100), 'retry-after': 'soon' }, undefined],
  ['part of a second', { 'retry-after': '1.5' }, undefined],
  ['less than nothing', { 'retry-after': '-1' }, undefined],
  ['nothing', {}, undefined],
])('%s', (_, given, seconds) => {
  expect(retryAfterSeconds(headers(given))).toBe(seconds);
});

test('a refusal with a date is one by design', () => {
  const header = headers({ date: httpDate(1000), 'retry-after': httpDate(1003) });
  expect(judgeRefusal({ status: 503, header, body: '' })).toEqual({ kind: 'shed', retryAfterSeconds: 3 });
});
