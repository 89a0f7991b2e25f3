import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeCursor, encodeCursor } from './cursor.ts';

const log = { account: 'a', principal: 'user:u' };
const hex = (length: number) => fc.stringMatching(new RegExp(`^[0-9a-f]{${length}}$`));

test('a cursor round-trips, and sorts as its position does', () => {
  fc.assert(
    fc.property(hex(16), hex(32), hex(32), (epoch, a, b) => {
      const [first, second] = [encodeCursor({ epoch, position: a }, log), encodeCursor({ epoch, position: b }, log)];
      expect(decodeCursor(first, log)).toEqual({ epoch, position: a });
      expect(first < second).toBe(a < b);
    }),
  );
});

test('any changed character, any other length and any other principal make it none of ours', () => {
  fc.assert(
    fc.property(hex(16), hex(32), fc.nat(46), fc.constantFrom(...'0123456789abcdefghijklmnopqrstuvwxyzABCÄ~ '), (epoch, position, at, character) => {
      const cursor = encodeCursor({ epoch, position }, log);
      const changed = cursor.slice(0, at) + character + cursor.slice(at + 1);
      if (changed !== cursor) expect(decodeCursor(changed, log)).toBeUndefined();
      expect(decodeCursor(cursor.slice(0, at), log)).toBeUndefined();
      expect(decodeCursor(cursor, { ...log, principal: 'user:v' })).toBeUndefined();
    }),
    { numRuns: 1000 },
  );
});
