import { describe, expect, test } from 'vitest';
import { exampleLedger } from '#harness/gates/example-run.ts';
import { exampleWebhookCell, exampleWebhookLedger, exampleWebhooks, webhookThresholdOf } from '#harness/gates/example-webhooks.ts';
import { judge } from '#harness/gates/judge.ts';
import type { RunResult } from '#harness/run-result.ts';
import { exampleSpike } from './example-spike.ts';
import { indexHtml } from './index-html.ts';
import { junitXml } from './junit.ts';
import { timePlots } from './plots.ts';
import { summaryMarkdown } from './summary.ts';

const assets = { plotScript: 'plot', plotStyle: 'plot', pageScript: 'page', pageStyle: 'page' };
const thresholds = [webhookThresholdOf('webhook_delay_ms{receiver:good}', 'p(99)<1000')];
const judged = (result: RunResult) => ({ result, verdict: judge(result, thresholds) });
const pageOf = (result: RunResult): string => indexHtml(result, judged(result).verdict, assets);
const calm = exampleWebhooks();

describe('the page', () => {
  test('says what came to whom, how late, and what the ledger says', () => {
    const page = pageOf(calm);
    for (const part of ['<h2 id="webhooks">Webhooks', 'good · answers', 'hangs · never answers', 'spike · hangs', 'Ledger of webhooks', 'waited for 0.5 s'])
      expect(page).toContain(part);
    expect(page).toContain('data-plot="webhook-delay-good"');
    expect(page).toContain('<dt>webhook delay p(99)</dt><dd>20.02 <small>ms');
    // Five came in the spike, and 4,995 never did.
    expect(page).toMatch(/spike · hangs<\/th><td class="number">5<(?:.*\n){5}.*<td class="number">4,995<\/td><\/tr>/);
  });
  test('headlines the webhooks that were lost where no event was acknowledged', () => {
    const eventless = { ...exampleLedger, acknowledged: 0 };
    const page = pageOf({ ...exampleWebhooks([], exampleWebhookLedger({ lost: 1 })), ledger: eventless });
    expect(page).toMatch(/<dt>webhooks lost<\/dt><dd>\d+ <small>of [\d,]+/);
    expect(pageOf({ ...calm, ledger: exampleLedger })).not.toContain('webhooks lost</dt>');
  });
  test('of a run without receivers has nothing of them', () => {
    const { result, verdict } = exampleSpike();
    expect(indexHtml(result, verdict, assets)).not.toMatch(/[Ww]ebhook/);
    expect(summaryMarkdown(result, verdict)).not.toMatch(/[Ww]ebhook/);
  });
  test('says what the ledger found, and why it could not be read', () => {
    const found = { ...exampleWebhookLedger({ lost: 1 }), examples: [{ kind: 'lost', text: 'good never accepted <b>' }] as const };
    expect(pageOf(exampleWebhooks([], found))).toContain('lost <code>good never accepted &lt;b&gt;</code>');
    const cut = pageOf(exampleWebhooks([], { ...exampleWebhookLedger(), incomplete: 'the service was gone' }));
    expect(cut).toContain('Not compared to the end: the service was gone');
    expect(cut).not.toContain('service: delivered');
    expect(pageOf({ ...calm, webhooks: { cells: [], processes: [], ledger: undefined } })).toContain('was not compared');
  });
});

describe('what is drawn', () => {
  const { result, verdict } = judged(calm);
  const plots = timePlots(result, verdict);
  test('attempts of every receiver', () => {
    const lines = plots.find(({ id }) => id === 'webhooks')?.lines;
    expect(lines?.map(({ label, values }) => [label, values[13]])).toEqual([
      ['good', 1000],
      ['hangs', 1],
    ]);
  });
  test('each receiver’s delay, with the limits that are about it', () => {
    const limits = (id: string) => plots.find((plot) => plot.id === id)?.limits.map(({ value, fromSeconds }) => [value, fromSeconds]);
    expect(limits('webhook-delay-good')).toEqual([
      [1000, 2],
      [1000, 12],
      [1000, 17],
    ]);
    expect(limits('webhook-delay-hangs')).toEqual([]);
  });
});

test('the summary has the same figures', () => {
  const late = judged(exampleWebhooks([exampleWebhookCell({ clean: [[4000, 600]] })]));
  const text = summaryMarkdown(late.result, late.verdict);
  expect(text).toContain('## Webhooks');
  expect(text).toMatch(/\| good \| answers \| 7300 \| 7300 \| 0 \| 0 \| 7300 \| 1 \|/);
  expect(text).toMatch(/\| hangs \| 6700 \| 22 \| 0 \| 0 \| 0 \| 0 \| 0 \| 6700 \| 0 \| 0 \| 0 \|/);
});

test('JUnit calls a lost or leaked webhook a failure, as the verdict does', () => {
  const { result, verdict } = judged(exampleWebhooks([], exampleWebhookLedger({ lost: 1, leaked: 1 })));
  const xml = junitXml(result, verdict);
  expect(verdict.verdict).toBe('fail');
  for (const code of ['webhooks-lost', 'webhooks-leaked']) expect(xml).toMatch(new RegExp(`name="${code}"[^>]*>\\s*<failure`));
});
