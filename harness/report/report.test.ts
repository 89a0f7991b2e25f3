import { describe, expect, test } from 'vitest';
import { exampleRun, thresholdOf } from '#harness/gates/example-run.ts';
import { judge } from '#harness/gates/judge.ts';
import type { Cell, RunResult, Verdict } from '#harness/run-result.ts';
import { exampleSpike } from './example-spike.ts';
import { html, scriptJson, scriptText } from './html.ts';
import { indexHtml } from './index-html.ts';
import { junitXml } from './junit.ts';
import { usedShare } from './numbers.ts';
import { percentileCurves } from './percentiles.ts';
import { shadesOf, timePlots } from './plots.ts';
import { summaryMarkdown } from './summary.ts';

const assets = { plotScript: 'plot', plotStyle: 'plot', pageScript: 'page', pageStyle: 'page' };
const good = exampleSpike();
const troubled = exampleSpike({ troubled: true });
const countOf = (text: string, what: RegExp): number => [...text.matchAll(what)].length;

/** 200/s, a tenth of which fails, from 0.5 s to 3.25 s. */
function betweenSeconds(): RunResult {
  const first = good.result.cells[0] as Cell;
  const cells = [100, 200, 200, 50].map((planned, second): Cell => {
    const counts = { ...first.counts, planned, fired: planned, answered: planned, good: 0.9 * planned, failed: 0.1 * planned };
    return { ...first, phase: 0, second, counts };
  });
  const phases = [{ name: 'steady', measured: true, startSeconds: 0.5, endSeconds: 3.25, planned: 550 }];
  return exampleRun({ phases, cells, scrapes: [], processes: [], evenness: [] });
}

/** A verdict with one answer of each kind. */
const mixed: Verdict = {
  ...good.verdict,
  verdict: 'invalid',
  exitCode: 3,
  reasons: [{ code: 'not-delivered', text: 'fired 90 % of what was planned' }],
  thresholds: (['yes', 'no', 'unknown'] as const).map((holds, index) => ({
    metric: 'response_ms',
    selector: { phase: 'spike' },
    expression: `p(9${index})<250`,
    observed: holds === 'no' ? '≥ timeout' : 20,
    best: 20,
    worst: '≥ timeout',
    samples: 7,
    holds,
  })),
};

describe('the spike as data', () => {
  test('untroubled it passes; troubled it does not', () => {
    expect(good.verdict.verdict).toBe('pass');
    expect(troubled.verdict.verdict).not.toBe('pass');
  });
  test('the same seed gives the same run', () => {
    expect(exampleSpike({ seed: 3 }).result).toEqual(exampleSpike({ seed: 3 }).result);
    expect(exampleSpike({ seed: 4 }).result).not.toEqual(exampleSpike({ seed: 3 }).result);
  });
});

test('a summary shows counts to their last digit, and times to four', () => {
  const totals = { ...good.verdict.totals, planned: 402_628, lost: 12_345 };
  const text = summaryMarkdown(good.result, { ...good.verdict, totals, cpu: { generator: 37.4812, system: 112.06 } });
  expect(text).toMatch(/\| 402628 \|/);
  expect(text).toMatch(/\| 12345 \|/);
  expect(text).toContain('generator 37.48 µs, service 112.1 µs');
});

describe('JUnit', () => {
  test('a broken threshold is a failure; one that cannot be told, and another reason, are errors', () => {
    const xml = junitXml(good.result, { ...mixed, verdict: 'fail', exitCode: 1 });
    expect(countOf(xml, /<testcase/g)).toBe(4);
    expect(countOf(xml, /<failure/g)).toBe(1);
    expect(countOf(xml, /<error/g)).toBe(2);
  });
  test('in an invalid run nothing is a failure: a break there is not trusted', () => {
    const xml = junitXml(good.result, mixed);
    expect(countOf(xml, /<failure/g)).toBe(0);
    expect(countOf(xml, /<error/g)).toBe(3);
    expect(xml).toMatch(/name="not-delivered"[\s\S]*fired 90 % of what was planned/);
    expect(xml).toContain('observed 20, best 20, worst ≥ timeout, samples 7');
  });
  test('a threshold’s reason is said in its own test case; lost events are a failure of their own', () => {
    const reasons = [
      { code: 'events-lost', text: '3 of 10 are gone' },
      { code: 'threshold-broken', text: 'response_ms{phase:spike} p(91)<250: it was ≥ timeout' },
    ];
    const xml = junitXml(good.result, { ...mixed, verdict: 'fail', exitCode: 1, reasons });
    expect(countOf(xml, /<testcase/g)).toBe(4);
    expect(countOf(xml, /<failure/g)).toBe(2);
    expect(xml).toContain('it was ≥ timeout');
  });
  test('a pass has neither', () => {
    const xml = junitXml(good.result, good.verdict);
    expect(countOf(xml, /<testcase/g)).toBe(good.verdict.thresholds.length);
    expect(xml).not.toMatch(/<failure|<error/);
  });
});

