import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseInstant } from './instant.ts';

const shown = (text: string): string | undefined => {
  const ms = parseInstant(text);
  return ms === undefined ? undefined : new Date(ms).toISOString();
};

test.each([
  ['2026-11-25T07:00:00Z', '2026-11-25T07:00:00.000Z'],
  ['2026-11-25t08:00:00.123456789+01:00', '2026-11-25T07:00:00.123Z'],
  ['2024-02-29T00:00:00z', '2024-02-29T00:00:00.000Z'],
  ['9999-12-31T23:59:59.999Z', '9999-12-31T23:59:59.999Z'],
  ['1900-01-01T00:00:00Z', '1900-01-01T00:00:00.000Z'],
  ['2016-12-31T23:59:60Z', '2017-01-01T00:00:00.000Z'],
  ['2017-01-01T00:59:60+01:00', '2017-01-01T00:00:00.000Z'],
])('%s is %s', (text, expected) => {
  expect(shown(text)).toBe(expected);
});

test.each([
  '9999-12-31T23:59:59-23:59',
  '1900-01-01T00:00:00+00:01',
  '0001-01-01T00:00:00Z',
  '2026-02-30T00:00:00Z',
  '2026-02-29T00:00:00Z',
  '2026-04-31T00:00:00Z',
  '2026-00-01T00:00:00Z',
  '2026-13-01T00:00:00Z',
  '2026-01-01T24:00:00Z',
  '2026-01-01T00:00:60Z',
  '2026-01-01T23:59:61Z',
  '2026-01-01T00:00:00+24:00',
  '2026-01-01T00:00:00',
  '2026-01-01 00:00:00Z',
  '2026-01-01',
  'soon',
  '',
])('%s is no instant', (text) => {
  expect(parseInstant(text)).toBeUndefined();
});

test('what is written comes back to the millisecond', () => {
  const written = fc.date({ min: new Date('1900-01-01T00:00:00Z'), max: new Date('9999-12-31T23:59:59.999Z'), noInvalidDate: true });
  fc.assert(fc.property(written, (date) => parseInstant(date.toISOString()) === date.getTime()));
});
