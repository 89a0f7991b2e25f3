import { describe, expect, test } from 'vitest';
import type { RunResult, Verdict } from '#harness/run-result.ts';
import { exampleRun } from './example-run.ts';
import { exampleWebhookCell, exampleWebhookLedger, exampleWebhooks, webhookThresholdOf as of } from './example-webhooks.ts';
import { judge } from './judge.ts';
import { canStillHold } from './observe.ts';

const codesOf = (verdict: Verdict): readonly string[] => verdict.reasons.map((reason) => reason.code);
const answerOf = (run: RunResult, metric: string, expression: string) => judge(run, [of(metric, expression)]).thresholds[0];
const lag = { worker: 0, second: 12, loopDelayMaxMs: 600, stopMsTotal: 600, gcMsTotal: 0, gcMsMax: 0, utilisation: 0.2 };

test('an untroubled run passes, and its verdict says what came to whom', () => {
  const verdict = judge(exampleWebhooks(), [of('webhook_delay_ms{receiver:good}', 'p(99)<1000'), of('webhooks_lost', 'count==0')]);
  expect(verdict).toMatchObject({ verdict: 'pass', reasons: [] });
  expect(verdict.webhooks?.good).toMatchObject({ attempts: 6700, accepted: 6700, deliveries: 6700, unsigned: 0, openMax: 1, expected: 6700, lost: 0 });
  expect(verdict.webhooks?.hangs).toMatchObject({ attempts: 22, accepted: 0, openMax: 4, lost: 0, delayMs: { spike: { count: 5 } } });
  expect(judge(exampleRun(), []).webhooks).toBeUndefined();
});

describe('delays', () => {
  test('one that is too long breaks its receiver’s threshold in its phase only', () => {
    const run = exampleWebhooks([exampleWebhookCell({ clean: [[4000, 600]] })]);
    expect(answerOf(run, 'webhook_delay_ms{receiver:good}', 'p(99)<1000')).toMatchObject({ holds: 'no' });
    expect(judge(run, [of('webhook_delay_ms{receiver:good,phase:spike}', 'p(90)<1000')]).verdict).toBe('fail');
    expect(answerOf(run, 'webhook_delay_ms{receiver:good,phase:calm}', 'p(99)<1000')).toMatchObject({ holds: 'yes' });
    expect(answerOf(run, 'webhook_delay_ms{receiver:hangs}', 'min<1000')).toMatchObject({ holds: 'yes' });
    expect(answerOf(run, 'webhook_delay_ms{receiver:good}', 'p(99)<1000 over 2s')).toMatchObject({ holds: 'no' });
  });
  test('what never came is slower than every time', () => {
    const run = exampleWebhooks([], exampleWebhookLedger({ arrived: 6500, missingByPhase: [0, 0, 200, 0] }));
    expect(answerOf(run, 'webhook_delay_ms{receiver:good,phase:spike}', 'p(99)<1000')).toMatchObject({ observed: 'never came', holds: 'no', samples: 5200 });
    expect(answerOf(run, 'webhook_delay_ms{receiver:good,phase:spike}', 'p(90)<1000')).toMatchObject({ holds: 'yes' });
    expect(answerOf(run, 'webhook_delay_ms{receiver:good,phase:calm}', 'p(99)<1000')).toMatchObject({ holds: 'yes' });
  });
  test('what the receiver’s own stop may have made late is unknown', () => {
    const touched = exampleWebhooks([exampleWebhookCell({ touched: [[4000, 600]] })]);
    expect(answerOf(touched, 'webhook_delay_ms{receiver:good,phase:spike}', 'p(99)<1000')).toMatchObject({ holds: 'unknown' });
    const late = exampleWebhooks([exampleWebhookCell({ clean: [[4000, 600]] })]);
    const stopped: RunResult = { ...late, webhooks: { ...(late.webhooks as NonNullable<RunResult['webhooks']>), processes: [lag] } };
    expect(answerOf(stopped, 'webhook_delay_ms{receiver:good,phase:spike}', 'p(99)<1000')).toMatchObject({ holds: 'unknown' });
    expect(judge(stopped, [of('webhook_delay_ms{receiver:good,phase:spike}', 'p(99)<1000')]).verdict).toBe('invalid');
  });
});

