import { expect, test } from 'vitest';
import { bothSay } from './item-witness.ts';

const nothing = { acknowledged: 3, unknown: 0, unknownFound: 0, lostFromLog: 0, logLength: 3, duplicated: 0, reordered: 0, leaked: 0, examples: [] };

test('only what both readings say is told, but for a leak, which one reading proves', () => {
  const leak = { kind: 'leaked', text: 'inbox k of user 1' } as const;
  const loss = { kind: 'lost-from-log', text: 'the write of arrival 1' } as const;
  const other = { kind: 'lost-from-log', text: 'the write of arrival 2' } as const;
  const first = { ...nothing, lostFromLog: 2, reordered: 1, leaked: 1, examples: [leak, loss, other] };
  const again = { ...nothing, lostFromLog: 1, examples: [loss] };
  expect(bothSay(first, again)).toEqual({ ...nothing, lostFromLog: 1, leaked: 1, examples: [leak, loss], takenBack: 2 });
});
