import fc from 'fast-check';
import { expect, test } from 'vitest';
import { memberSpan, memberSpans, skipBlanks, textOf, withoutBlanks } from './json-spans.ts';

const memberOf = (text: string, key: string): string | undefined => {
  const json = Buffer.from(text);
  const span = memberSpan(json, key);
  return span && textOf(json.subarray(span.start, span.end));
};

test.each([
  ['{"data":1.10}', '1.10'],
  [' {\n"x":{"data":1} , "data" : { "a" : -0 ,"a": 1e400 } }\n', '{ "a" : -0 ,"a": 1e400 }'],
  ['{"data":1,"d\\u0061ta":9007199254740993}', '9007199254740993'],
  ['{"x:\\"data":1,"y":"data"}', undefined],
  ['{}', undefined],
])('the member "data" of %s is %s', (text, value) => {
  expect(memberOf(text, 'data')).toBe(value);
});

test('whatever object it is, and however it is spaced, its members are those that JSON.parse finds', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue()), fc.constantFrom(undefined, '\t', 8), (object, space) => {
      const text = ` ${JSON.stringify(object, undefined, space)}\r\n`;
      const json = Buffer.from(text);
      const found = memberSpans(json, skipBlanks(json, 0)).map(({ key, value }) => [key, JSON.parse(json.toString('utf8', value.start, value.end))]);
      expect(found).toEqual(Object.entries(JSON.parse(text)));
      expect(textOf(withoutBlanks(json))).toBe(text.trim());
    }),
  );
});
