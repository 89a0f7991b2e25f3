import { describe, expect, test } from 'vitest';
import { exampleLedger, thresholdOf } from '#harness/gates/example-run.ts';
import { exampleStreamCell } from '#harness/gates/example-streams.ts';
import { judge } from '#harness/gates/judge.ts';
import type { RunResult } from '#harness/run-result.ts';
import { exampleSpike } from './example-spike.ts';
import { exampleStorm } from './example-streams.ts';
import { indexHtml } from './index-html.ts';
import { junitXml } from './junit.ts';
import { faultMarks, shadesOf, timePlots } from './plots.ts';
import { herdRows, readerRows } from './stream-rows.ts';
import { summaryMarkdown } from './summary.ts';
import { wayRows } from './ways.ts';

const assets = { plotScript: 'plot', plotStyle: 'plot', pageScript: 'page', pageStyle: 'page' };
const calm = exampleStorm();
const troubled = exampleStorm({ troubled: true });
const writing = exampleStorm({ writes: true });
const pageOf = ({ result, verdict }: typeof calm): string => indexHtml(result, verdict, assets);
const idsOf = ({ result, verdict }: typeof calm): readonly string[] => timePlots(result, verdict).map(({ id }) => id);

describe('the storm as data', () => {
  test('untroubled it passes; troubled it does not', () => {
    expect(calm.verdict.verdict).toBe('pass');
    expect(writing.verdict.verdict).toBe('pass');
    expect(troubled.verdict.reasons.map(({ code }) => code)).toEqual(['changes-lost', 'threshold-broken', 'threshold-broken', 'threshold-unknown']);
  });
  test('the same seed gives the same run', () => {
    expect(exampleStorm({ seed: 3 }).result).toEqual(exampleStorm({ seed: 3 }).result);
    expect(exampleStorm({ seed: 4 }).result).not.toEqual(exampleStorm({ seed: 3 }).result);
  });
});

