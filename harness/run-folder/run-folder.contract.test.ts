import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import * as hdr from 'hdr-histogram-js';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { exampleWebhookCell, exampleWebhookLedger, exampleWebhooks, webhookThresholdOf } from '#harness/gates/example-webhooks.ts';
import { judge } from '#harness/gates/judge.ts';
import { timesOf } from '#harness/metrics/fold.ts';
import { countOf, quantileMicros } from '#harness/metrics/histogram.ts';
import { exampleSpike } from '#harness/report/example-spike.ts';
import { exampleStorm } from '#harness/report/example-streams.ts';
import type { Cell, ScrapeSecond, StreamCell } from '#harness/run-result.ts';
import { hdrLog } from './hdr-log.ts';
import { packCell, unpackCell } from './packed-cells.ts';
import { packScrapes, unpackScrapes } from './packed-scrapes.ts';
import { makeRunFolder, readRun, runFolderName, writeReports, writeRun } from './run-folder.ts';

const { result, thresholds, verdict } = exampleSpike({ troubled: true });
const reports = ['verdict.json', 'summary.md', 'junit.xml', 'latency.hdr', 'index.html'];
const measured = ['run.json', 'series.json', 'scrapes.json'];

let root: string;
let folder: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'headroom-run-'));
});
afterAll(() => rm(root, { recursive: true, force: true }));
beforeEach(async () => {
  folder = join(root, crypto.randomUUID());
  await writeRun(folder, result, verdict);
});

const textOf = (name: string): Promise<string> => readFile(join(folder, name), 'utf8');
const textsOf = async (names: readonly string[]): Promise<readonly string[]> => Promise.all(names.map(textOf));

test('a run’s folder sorts by time and is a file name everywhere', () => {
  const [one, other] = ['2026-11-24T03:45:00.123Z', '2026-11-24T03:45:01.000Z'].map((at) => runFolderName(new Date(at), 'spike')) as [string, string];
  expect(one).toBe('2026-11-24T03-45-00-spike');
  expect(one < other).toBe(true);
});

test('runs that begin in the same second have a folder each', () => {
  const [one, other, third] = ['spike', 'spike', 'spike'].map((name) => makeRunFolder(join(root, 'same-second'), name));
  expect([one, other, third]).toEqual(['spike', 'spike-2', 'spike-3'].map((name) => join(root, 'same-second', name)));
});

describe('writing and reading', () => {
  test('everything is there, and nothing half-written is left', async () => {
    expect((await readdir(folder)).sort()).toEqual([...measured, ...reports].sort());
  });
  test('what was measured reads back as it was', async () => {
    expect(await readRun(folder)).toEqual(result);
  });
  test.each([false, true])('a run of streams reads back as it was, with requests: %s', async (writes) => {
    const storm = exampleStorm({ writes, troubled: true });
    await writeRun(folder, storm.result, storm.verdict);
    expect(await readRun(folder)).toEqual(storm.result);
    expect(await textOf('verdict.json')).toContain('"changesLost": 1');
    expect((await writeReports(folder)).verdict).toBe(storm.verdict.verdict);
  });
  test('a run with receivers of webhooks reads back as it was, and is judged again as it was', async () => {
    const told = exampleWebhooks([exampleWebhookCell({ touched: [[70, 5]] })], exampleWebhookLedger({ lost: 1 }));
    const verdictThen = judge(told, [webhookThresholdOf('webhook_delay_ms{receiver:good}', 'p(99)<1000')]);
    await writeRun(folder, told, verdictThen);
    expect(await readRun(folder)).toEqual(told);
    expect((await writeReports(folder)).thresholds).toEqual(verdictThen.thresholds);
    expect(await textOf('latency.hdr')).toContain('Tag=spike.good.delay,');
  });
  test('a run without streams has no field of them, and one without receivers none of those', async () => {
    expect(Object.keys(await readRun(folder)).filter((name) => ['streams', 'items', 'faults', 'webhooks'].includes(name))).toEqual([]);
    expect(await textOf('series.json')).not.toContain('"streams"');
    expect(await textOf('series.json')).not.toContain('"webhooks"');
  });
  test('every report made again is the same to the byte', async () => {
    const before = await textsOf(reports);
    await Promise.all(reports.map((name) => rm(join(folder, name))));
    expect((await writeReports(folder)).verdict).toBe(verdict.verdict);
    expect(await textsOf(reports)).toEqual(before);
  });
  test('a judge that thinks otherwise gives other reports, and what was measured stays', async () => {
    const before = await textsOf(measured);
    await writeReports(folder, (read) => ({ ...judge(read, thresholds), verdict: 'fail', exitCode: 1 }));
    expect(await textOf('summary.md')).toContain('# spike: fail');
    expect(await textsOf(measured)).toEqual(before);
  });
});

describe('a folder that is not whole', () => {
  const said = (): Promise<string> =>
    readRun(folder).then(
      () => 'it was read',
      (error: Error) => error.message,
    );
  test.each(measured)('%s missing: says which file, and what to do', async (name) => {
    await rm(join(folder, name));
    expect(await said()).toContain(`${join(folder, name)} is missing`);
    expect(await said()).toContain('npm run report');
  });
  test.each(measured)('%s truncated', async (name) => {
    const text = await textOf(name);
    await writeFile(join(folder, name), text.slice(0, text.length / 2));
    expect(await said()).toContain(`${join(folder, name)} is not whole`);
  });
  test.each(measured)('%s of another version', async (name) => {
    await writeFile(join(folder, name), (await textOf(name)).replace(/"version":\s*1/, '"version": 7'));
    expect(await said()).toMatch(/is of version 7, and this Headroom reads version 1/);
  });
  test.each([
    ['run.json', 'run'],
    ['series.json', 'cells'],
    ['series.json', 'phases'],
    ['scrapes.json', 'values'],
  ])('%s without its %s', async (name, key) => {
    const { [key]: _gone, ...rest } = JSON.parse(await textOf(name)) as Record<string, unknown>;
    await writeFile(join(folder, name), JSON.stringify(rest));
    expect(await said()).toContain(`has no "${key}"`);
  });
  test('JSON that is no object', async () => {
    await writeFile(join(folder, 'run.json'), 'null');
    expect(await said()).toContain('holds no object');
  });
});

