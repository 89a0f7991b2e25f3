import { expect, test } from 'vitest';
import { hasRoomFor, type Room } from './room.ts';

const room = (freeBytes: number, reusableBytes: number): Room => ({ freeBytes, reserveBytes: 64, reusableBytes });

test.each([
  ['as much as is kept', room(64, 0), true, true],
  ['less', room(63, 0), false, true],
  ['less, and free pages that make it up twice over', room(63, 2), true, true],
  ['less, and too few free pages', room(60, 7), false, true],
  ['so little that a record in scattered pages could meet the end of the disk', room(31, 1000), false, true],
  ['so little that tidying up could', room(15, 0), false, false],
  ['nothing, and enough free pages to tidy up in', room(0, 32), false, true],
])('%s', (_, given, isForGrowing, isForTidying) => {
  expect([hasRoomFor('growing', given), hasRoomFor('tidying', given)]).toEqual([isForGrowing, isForTidying]);
});
