import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { changeHash } from '#harness/target/stream-contract.ts';
import { compare, expectationOf, type LogEntry, newView, tellBookmark, tellChange } from './view.ts';

const cursorOf = (i: number): string => `c${String(i).padStart(6, '0')}`;
const change = (i: number, ch = 'sync:trips') => ({ t: 'put', ch, k: `k${i % 3}`, ver: i, c: cursorOf(i) });
const entry = (i: number, ch = 'sync:trips'): LogEntry => ({ cursor: cursorOf(i), channel: ch, hash: changeHash(change(i, ch)) });
const log = Array.from({ length: 20 }, (_, i) => entry(i + 1));
const channels = ['sync:trips'];

/** A listener that began behind change `from` and was told these. */
function viewOf(from: number, told: readonly number[]) {
  const view = { ...newView(), from: cursorOf(from), position: cursorOf(from) };
  const grew = told.map((i) => tellChange(view, change(i)));
  return { view, grew };
}

test('who saw all of the log after where it began has lost and doubled nothing', () => {
  fc.assert(
    fc.property(fc.nat(20), (from) => {
      const { view, grew } = viewOf(
        from,
        Array.from({ length: 20 - from }, (_, i) => from + 1 + i),
      );
      expect(grew.every(Boolean)).toBe(true);
      expect(compare(view, expectationOf(log, { from: view.from, until: undefined, channels }))).toEqual({ lost: 0, duplicated: 0 });
    }),
  );
});

describe('what went wrong is seen', () => {
  const after5 = expectationOf(log, { from: cursorOf(5), until: undefined, channels });
  const all = Array.from({ length: 15 }, (_, i) => i + 6);
  test('one that is missing', () => {
    expect(
      compare(
        viewOf(
          5,
          all.filter((i) => i !== 9),
        ).view,
        after5,
      ),
    ).toEqual({ lost: 1, duplicated: 0 });
  });
  test('one that came twice: its cursor did not grow, and it is one too many', () => {
    const { view, grew } = viewOf(5, [6, 7, 7, ...all.slice(2)]);
    expect(grew.filter((one) => !one)).toHaveLength(1);
    expect(compare(view, after5)).toEqual({ lost: 0, duplicated: 1 });
  });
  test('another one instead of the right one', () => {
    expect(compare(viewOf(5, [6, 6, ...all.slice(2)]).view, after5)).toEqual({ lost: 1, duplicated: 1 });
  });
  test('two that changed places: a cursor that did not grow, and nothing missing', () => {
    const { view, grew } = viewOf(5, [7, 6, ...all.slice(2)]);
    expect(grew.filter((one) => !one)).toHaveLength(1);
    expect(compare(view, after5)).toEqual({ lost: 0, duplicated: 0 });
  });
  test('a change with another version than the log’s', () => {
    const { view } = viewOf(5, all.slice(1));
    tellChange(view, { ...change(6), ver: 99 });
    expect(compare(view, after5)).toEqual({ lost: 1, duplicated: 1 });
  });
});

test('who does not listen any more has to have what came until its last cursor, and other channels are nobody’s loss', () => {
  const mixed = [entry(1), entry(2, 'inbox'), entry(3), entry(4)];
  expect(expectationOf(mixed, { from: cursorOf(0), until: cursorOf(3), channels }).count).toBe(2);
  expect(expectationOf(mixed, { from: cursorOf(0), until: undefined, channels: ['sync:trips', 'inbox'] }).count).toBe(4);
});

test('a bookmark moves the position forward only', () => {
  const { view } = viewOf(5, [6]);
  tellBookmark(view, cursorOf(9));
  tellBookmark(view, cursorOf(7));
  expect(view.position).toBe(cursorOf(9));
});