describe('summary', () => {
  test('the verdict, its reasons, every threshold and the ledger', () => {
    const text = summaryMarkdown(troubled.result, mixed);
    expect(text.startsWith('# spike: invalid')).toBe(true);
    expect(text).toContain('fired 90 % of what was planned');
    expect(countOf(text, /`p\(9\d\)<250`/g)).toBe(3);
    expect(text).toMatch(/holds|\*\*broken\*\*|cannot be told/);
    expect(text).toContain('Everything was read back in 7.5 s');
  });
});

describe('the page', () => {
  test('what was not measured is said, and is never 0', () => {
    const blind: RunResult = exampleRun({ ledger: undefined, processes: [], calibration: [], cells: [], scrapes: [] });
    const page = indexHtml(blind, judge(blind, []), assets);
    expect(page).toContain('Nothing was read back');
    expect(page).toContain('The generator was not calibrated');
  });
  test('an export that was not read to its end leaves lost unknown', () => {
    const { ledger } = good.result;
    const cut: RunResult = { ...good.result, ledger: { ...(ledger as NonNullable<typeof ledger>), incomplete: 'the export stopped' } };
    expect(indexHtml(cut, judge(cut, good.thresholds), assets)).toMatch(/<dt>lost<\/dt><dd>–<\/dd>/);
  });
  test('the same run and verdict give the same page', () => {
    expect(indexHtml(good.result, good.verdict, assets)).toBe(indexHtml(good.result, good.verdict, assets));
  });
  test('the bar of a threshold fills with what is left; of one that cannot be told both ends are said, and nothing of what is left', () => {
    const rows = indexHtml(good.result, mixed, assets).split('<tr class="holds-');
    expect(rows.find((row) => row.startsWith('yes'))).toMatch(/style="--left:0\.920".*92 % left/);
    expect(rows.find((row) => row.startsWith('unknown'))).not.toMatch(/class="bar"|% left</);
    const told = { ...mixed, thresholds: mixed.thresholds.map((one) => ({ ...one, holds: 'unknown' as const, worst: 500 })) };
    expect(indexHtml(good.result, told, assets)).toContain('<span class="bar-text">92 % left … 100 % over</span>');
  });
  test('its headline is the operation that a threshold names, else the one that was fired most', () => {
    const rare = good.result.cells.map((cell): Cell => ({ ...cell, operation: 'authenticate', counts: { ...cell.counts, fired: cell.counts.fired / 10 } }));
    const result = { ...good.result, cells: [...rare, ...good.result.cells] };
    expect(indexHtml(result, judge(result, []), assets)).toContain('<dt>spike: ingest fired</dt>');
    expect(indexHtml(result, judge(result, [thresholdOf('response_ms{operation:authenticate}', 'p(99)<100')]), assets)).toContain('authenticate fired</dt>');
  });
  test('of a generator that tells nothing of itself nobody says that it did not stand still', () => {
    expect(indexHtml(good.result, good.verdict, assets)).toContain('no stop of its own');
    const page = indexHtml({ ...good.result, workers: [] }, good.verdict, assets);
    expect(page).toContain('whether the generator stood still is not known');
    expect(page).not.toContain('no stop of its own');
  });
  test('text from outside cannot become an element', () => {
    const sly: RunResult = { ...good.result, run: { ...good.result.run, target: { ...good.result.run.target, url: '<img src=x onerror=alert(1)>' } } };
    expect(indexHtml(sly, good.verdict, assets)).not.toContain('<img');
  });
});

