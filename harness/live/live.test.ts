import { Writable } from 'node:stream';
import { expect, test } from 'vitest';
import { exampleCell, exampleRun, thresholdOf } from '#harness/gates/example-run.ts';
import { judge } from '#harness/gates/judge.ts';
import type { LiveState } from './lines.ts';
import { createLiveView } from './live.ts';

function collector() {
  const chunks: string[] = [];
  const stream = new Writable({
    write: (chunk, _, done) => {
      chunks.push(String(chunk));
      done();
    },
  });
  return { stream, text: () => chunks.join('') };
}

const state = (elapsedSeconds: number): LiveState => ({
  elapsedSeconds,
  phase: 0,
  phaseElapsedSeconds: elapsedSeconds,
  phases: [{ name: 'spike', measured: true, durationSeconds: 30, rate: { kind: 'constant', ratePerSecond: 10 }, spacing: 'poisson', traffic: [] }],
  cells: [exampleCell({})],
  generatorCores: undefined,
  systemCores: 0.5,
  stealShare: 0.01,
  thresholds: [],
});

test('without a terminal: plain lines, few of them, no escape codes; what cannot be measured is said', () => {
  const { stream, text } = collector();
  const view = createLiveView({ stream, isTerminal: false, columns: 80, quiet: false });
  for (let second = 1; second <= 11; second++) view.update(state(second));
  view.close();
  const lines = text().trim().split('\n');
  expect(lines).toHaveLength(3);
  expect(lines[0]).toContain('spike');
  expect(lines[0]).toContain('not measurable');
  expect(text()).not.toContain('\u001b');
});

test('quiet: only the verdict, with its reasons and every threshold', () => {
  const { stream, text } = collector();
  const view = createLiveView({ stream, isTerminal: false, columns: 80, quiet: true });
  view.note('starting');
  view.update(state(10));
  expect(text()).toBe('');
  view.end(judge(exampleRun({}), [thresholdOf('failed', 'rate<0.001')]), 'reports/x');
  expect(text()).toContain('PASS');
  expect(text()).toContain('failed rate<0.001');
  expect(text()).toContain('reports/x');
});
