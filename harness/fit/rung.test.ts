import { expect, test } from 'vitest';
import { exampleCell } from '#harness/gates/example-run.ts';
import type { CellCounts } from '#harness/run-result.ts';
import { brokenBy } from './rung.ts';

const second = (at: number, counts: Partial<CellCounts>, operation = 'ingest') => exampleCell({ second: at, operation, counts });
const rung = { fromSecond: 10, seconds: 2, arrivals: 2000, shedsByPlan: () => false };

test('a rung on which everything is answered as it comes holds, with what is on its way at the end', () => {
  expect(
    brokenBy({ ...rung, cells: [second(10, { planned: 1000, answered: 950 }), second(11, { planned: 1000, answered: 1000 }), second(12, { answered: 50 })] }),
  ).toBeUndefined();
});

test('a service that takes most of a second for each answer holds: its queue is long and does not grow', () => {
  expect(
    brokenBy({ ...rung, cells: [second(10, { planned: 1000, answered: 300 }), second(11, { planned: 1000, answered: 1000 }), second(12, { answered: 700 })] }),
  ).toBeUndefined();
});

test.each<[string, Parameters<typeof brokenBy>[0]['cells']]>([
  ['unanswered', [second(10, { planned: 1000, answered: 700 }), second(11, { planned: 1000, answered: 700 })]],
  // Its engine stood still, and counted nothing of what it owed.
  ['unanswered', [second(10, { planned: 1000, answered: 1000 })]],
  ['failed', [second(10, { planned: 1000, answered: 1000 }), second(11, { planned: 1000, answered: 1000, failed: 30 })]],
  ['shed', [second(10, { planned: 1000, answered: 1000 }), second(11, { planned: 1000, answered: 1000, shed: 30 })]],
  ['late or never fired', [second(10, { planned: 1000, answered: 1000 }), second(11, { planned: 1000, answered: 1000, firedLate: 30 })]],
])('a rung breaks by what was %s', (why, cells) => {
  expect(brokenBy({ ...rung, cells })).toContain(why);
});

test('what is shed by plan breaks nothing', () => {
  const cells = [second(10, { planned: 1000, answered: 1000 }), second(11, { planned: 1000, answered: 1000, shed: 800 }, 'flood')];
  expect(brokenBy({ ...rung, cells, shedsByPlan: (operation) => operation === 'flood' })).toBeUndefined();
});
