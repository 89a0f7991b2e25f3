import fc from 'fast-check';
import { expect, test } from 'vitest';
import { markdownText, printable } from './printable.ts';

test.each([
  ['a colour of a terminal', '\u001b[31mred', '\\u001b[31mred'],
  ['a title of a terminal', 'a\u0007b', 'a\\u0007b'],
  ['a code of one byte', '\u009b2J', '\\u009b2J'],
  ['text turned around', 'ab\u202edc', 'ab\\u202edc'],
  ['half a character', 'a\ud800b', 'a\ufffdb'],
  ['lines', 'one\ntwo', 'one two'],
  ['ordinary text', '≥ timeout, 5 % “ok”', '≥ timeout, 5 % “ok”'],
])('%s is printed as text', (_, text, printed) => {
  expect(printable(text)).toBe(printed);
});

test.each([
  ['HTML', '<img src=x onerror=a>', '&lt;img src=x onerror=a&gt;'],
  ['a link', '[click](http://x)', '\\[click\\](http://x)'],
  ['a mention', '@everyone', '&#64;everyone'],
  ['a cell of a table', 'a|b', 'a\\|b'],
  ['code', '`x`', '\\`x\\`'],
  ['an escape of its own', '\\|', '\\\\\\|'],
])('%s stays text in Markdown', (_, text, written) => {
  expect(markdownText(text)).toBe(written);
});

test('nothing that steers a terminal or breaks XML is left of any text', () => {
  const steers = /[^\u0020-\u007e\u00a0-\ufffd\u{10000}-\u{10ffff}]/u;
  fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => !steers.test(printable(text))));
});