describe('packing', () => {
  const histogram = fc
    .uniqueArray(fc.tuple(fc.nat(24_000), fc.integer({ min: 1, max: 2 ** 40 })), { selector: ([index]) => index })
    .map((pairs) => pairs.sort((a, b) => a[0] - b[0]))
    .map((pairs) => ({ index: pairs.map(([index]) => index), count: pairs.map(([, count]) => count) }));
  const template = result.cells[0] as Cell;
  test('a cell unpacks to what it was', () => {
    fc.assert(
      fc.property(histogram, histogram, (clean, spoiled) => {
        const cell: Cell = { ...template, times: { service: { clean, spoiled } } };
        expect(unpackCell(JSON.parse(JSON.stringify(packCell(cell))))).toEqual(cell);
      }),
    );
  });
  test('so does one of streams, whatever its second brought', () => {
    const stream = exampleStorm().result.streams?.cells[30] as StreamCell;
    fc.assert(
      fc.property(histogram, histogram, (clean, spoiled) => {
        const cell: StreamCell = { ...stream, times: { resume: { clean, spoiled } }, spoiled: { lost: 3 } };
        expect(unpackCell(JSON.parse(JSON.stringify(packCell(cell))))).toEqual(cell);
      }),
    );
  });
  test('scrapes unpack to what they were, with samples that come and go, NaN and infinity', () => {
    const scrape = fc.record({
      second: fc.nat(1000),
      ok: fc.boolean(),
      values: fc.dictionary(
        fc.constantFrom('a', 'b{x="1"}', 'c'),
        fc.oneof(
          fc.double().map((value) => value + 0),
          fc.constantFrom(Number.NaN, Infinity, -Infinity),
        ),
      ),
    });
    fc.assert(
      fc.property(fc.array(scrape), (scrapes) => {
        const plain: readonly ScrapeSecond[] = scrapes.map((one) => ({ ...one, values: { ...one.values } }));
        expect(unpackScrapes(JSON.parse(JSON.stringify(packScrapes(plain))))).toEqual(plain);
      }),
    );
  });
});

describe('the HDR log', () => {
  const log = hdrLog(result);
  const read = (log: string): readonly hdr.Histogram[] => {
    const reader = new hdr.HistogramLogReader(log);
    const histograms: hdr.Histogram[] = [];
    for (let next = reader.nextIntervalHistogram(); next !== null; next = reader.nextIntervalHistogram()) histograms.push(next as hdr.Histogram);
    return histograms;
  };
  test('the library’s own reader gives every sample back, with its tag', () => {
    const ofSpike = read(log).filter(({ tag }) => tag === 'spike.ingest.response');
    const cells = result.cells.filter(({ phase }) => result.phases[phase]?.name === 'spike');
    expect(ofSpike).toHaveLength(cells.length);
    const whole = timesOf(cells, 'response');
    expect(ofSpike.reduce((sum, { totalCount }) => sum + totalCount, 0)).toBe(countOf(whole));
    const merged = hdr.build({ highestTrackableValue: 3_600_000_000, numberOfSignificantValueDigits: 3, bitBucketSize: 64 });
    for (const one of ofSpike) merged.add(one as never);
    for (const percentile of [50, 90, 99, 99.9, 100]) {
      const ours = quantileMicros(whole, percentile / 100) ?? 0;
      expect(Math.abs(merged.getValueAtPercentile(percentile) - ours) / ours).toBeLessThan(1 / 512);
    }
  });
  test.each<[string, readonly Cell[] | readonly StreamCell[], string, string]>([
    ['requests', result.cells, 'response', log],
    ['streams alone', exampleStorm().result.streams?.cells ?? [], 'delivery_lag', hdrLog(exampleStorm().result)],
  ])('a viewer that skips tagged lines, as the format’s own does, sees the whole run: %s', (_, cells, time, text) => {
    const untagged = read(text).filter(({ tag }) => tag === 'NO TAG');
    const timed = cells.filter((cell) => countOf(timesOf([cell as Cell], time as 'response')) > 0);
    expect(untagged).toHaveLength(new Set(timed.map(({ second }) => second)).size);
    expect(untagged.reduce((sum, { totalCount }) => sum + totalCount, 0)).toBe(countOf(timesOf(timed as readonly Cell[], time as 'response')));
    expect(text).toContain(`#[Untagged: ${time}, `);
    expect(text).toMatch(/^#\[Unit: microseconds/m);
  });
  test('times of streams are tagged with their reader', () => {
    const { result: storm } = exampleStorm();
    const ofHerd = read(hdrLog(storm)).filter(({ tag }) => tag === 'storm.maps.resume');
    expect(ofHerd.map(({ totalCount }) => totalCount)).toEqual([2000]);
    const cells = (storm.streams?.cells ?? []).filter(({ phase, reader }) => phase === 3 && reader === 'asking');
    expect(read(hdrLog(storm)).filter(({ tag }) => tag === 'asking.asking.delivery_lag')).toHaveLength(cells.length);
  });
  test('seconds stand at their own time', () => {
    const first = log.split('\n').find((line) => line.startsWith('Tag=calm.ingest.service'));
    expect(first?.split(',')[1]).toBe((Date.parse(result.run.startedAt) / 1000 + 10).toFixed(3));
  });
});
