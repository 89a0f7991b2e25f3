import fc from 'fast-check';
import { expect, test } from 'vitest';
import { itemSpans } from './item-spans.ts';

const itemsOf = (text: string): readonly string[] => {
  const body = Buffer.from(text);
  return itemSpans(body).map(({ start, end }) => body.toString('utf8', start, end));
};

test.each([
  ['[]', []],
  [' [ ] ', []],
  ['[{"a":1}]', ['{"a":1}']],
  ['\n[ {"a": 1.10 } ,\t-0, 9007199254740993,1e400 ]\r\n', ['{"a": 1.10 }', '-0', '9007199254740993', '1e400']],
  ['[{"a":"],\\"}{"},["[",{}],"\\\\"]', ['{"a":"],\\"}{"}', '["[",{}]', '"\\\\"']],
  ['{"sent_at":"x","events":[1,2]}', ['1', '2']],
  ['{ "events" : [ 1 ] , "x" : {"events":[3]} }', ['1']],
  ['{"events":[1],"\\u0065vents":[2,"é"]}', ['2', '"é"']],
  ['{"a:b":[9],"events":[1]}', ['1']],
])('%s', (text, items) => {
  expect(itemsOf(text)).toEqual(items);
});

test('whatever JSON it is, and however it is spaced, its items are those that JSON.parse finds', () => {
  const spaces = fc.constantFrom(undefined, ' ', '\t', 2, 8);
  fc.assert(
    fc.property(fc.array(fc.jsonValue()), fc.dictionary(fc.string(), fc.jsonValue()), fc.boolean(), spaces, (items, others, isBare, space) => {
      const { events: _, ...rest } = others;
      const text = JSON.stringify(isBare ? items : { ...rest, events: items, z: 1 }, undefined, space);
      const expected = JSON.parse(JSON.stringify(items)) as unknown[];
      expect(itemsOf(text).map((item) => JSON.parse(item) as unknown)).toEqual(expected);
    }),
  );
});
