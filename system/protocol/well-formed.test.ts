import { expect, test } from 'vitest';
import { parseJsonText } from './well-formed.ts';

const parse = (text: string | Buffer) => parseJsonText(typeof text === 'string' ? Buffer.from(text) : text);

test.each(['{"a":"\\ud800"}', '{"\\udc00":1}', '["x",{"a":["\\uDFFF"]}]', '"\\ud83d x"', '{', ''])('%s is refused', (text) => {
  expect(parse(text)).toBeUndefined();
});

test('bytes that are no UTF-8 are refused', () => {
  for (const bytes of [
    [0x22, 0xff, 0x22],
    [0x22, 0xc0, 0xaf, 0x22],
    [0x22, 0xed, 0xa0, 0x80, 0x22],
  ])
    expect(parse(Buffer.from(bytes))).toBeUndefined();
});

test('whole pairs, escaped or not, are what they are', () => {
  expect(parse('{"a":"\\ud83d\\ude00 😀 \\u00e4"}')).toEqual({ value: { a: '😀 😀 ä' } });
  expect(parse('"a backslash and ud800: \\\\ud800"')).toEqual({ value: 'a backslash and ud800: \\ud800' });
});