describe('counts', () => {
  test('one attempt without a signature breaks, whatever the receiver’s stops', () => {
    const run = exampleWebhooks([exampleWebhookCell({ counts: { attempts: 1, unsigned: 1 } })]);
    const stopped: RunResult = { ...run, webhooks: { ...(run.webhooks as NonNullable<RunResult['webhooks']>), processes: [lag] } };
    for (const one of [run, stopped]) expect(answerOf(one, 'webhooks_unsigned', 'count==0')).toMatchObject({ observed: 1, holds: 'no' });
    expect(answerOf(exampleWebhooks(), 'webhooks_unsigned', 'count==0')).toMatchObject({ observed: 0, holds: 'yes', samples: 6520 });
  });
  test('repeats, attempts and deliveries are counted, of all of it and of the worst second', () => {
    const run = exampleWebhooks([exampleWebhookCell({ counts: { attempts: 7, repeated: 5, deliveries: 2 } })]);
    expect(answerOf(run, 'webhook_repeats{receiver:good}', 'count<5')).toMatchObject({ observed: 5, holds: 'no' });
    expect(answerOf(run, 'webhook_repeats', 'max<=5')).toMatchObject({ observed: 5, holds: 'yes' });
    expect(answerOf(run, 'webhook_attempts{receiver:good,phase:spike}', 'count==5007')).toMatchObject({ holds: 'yes' });
    expect(answerOf(run, 'webhook_deliveries{receiver:good,phase:spike}', 'max<=1000')).toMatchObject({ observed: 1002, holds: 'no' });
  });
  test('the most that were open at one endpoint is the worst of all', () => {
    const run = exampleWebhooks([exampleWebhookCell({ openMax: 5 })]);
    expect(answerOf(run, 'webhook_open_max{receiver:hangs}', 'max<=4')).toMatchObject({ observed: 4, holds: 'yes' });
    expect(answerOf(run, 'webhook_open_max', 'max<=4')).toMatchObject({ observed: 5, holds: 'no' });
  });
  test('of receivers to whom nothing came nothing is said', () => {
    const run: RunResult = { ...exampleRun(), webhooks: { cells: [], processes: [], ledger: undefined } };
    for (const [metric, expression] of [
      ['webhook_delay_ms', 'p(99)<1000'],
      ['webhooks_unsigned', 'count==0'],
      ['webhook_open_max', 'max<=4'],
      ['webhooks_lost', 'count==0'],
    ] as const)
      expect(answerOf(run, metric, expression), metric).toMatchObject({ observed: null, holds: 'unknown', samples: 0 });
  });
  test('a run may end early by what only grows', () => {
    const run = exampleWebhooks([exampleWebhookCell({ counts: { attempts: 1, unsigned: 1 }, openMax: 9 })]);
    expect(canStillHold(run, of('webhooks_unsigned', 'count==0'), new Map())).toBe(false);
    expect(canStillHold(run, of('webhook_open_max', 'max<=4'), new Map())).toBe(false);
    expect(canStillHold(exampleWebhooks(), of('webhooks_unsigned', 'count==0'), new Map())).toBe(true);
    expect(canStillHold(run, of('webhook_delay_ms', 'p(99)<1'), new Map())).toBe(true);
  });
});

describe('the ledger', () => {
  test('one that is lost, or was told to another account, fails whatever else', () => {
    const lost = judge(exampleWebhooks([], exampleWebhookLedger({ lost: 2 })), []);
    expect([lost.verdict, ...codesOf(lost)]).toEqual(['fail', 'webhooks-lost']);
    expect(lost.reasons[0]?.text).toContain('2 webhooks of 6700 for good are lost');
    const leaked = judge(exampleWebhooks([], exampleWebhookLedger({ leaked: 1 })), []);
    expect([leaked.verdict, ...codesOf(leaked)]).toEqual(['fail', 'webhooks-leaked']);
  });
  test.each([['lost'], ['duplicated'], ['leaked']] as const)('webhooks_%s breaks by one, and for its receiver only', (field) => {
    const run = exampleWebhooks([], exampleWebhookLedger({ [field]: 1 }));
    expect(answerOf(run, `webhooks_${field}`, 'count==0')).toMatchObject({ observed: 1, holds: 'no' });
    expect(answerOf(run, `webhooks_${field}{receiver:good}`, 'count==0')).toMatchObject({ holds: 'no' });
    expect(answerOf(run, `webhooks_${field}{receiver:hangs}`, 'count==0')).toMatchObject({ holds: 'yes', samples: 6700 });
    expect(judge(run, [of(`webhooks_${field}`, 'count==0')]).verdict).toBe('fail');
  });
  test('one that was not read to its end says nothing, and makes the run invalid', () => {
    const run = exampleWebhooks([], { ...exampleWebhookLedger({ lost: 1 }), incomplete: 'the service was gone' });
    const verdict = judge(run, [of('webhooks_lost', 'count==0')]);
    expect([verdict.verdict, ...codesOf(verdict)]).toEqual(['invalid', 'ledger-incomplete', 'no-samples']);
    expect(verdict.webhooks?.good).toMatchObject({ expected: null, lost: null });
  });
});
