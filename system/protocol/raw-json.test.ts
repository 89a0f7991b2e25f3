import fc from 'fast-check';
import { expect, test } from 'vitest';
import { jsonText, RawJson, rawMember } from './raw-json.ts';

test('what has nothing raw in it is written as JSON.stringify writes it', () => {
  const sign = (): void => undefined;
  const value = fc.anything({ withDate: true, withNullPrototype: true, withObjectString: true });
  fc.assert(
    fc.property(fc.array(value), fc.dictionary(fc.string(), value), (list, object) => {
      const all = { list, object, none: [undefined, sign], undefined, sign };
      expect(jsonText(all)).toBe(JSON.stringify(all));
    }),
  );
});

test('a raw value is its own text, wherever it stands', () => {
  const text = '{ "2":1.10,"1":[9007199254740993,1e400 ,-0], "1": "\\u00e9" }';
  expect(jsonText(new RawJson(text))).toBe(text);
  expect(jsonText({ a: [new RawJson(text), undefined], b: undefined, c: { d: new RawJson(text) } })).toBe(`{"a":[${text},null],"c":{"d":${text}}}`);
  expect(rawMember(Buffer.from(`{"data":1, "data" : ${text} }`), 'data')).toEqual(new RawJson(text));
  expect(rawMember(Buffer.from('{}'), 'data')).toBeUndefined();
});
