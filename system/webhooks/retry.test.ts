import fc from 'fast-check';
import { expect, test } from 'vitest';
import { judge, readRetryAfter } from './retry.ts';
import type { SendAnswer } from './send.ts';

const scheduleMs = [0, 1000, 60_000];
const nowMs = 1_790_000_000_000;
const answered = (status: number, retryAfter?: string): SendAnswer => ({ kind: 'answered', status, retryAfter, body: '' });
const judged = (answer: SendAnswer, attempt = 0, random = 0.5) => judge(answer, { attempt, scheduleMs, nowMs, wallMs: nowMs, random });

test.each([200, 202, 204, 299])('%i delivers', (status) => {
  expect(judged(answered(status))).toEqual({ kind: 'delivered' });
});

test.each([301, 302, 307, 308, 400, 404, 500, 100])('%i is tried again', (status) => {
  expect(judged(answered(status))).toEqual({ kind: 'retry', atMs: nowMs + 500 });
});

test('silence is tried again, and after the last attempt nothing is', () => {
  expect(judged({ kind: 'unanswered', error: 'x' }, 1)).toEqual({ kind: 'retry', atMs: nowMs + 30_000 });
  expect(judged({ kind: 'unanswered', error: 'x' }, 2)).toEqual({ kind: 'dead' });
  expect(judged(answered(500), 2)).toEqual({ kind: 'dead' });
  expect(judged(answered(200), 2)).toEqual({ kind: 'delivered' });
});

test('410 is gone whatever the attempt', () => {
  expect(judged(answered(410))).toEqual({ kind: 'gone' });
});

test('no wait is longer than its schedule, nor shorter than what was asked for', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 1 }),
      fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      fc.integer({ min: 0, max: 500 }),
      (attempt, random, seconds) => {
        const plain = judged(answered(500), attempt, random);
        const asked = judged(answered(503, String(seconds)), attempt, random);
        if (plain.kind !== 'retry' || asked.kind !== 'retry') throw new Error('a retry was expected');
        expect(plain.atMs - nowMs).toBeLessThanOrEqual(scheduleMs[attempt + 1] as number);
        expect(asked.atMs - nowMs).toBeGreaterThanOrEqual(seconds * 1000);
        expect(asked.pauseUntilMs).toBe(nowMs + seconds * 1000);
      },
    ),
  );
});

test.each([
  ['7', 7000],
  ['0', 0],
  ['99999999', 86_400_000],
  [new Date(nowMs + 5000).toUTCString(), 5000],
  [new Date(nowMs - 5000).toUTCString(), 0],
  ['soon', undefined],
  [undefined, undefined],
])('Retry-After %s', (text, ms) => {
  expect(readRetryAfter(text, nowMs)).toEqual(ms);
});
