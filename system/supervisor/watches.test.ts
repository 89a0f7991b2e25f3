import type { Worker } from 'node:cluster';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { ToWorker } from './messages.ts';
import { createWatches, type Watches } from './watches.ts';

const workerOf = (id: number): Worker => ({ id }) as Worker;
let sent: (readonly [to: number, ToWorker])[] = [];
let live = new Set<number>();
let watches: Watches;

beforeEach(() => {
  vi.useFakeTimers();
  [sent, live] = [[], new Set([1, 2, 3, 4])];
  const send = (worker: Worker, message: ToWorker): void => void sent.push([worker.id, message]);
  const passOn = (from: Worker, message: ToWorker): void => {
    for (const id of live) if (id !== from.id) send(workerOf(id), message);
  };
  watches = createWatches({ live: () => [...live].map(workerOf), send, passOn });
  // The fourth is about to start.
  for (const id of [1, 2, 3]) watches.greet(workerOf(id));
  sent = [];
});
afterEach(() => void vi.useRealTimers());

const ask = (): void => watches.ask(workerOf(1), { id: 7, accounts: ['a'] });
const answers = (): readonly unknown[] => sent.filter(([to, { kind }]) => to === 1 && kind === 'watched');

test('who asks is answered once all others that can hear know, and not before', () => {
  ask();
  expect(sent).toEqual([2, 3].map((to) => [to, { kind: 'watch', worker: 1, id: 7, accounts: ['a'] }]));
  watches.known(workerOf(2), { of: 1, id: 7 });
  expect(answers()).toEqual([]);
  watches.known(workerOf(3), { of: 1, id: 7 });
  watches.known(workerOf(3), { of: 1, id: 7 });
  expect(answers()).toEqual([[1, { kind: 'watched', id: 7 }]]);
});

test('one that ended is not waited for, and one that hangs not for long', () => {
  ask();
  watches.known(workerOf(2), { of: 1, id: 7 });
  watches.ended(workerOf(3));
  expect(answers()).toHaveLength(1);
  watches.ask(workerOf(1), { id: 8, accounts: ['a', 'b'] });
  vi.advanceTimersByTime(1000);
  expect(answers()).toEqual([7, 8].map((id) => [1, { kind: 'watched', id }]));
  sent = [];
  // What it told nobody before it knew is told again.
  watches.known(workerOf(2), { of: 1, id: 8 });
  watches.known(workerOf(2), { of: 1, id: 8 });
  expect(sent).toEqual([[1, { kind: 'news', news: { kind: 'lost' } }]]);
});

test('who is alone is answered at once', () => {
  live = new Set([1]);
  ask();
  expect(answers()).toHaveLength(1);
});

test('a worker that comes later learns what the others watch, and not what one that ended did', () => {
  ask();
  watches.ask(workerOf(2), { id: 1, accounts: ['b'] });
  watches.ask(workerOf(3), { id: 1, accounts: ['c'] });
  watches.ended(workerOf(1));
  watches.ask(workerOf(3), { id: 2, accounts: [] });
  expect(sent).toContainEqual([2, { kind: 'watch', worker: 1, id: undefined, accounts: [] }]);
  watches.greet(workerOf(4));
  expect(sent.at(-1)).toEqual([4, { kind: 'watches', watches: [[2, ['b']]] }]);
});
