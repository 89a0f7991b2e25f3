import fc from 'fast-check';
import { expect, test } from 'vitest';
import { arrivalsByPath } from './start-receiver.ts';

const paths = ['/a/0', '/a/1', '/b/0'];
const told = paths.map((path, i) => ({ path, ids: [`evt_${i}`], devices: [`d-${i}`], accepted: [1] }));

test('in whatever order and however often endpoints are told of, each has its own arrivals; of one that is not told of nothing is said', () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...told), { maxLength: 8 }), (answer) => {
      const isWhole = told.every((one) => answer.includes(one));
      if (isWhole) expect(arrivalsByPath(paths, answer)).toEqual(told);
      else expect(() => arrivalsByPath(paths, answer)).toThrow(/the receiver did not say what came to \//);
    }),
  );
});
