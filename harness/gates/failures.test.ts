import { expect, test } from 'vitest';
import { exampleCell, exampleRun } from './example-run.ts';
import { exampleStreamCell, exampleStreams } from './example-streams.ts';
import { failuresOf, failureText } from './failures.ts';

const cellWith = (second: number, reasons: Readonly<Record<string, number>>) => ({ ...exampleCell({ second, phase: 2 }), reasons });

test('reasons are summed over seconds, and the most frequent comes first', () => {
  const cells = [cellWith(12, { timeout: 3, 'status 500': 1 }), cellWith(13, { timeout: 4 }), cellWith(14, {})];
  const { failures = [] } = failuresOf(exampleRun({ cells }));
  expect(failures.map(({ reason, count }) => [reason, count])).toEqual([
    ['timeout', 7],
    ['status 500', 1],
  ]);
  expect(failures[0] && failureText(failures[0])).toMatch(/^7 × timeout \([a-z-]+, ingest\)$/);
});

test('streams have theirs', () => {
  const { failures = [] } = failuresOf(exampleStreams([{ ...exampleStreamCell({}), reasons: { 'cut rst': 2 } }]));
  expect(failures).toMatchObject([{ reason: 'cut rst', count: 2, reader: expect.any(String) }]);
});

test('a flood of different reasons stays ten, and a run without any has no field of them', () => {
  const flood = Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`status ${i}`, i + 1]));
  expect(failuresOf(exampleRun({ cells: [cellWith(12, flood)] })).failures).toHaveLength(10);
  expect(failuresOf(exampleRun({ cells: [cellWith(12, {})] }))).toEqual({});
});
