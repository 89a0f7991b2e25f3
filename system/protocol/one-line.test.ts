import fc from 'fast-check';
import { expect, test } from 'vitest';
import { escapeLineBreaks, oneLine } from './one-line.ts';

const textOf = (json: string): string => Buffer.from(oneLine(Buffer.from(json))).toString();
const anyLineEnd = /[\n\r\u0085\u2028\u2029]/;

test('what is one line stays as it came, to the byte', () => {
  const bytes = Buffer.from('{"n":9007199254740993,"f":1.10,"e":1e400,"z":-0,"é":"ü"}');
  expect(oneLine(bytes)).toBe(bytes);
});

test('breaks between tokens become spaces, and numbers stay as they were written', () => {
  expect(textOf('{\r\n "n": 9007199254740993,\n "f": 1.10}')).toBe('{   "n": 9007199254740993,  "f": 1.10}');
});

test('any JSON becomes one line for any reader of lines, and means the same', () => {
  const breaks = fc.constantFrom('\u0085', '\u2028', '\u2029', '\n', '\r', 'a', 'ü', '"', '\\');
  const string = fc.string({ unit: breaks });
  fc.assert(
    fc.property(fc.dictionary(string, string), fc.constantFrom(0, 1, '\n'), (value, indent) => {
      const json = JSON.stringify(value, null, indent);
      const line = textOf(json);
      expect(line).not.toMatch(anyLineEnd);
      expect(JSON.parse(line)).toEqual(JSON.parse(json));
      if (indent === 0) expect(escapeLineBreaks(json)).not.toMatch(anyLineEnd);
    }),
  );
});

test('bytes that are no UTF-8 become the replacement character', () => {
  expect(Buffer.from(oneLine(Buffer.from([0x22, 0xff, 0x22]))).toString()).toBe('"\ufffd"');
});