describe('a run of streams alone', () => {
  const page = pageOf(calm);
  test('has no table and no plot of requests', () => {
    for (const absent of ['Latency, milliseconds', 'Evenness', 'Dispatch delay, milliseconds', 'id="ledger"', 'timed out', 'data-plot="rate"', 'percentiles'])
      expect(page).not.toContain(absent);
    expect(summaryMarkdown(calm.result, calm.verdict)).not.toMatch(/## Totals|## Latency|## Evenness/);
    expect(idsOf(calm)).toEqual(['held', 'delivery-maps', 'delivery-asking', 'frames', 'ended', 'generator', 'cpu']);
  });
  test('its key figures speak of streams', () => {
    expect(page).toMatch(/<dt>calm: held<\/dt><dd>2,000 <small>streams for 15 s/);
    expect(page).toMatch(/<dt>changes lost<\/dt><dd>0 <small>of 22,000/);
  });
  test('one with requests has both, and a run without streams nothing of them', () => {
    const both = pageOf(writing);
    for (const part of ['Latency, milliseconds', 'data-plot="rate"', 'Streams held', 'Who came back', 'id="changes"']) expect(both).toContain(part);
    const { result, verdict } = exampleSpike();
    const without = indexHtml(result, verdict, assets);
    for (const absent of ['Streams', 'Who came back', 'Ways compared', 'id="changes"']) expect(without).not.toContain(absent);
  });
  test('with requests beside them the headline is what the thresholds are about', () => {
    expect(pageOf(writing)).toContain('<dt>calm: held</dt>');
    const verdict = judge(writing.result, [thresholdOf('response_ms', 'p(99)<100', writing.result.run.scenario)]);
    expect(pageOf({ ...writing, verdict })).toContain('put-item fired</dt>');
  });
  test('a run without one sample is a page all the same', () => {
    const empty: RunResult = { ...calm.result, streams: { cells: [], processes: [] } };
    expect(indexHtml(empty, judge(empty, []), assets)).toContain('nothing-measured');
    expect(summaryMarkdown(empty, judge(empty, []))).toContain('## Streams');
  });
});

describe('what is drawn', () => {
  const lineOf = (id: string, label: string) =>
    timePlots(calm.result, calm.verdict)
      .find((plot) => plot.id === id)
      ?.lines.find((line) => line.label === label)?.values;
  test('who is held, by reader, opening and waiting', () => {
    expect(lineOf('held', 'maps live')?.slice(9, 11)).toEqual([2000, 2000]);
    expect(lineOf('held', 'maps live')?.[60]).toBeNull();
    expect(lineOf('held', 'asking live')?.[60]).toBe(2000);
    expect(lineOf('held', 'waiting')?.[30]).toBe(2000);
  });
  test('frames, and what ended', () => {
    expect(lineOf('frames', 'changes')?.[20]).toBe(400);
    expect(lineOf('ended', 'lost')?.slice(29, 32)).toEqual([0, 2000, 0]);
    expect(lineOf('ended', 'refused')).toBeUndefined();
  });
  test('a threshold on lag stands as a line over the phases it is about, in its reader’s plot only', () => {
    const plots = timePlots(calm.result, calm.verdict);
    expect(plots.find(({ id }) => id === 'delivery-maps')?.limits.map(({ value, fromSeconds }) => [value, fromSeconds])).toEqual([
      [250, 10],
      [250, 25],
      [250, 55],
    ]);
    expect(plots.find(({ id }) => id === 'delivery-asking')?.limits).toEqual([]);
  });
  test('a fault is a mark with its name; one that could not be done says so', () => {
    expect(faultMarks(calm.result)).toEqual([{ label: 'drop-connections', fromSeconds: 30.1, toSeconds: 30.4 }]);
    const failed: RunResult = { ...calm.result, faults: [{ kind: 'kill-node', phase: 'storm', startSeconds: 1, endSeconds: 1, trouble: 'gone' }] };
    expect(faultMarks(failed)[0]?.label).toBe('kill-node (not done)');
    expect(pageOf(calm)).toContain('"faults":[{"label":"drop-connections"');
  });
  test('a second in which a holder stood still is shaded', () => {
    expect(Object.fromEntries(shadesOf(troubled.result).map(({ kind, seconds }) => [kind, seconds]))).toEqual({ unknown: [25], stop: [25] });
    expect(shadesOf(calm.result)).toEqual([]);
  });
});

describe('tables', () => {
  test('streams by phase and reader', () => {
    expect(readerRows(calm.result).map(({ phase, reader, heldMin, counts }) => [phase, reader, heldMin, counts.lost])).toEqual([
      ['opening', 'maps', 200, 0],
      ['calm', 'maps', 2000, 0],
      ['storm', 'maps', 0, 2000],
      ['asking', 'asking', 2000, 0],
    ]);
  });
  test('a reader of whom nobody was there has no row, and no event’s ledger stands where no event was sent', () => {
    const cells = (calm.result.streams?.cells ?? []).flatMap((cell) => [cell, exampleStreamCell({ second: cell.second, phase: cell.phase, reader: 'nobody' })]);
    const run: RunResult = { ...calm.result, ledger: { ...exampleLedger, acknowledged: 0 }, streams: { cells, processes: [] } };
    expect(readerRows(run)).toEqual(readerRows(calm.result));
    expect(indexHtml(run, calm.verdict, assets)).not.toContain('id="ledger"');
    expect(indexHtml({ ...run, ledger: exampleLedger }, calm.verdict, assets)).toContain('id="ledger"');
  });
  test('who came back, and who never did', () => {
    expect(herdRows(calm.result)).toMatchObject([{ phase: 'storm', ended: 2000, away: 0, back99Ms: expect.closeTo(19_900, -3) }]);
    expect(herdRows(troubled.result)).toMatchObject([{ away: 30, back90Ms: expect.closeTo(18_200, -3), back99Ms: Number.POSITIVE_INFINITY }]);
    expect(pageOf(troubled)).toMatch(/<td class="number">never<\/td>\s*<td class="number">30<\/td>/);
  });
  test('a comparison not read to its end leaves lost unknown, and what leaked is known', () => {
    const items = { ...(calm.result.items as NonNullable<RunResult['items']>), incomplete: 'the log answered 500', leaked: 2 };
    const cut: RunResult = { ...calm.result, items };
    const page = indexHtml(cut, judge(cut, calm.thresholds), assets);
    expect(page).toMatch(/<dt>lost from the log<\/dt><dd>–<\/dd>/);
    expect(page).toMatch(/<dt>leaked<\/dt><dd>2<\/dd>/);
    expect(page).toContain('the log answered 500');
    expect(summaryMarkdown(cut, judge(cut, []))).toContain('**Not compared to the end: the log answered 500**');
  });
  test('lost changes are a failure of their own in JUnit', () => {
    expect(junitXml(troubled.result, troubled.verdict)).toMatch(/name="changes-lost"[^>]*>\s*<failure/);
  });
});

describe('ways compared', () => {
  test('what the same news cost by either way', () => {
    const rows = wayRows(calm.result);
    expect(rows.map(({ phase, reader, way }) => `${phase} ${reader} ${way}`)).toEqual([
      'calm maps stream',
      'storm maps stream',
      'asking asking poll every 15 s',
    ]);
    const [listening, , asking] = rows;
    expect(listening).toMatchObject({ heldMax: 2000, dialledPerSecond: 0, changes: 6000 });
    expect(asking?.dialledPerSecond).toBeCloseTo(133, 0);
    expect(asking?.serviceMicrosPerChange).toBeGreaterThan(2 * (listening?.serviceMicrosPerChange ?? Number.POSITIVE_INFINITY));
    expect(asking?.lagMs.p50).toBeGreaterThan(1000);
  });
  test('only of a scenario with both, and without a processor time where both ran at once', () => {
    const readers = calm.result.run.scenario.streams?.readers.slice(0, 1) ?? [];
    const scenario = { ...calm.result.run.scenario, streams: { users: 1, readers } };
    expect(wayRows({ ...calm.result, run: { ...calm.result.run, scenario } })).toEqual([]);
    const cells = calm.result.streams?.cells ?? [];
    const mixed = cells.flatMap((cell) => (cell.phase === 1 ? [cell, { ...cell, reader: 'asking' }] : [cell]));
    const rows = wayRows({ ...calm.result, streams: { cells: mixed, processes: [] } }).filter(({ phase }) => phase === 'calm');
    expect(rows.map(({ reader, serviceCores, serviceMicrosPerChange }) => [reader, serviceCores, serviceMicrosPerChange])).toEqual([
      ['maps', null, null],
      ['asking', null, null],
    ]);
  });
  test('a reader on its way out of the phase before is not one of it', () => {
    const cells = calm.result.streams?.cells ?? [];
    const leaving = cells.find(({ second }) => second === 20);
    const late = leaving === undefined ? [] : [{ ...leaving, second: 55, phase: 3, held: { ...leaving.held, live: 90 } }];
    const rows = wayRows({ ...calm.result, streams: { cells: [...cells, ...late], processes: [] } });
    expect(rows.filter(({ phase }) => phase === 'asking').map(({ reader }) => reader)).toEqual(['asking']);
    expect(rows.at(-1)?.serviceCores).not.toBeNull();
  });
});