describe('html', () => {
  test('texts are escaped, HTML is not, lists are joined', () => {
    expect(html`<p title="${'"'}">${'<&'}${[html`<b>1</b>`, html`<i>2</i>`]}${undefined}</p>`.html).toBe('<p title="&quot;">&lt;&amp;<b>1</b>\n<i>2</i></p>');
  });
  test('nothing inside a script ends it, and JSON reads back as it was', () => {
    const sly = { text: '</script><!--\u2028' };
    expect(scriptJson(sly).html).not.toMatch(/<|\u2028/);
    expect(JSON.parse(scriptJson(sly).html)).toEqual(sly);
    expect(scriptText('"</SCRIPT>"').html).not.toMatch(/<\/script/i);
  });
});

describe('what is drawn', () => {
  test('every kind of trouble shades its second; a quiet run shades none', () => {
    expect(Object.fromEntries(shadesOf(troubled.result).map(({ kind, seconds }) => [kind, seconds]))).toEqual({
      unknown: [27],
      stop: [27],
      gc: [23],
      steal: [34],
      lag: [27],
    });
    expect(shadesOf(good.result)).toEqual([]);
  });
  test('a threshold on a time stands as a line over its phase', () => {
    const latency = timePlots(good.result, good.verdict).find(({ id }) => id === 'latency-ingest');
    expect(latency?.limits).toEqual([{ label: 'p(99)<250', value: 250, fromSeconds: 20, toSeconds: 50 }]);
  });
  test('a failed scrape is a gap, not an empty pipeline', () => {
    const backlog = timePlots(troubled.result, troubled.verdict).find(({ id }) => id === 'backlog');
    expect(backlog?.lines[0]?.values[3]).toBeNull();
    expect(backlog?.lines[0]?.values[4]).toBeGreaterThan(0);
  });
  test('planned, fired and answered are the cells’ counts by second', () => {
    const rate = timePlots(troubled.result, troubled.verdict).find(({ id }) => id === 'rate');
    const { planned, fired, answered } = troubled.verdict.totals;
    const sums = rate?.lines.map(({ label, values }) => [label, values.reduce<number>((sum, value) => sum + (value ?? 0), 0)]);
    expect(answered).toBeLessThan(fired);
    expect(sums).toEqual(Object.entries({ planned, fired, answered }));
  });
  test('a constant rate that begins and ends in the middle of a second is drawn as constant, and so are its failures', () => {
    const result = betweenSeconds();
    const plots = timePlots(result, judge(result, []));
    const drawn = (plot: string, line: string) => plots.find(({ id }) => id === plot)?.lines.find(({ label }) => label === line)?.values;
    for (const line of ['planned', 'fired', 'answered']) expect(drawn('rate', line), line).toEqual([200, 200, 200, 200]);
    expect(drawn('failures', 'failed')).toEqual([20, 20, 20, 20]);
  });
  test('a percentile curve climbs, response never below service, and ends where the failed begin', () => {
    const [calm, spike] = ['calm · ingest', 'spike · ingest'].map((label) => percentileCurves(troubled.result).find((curve) => curve.label === label));
    for (const curve of [calm, spike]) {
      const service = (curve?.service ?? []).filter((value) => value !== null);
      expect(service).toEqual([...service].sort((a, b) => a - b));
      for (const [i, response] of (curve?.response ?? []).entries()) if (response !== null) expect(response).toBeGreaterThanOrEqual(curve?.service[i] ?? 0);
    }
    expect(calm?.service.at(-1)).not.toBeNull();
    expect(spike?.service.at(-1)).toBeNull();
    expect(spike?.note).toContain('120 failed');
  });
  test('headroom is what is left of an upper limit, and exact thresholds have none', () => {
    expect(usedShare({ expression: 'p(99)<250', observed: 50 })).toBe(0.2);
    expect(usedShare({ expression: 'p(99)<250 over 10s', observed: 500 })).toBe(2);
    expect(usedShare({ expression: 'count==0', observed: 0 })).toBeUndefined();
    expect(usedShare({ expression: 'value>10', observed: 20 })).toBeUndefined();
    expect(usedShare({ expression: 'p(99)<250', observed: '≥ timeout' })).toBeUndefined();
  });
});
