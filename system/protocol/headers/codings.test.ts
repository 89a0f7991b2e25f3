import { expect, test } from 'vitest';
import { readCodings } from './codings.ts';

test.each([
  [undefined, []],
  ['', []],
  ['identity', []],
  ['gzip', ['gzip']],
  ['GZIP', ['gzip']],
  // RFC 9110, 8.4.1.3: a recipient should consider it equivalent.
  ['x-gzip', ['gzip']],
  ['X-GZip', ['gzip']],
  ['identity, gzip ,', ['gzip']],
  ['gzip, gzip', ['gzip', 'gzip']],
  ['deflate, br', ['deflate', 'br']],
])('%j', (header, codings) => {
  expect(readCodings(header)).toEqual(codings);
});
