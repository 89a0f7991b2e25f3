import { expect, test } from 'vitest';
import { judge, type Preconditions, readPreconditions } from './preconditions.ts';

const judged = (headers: Parameters<typeof readPreconditions>[0]) => judge(readPreconditions(headers) as Preconditions, 'v3');

test.each([
  [{}, 'holds'],
  [{ 'if-match': '"v3"' }, 'holds'],
  [{ 'if-match': '*' }, 'holds'],
  [{ 'if-match': '"v2", "v3"' }, 'holds'],
  [{ 'if-match': '"v2"' }, 'match-failed'],
  [{ 'if-match': 'W/"v3"' }, 'match-failed'],
  [{ 'if-none-match': '"v2"' }, 'holds'],
  [{ 'if-none-match': '"v3"' }, 'none-match-failed'],
  [{ 'if-none-match': 'W/"v3"' }, 'none-match-failed'],
  [{ 'if-none-match': '"v2", W/"v3"' }, 'none-match-failed'],
  [{ 'if-none-match': '*' }, 'none-match-failed'],
  // 13.2.2: If-Match first.
  [{ 'if-match': '"v2"', 'if-none-match': '"v3"' }, 'match-failed'],
  [{ 'if-match': '"v3"', 'if-none-match': '"v3"' }, 'none-match-failed'],
  [{ 'if-match': '"v3"', 'if-none-match': '"v2"' }, 'holds'],
] as const)('%j: %s', (headers, outcome) => {
  expect(judged(headers)).toBe(outcome);
});

test.each([{ 'if-match': 'v3' }, { 'if-none-match': '' }, { 'if-match': '"v3"', 'if-none-match': 'v3' }])('%j is not understood', (headers) => {
  expect(readPreconditions(headers)).toBeUndefined();
});
