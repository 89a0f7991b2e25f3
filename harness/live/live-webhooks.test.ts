import { expect, test } from 'vitest';
import { exampleWebhookCell, exampleWebhookLedger, exampleWebhookScenario, exampleWebhooks, webhookThresholdOf } from '#harness/gates/example-webhooks.ts';
import { judge } from '#harness/gates/judge.ts';
import type { WebhookCell } from '#harness/run-result.ts';
import { type LiveState, linesOf, plainLineOf } from './lines.ts';
import { type Line, paintOf, written } from './styled.ts';
import { standingOf } from './thresholds.ts';
import { verdictLines } from './verdict-lines.ts';

const textOf = (lines: readonly Line[]): string => lines.map((line) => written(line, paintOf(false))).join('\n');
const run = exampleWebhooks();

const stateOf = (cells: readonly WebhookCell[]): LiveState => ({
  scenario: exampleWebhookScenario,
  elapsedSeconds: 13,
  phase: 2,
  phaseElapsedSeconds: 1,
  phases: exampleWebhookScenario.phases.map((phase) => ({ ...phase, spacing: 'poisson', traffic: [] })),
  cells: [],
  allCells: () => [],
  webhooks: { cells, allCells: () => cells },
  generatorCores: undefined,
  systemCores: 0.5,
  stealShare: 0,
  thresholds: [],
});
const second = (run.webhooks?.cells ?? []).filter((cell) => cell.second === 12);

test('what came to whom, how late, and how much of it was open', () => {
  const text = textOf(linesOf(stateOf(second), [], 160, false));
  expect(text).toMatch(/webhooks +good 1,000\/s p99 20\.0 ms open 1 {3}hangs 1\/s p99 30\.0 ms open 4/);
  expect(text).not.toContain('unsigned');
  expect(plainLineOf(stateOf(second))).toContain('told good 1000/s p99 20.0 ms open 1  told hangs 1/s p99 30.0 ms open 4');
});

test('unsigned ones are said, and a second without any too', () => {
  const unsigned = [exampleWebhookCell({ counts: { attempts: 2, unsigned: 2 } })];
  expect(textOf(linesOf(stateOf(unsigned), [], 160, false))).toContain('unsigned 2');
  expect(plainLineOf(stateOf(unsigned))).toContain('good 2/s p99 – open 1 unsigned 2');
  expect(textOf(linesOf(stateOf([]), [], 160, false))).toMatch(/webhooks +none/);
});

test('thresholds stand while the run goes on, those of the ledger only after it', () => {
  const soFar = { scenario: exampleWebhookScenario, cells: [], phases: run.phases, webhooks: { cells: run.webhooks?.cells ?? [], ledger: undefined } };
  expect(standingOf(webhookThresholdOf('webhook_delay_ms{receiver:good}', 'p(99)<1000'), soFar)).toMatchObject({ state: 'holding' });
  expect(standingOf(webhookThresholdOf('webhook_open_max', 'max<=3'), soFar)).toMatchObject({ state: 'broken', observed: '4 requests' });
  expect(standingOf(webhookThresholdOf('webhooks_lost', 'count==0'), soFar)).toMatchObject({ state: 'not-yet' });
});

test('the last lines say what was due, what came and what was lost', () => {
  const text = textOf(verdictLines(judge(exampleWebhooks([], exampleWebhookLedger({ lost: 2 })), []), 'folder'));
  expect(text).toContain(
    'webhooks  good: due 6,700, came 6,700, attempts 6,700, accepted 6,700, repeats 0, lost 2, duplicated 0, unsigned 0, at most 1 at once',
  );
  expect(text).toContain('webhooks  hangs: due 6,700, came 22, attempts 22, accepted 0,');
});
