import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type EntityTags, matchesWeakly, readEntityTags, strongOnly } from './entity-tags.ts';

const strong = (opaque: string) => ({ opaque, isWeak: false });
const weak = (opaque: string) => ({ opaque, isWeak: true });

test.each([
  // RFC 9110, 8.8.3, 13.1.1 and 13.1.2.
  ['"xyzzy"', [strong('xyzzy')]],
  ['W/"xyzzy"', [weak('xyzzy')]],
  ['""', [strong('')]],
  ['"xyzzy", "r2d2xxxx", "c3piozzzz"', [strong('xyzzy'), strong('r2d2xxxx'), strong('c3piozzzz')]],
  ['W/"xyzzy", W/"r2d2xxxx", W/"c3piozzzz"', [weak('xyzzy'), weak('r2d2xxxx'), weak('c3piozzzz')]],
  ['*', '*'],
  [' * ', '*'],
  // 5.6.1.2: what a list may look like to who reads it.
  [',"a",\t, "b" ,', [strong('a'), strong('b')]],
  ['"a,b", "c"', [strong('a,b'), strong('c')]],
  ['"\xe9"', [strong('\xe9')]],
] as const)('%j is understood', (header, tags) => {
  expect(readEntityTags(header)).toEqual(tags);
});

test.each(['', ' ', ',', 'xyzzy', '"xyzzy', 'w/"xyzzy"', 'W/ "xyzzy"', 'W/xyzzy', '"a" "b"', '"a b"', '"a"b"', '*, "a"', '"a", *', '**', '"a\x7f"'])(
  '%j is not',
  (header) => {
    expect(readEntityTags(header)).toBeUndefined();
  },
);

test('the comparisons are those of the table in 8.8.3.2', () => {
  const compared = (one: string, opaque: string, isOtherWeak: boolean) => {
    const tags = readEntityTags(one) as EntityTags;
    return [!isOtherWeak && matchesWeakly(strongOnly(tags), opaque), matchesWeakly(tags, opaque)];
  };
  expect(compared('W/"1"', '1', true)).toEqual([false, true]);
  expect(compared('W/"1"', '2', true)).toEqual([false, false]);
  expect(compared('W/"1"', '1', false)).toEqual([false, true]);
  expect(compared('"1"', '1', false)).toEqual([true, true]);
  expect(compared('*', '1', false)).toEqual([true, true]);
});

test('any list of tags is read as it was written', () => {
  const opaque = fc.stringMatching(/^[\x21\x23-\x7e\x80-\xff]{0,12}$/);
  const tags = fc.array(fc.record({ opaque, isWeak: fc.boolean() }), { minLength: 1, maxLength: 6 });
  const written = (all: readonly { readonly opaque: string; readonly isWeak: boolean }[]) =>
    all.map((tag) => `${tag.isWeak ? 'W/' : ''}"${tag.opaque}"`).join(' ,\t');
  fc.assert(
    fc.property(tags, (all) => {
      expect(readEntityTags(written(all))).toEqual(all);
    }),
  );
});
