import { expect, test } from 'vitest';
import { exampleRun } from './example-run.ts';
import { failedScrapes } from './validity.ts';

const run = exampleRun();
const scrapesFailingAt = (...seconds: readonly number[]) => Array.from({ length: 24 }, (_, second) => ({ second, ok: !seconds.includes(second), values: {} }));
const fault = { kind: 'kill-node', phase: 'spike', startSeconds: 13.4, endSeconds: 15.1 };

test('a scrape that fails while the run itself kills a node is not held against the measurement', () => {
  expect(failedScrapes({ ...run, scrapes: scrapesFailingAt(13, 14, 15, 17), faults: [fault] }).judged).toBe(0);
});

test('one that fails before or long after it is', () => {
  expect(failedScrapes({ ...run, scrapes: scrapesFailingAt(12, 14, 18), faults: [fault] }).judged).toBe(2);
  expect(failedScrapes({ ...run, scrapes: scrapesFailingAt(14) }).judged).toBe(1);
});
