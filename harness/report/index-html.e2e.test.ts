/** The page in a real browser: the verdict is there, every plot is drawn, nothing is asked of anybody. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { thresholdOf } from '#harness/gates/example-run.ts';
import { judge } from '#harness/gates/judge.ts';
import { requirePart } from '#harness/parts/find.ts';
import { readPageAssets } from '#harness/run-folder/page-assets.ts';
import type { RunResult, Verdict } from '#harness/run-result.ts';
import { exampleSpike } from './example-spike.ts';
import { exampleStorm } from './example-streams.ts';
import { indexHtml } from './index-html.ts';

const quiet = ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--no-first-run'];
const plotsExpected = ['rate', 'failures', 'latency-ingest', 'percentiles', 'generator', 'cpu', 'backlog', 'lag'];
const { result, verdict } = exampleSpike({ troubled: true });
const ofStreams = ['held', 'delivery-maps', 'delivery-asking', 'frames', 'ended'];
const storm = exampleStorm({ troubled: true });
const writing = exampleStorm({ writes: true, troubled: true });
const { faults: _faults, ...undisturbed } = storm.result;

let browser: Browser;
let folder: string;
let address: string;

async function write(name: string, ...[run, itsVerdict]: [run: RunResult, verdict: Verdict]): Promise<string> {
  const file = join(folder, name);
  await writeFile(file, indexHtml(run, itsVerdict, await readPageAssets()));
  return pathToFileURL(file).href;
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'headroom-page-'));
  address = await write('index.html', result, verdict);
  browser = await chromium.launch({ executablePath: requirePart('chromium'), headless: true, args: quiet });
});
afterAll(async () => {
  await browser?.close();
  await rm(folder, { recursive: true, force: true });
});

type Opened = { readonly page: Page; readonly complaints: readonly string[]; readonly requests: readonly string[] };

async function open(colorScheme: 'light' | 'dark', width: number, url = address): Promise<Opened> {
  const page = await browser.newPage({ colorScheme, viewport: { width, height: 900 } });
  const complaints: string[] = [];
  const requests: string[] = [];
  page.on('console', (message) => complaints.push(`${message.type()}: ${message.text()}`));
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('request', (request) => requests.push(request.url()));
  await page.goto(url);
  await page.locator('#theme:visible').waitFor();
  return { page, complaints, requests };
}

/** Colours by plot: how many different ones its canvas has. A blank canvas has one. Evaluated in the browser, so it is text here. */
const coloursDrawn = `Object.fromEntries([...document.querySelectorAll('[data-plot]')].map((element) => {
  const canvas = element.querySelector('canvas');
  const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  const colours = new Set();
  for (let i = 0; i < data.length; i += 4) if (data[i + 3] > 128) colours.add(data[i] * 65536 + data[i + 1] * 256 + data[i + 2]);
  return [element.dataset.plot, colours.size];
}))`;
const coloursOf = async (page: Page): Promise<Readonly<Record<string, number>>> => (await page.evaluate(coloursDrawn)) as Record<string, number>;
const pixelsOf = async (page: Page): Promise<string> =>
  (await page.evaluate(`document.querySelector('[data-plot="latency-ingest"] canvas').toDataURL()`)) as string;
const paperOf = async (page: Page): Promise<string> => (await page.evaluate('getComputedStyle(document.body).backgroundColor')) as string;

describe.each([
  ['light', 1400],
  ['dark', 1400],
  ['light', 380],
  ['dark', 380],
] as const)('%s, %i px', (scheme, width) => {
  test('the verdict and its reasons come first, every plot is drawn, nothing complains, nothing is requested', async () => {
    const { page, complaints, requests } = await open(scheme, width);
    expect((await page.getByRole('heading', { level: 1 }).innerText()).toLowerCase()).toContain(verdict.verdict);
    expect(verdict.reasons.length).toBeGreaterThan(0);
    for (const { text } of verdict.reasons) expect(await page.getByRole('list', { name: 'Reasons' }).innerText()).toContain(text);
    const first = page.locator('main > section').first();
    expect(await first.getAttribute('aria-labelledby')).toBe('verdict');
    const drawn = await coloursOf(page);
    expect(Object.keys(drawn)).toEqual(plotsExpected);
    for (const [plot, colours] of Object.entries(drawn)) expect(colours, plot).toBeGreaterThan(5);
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(width);
    expect(complaints).toEqual([]);
    expect(requests).toEqual([address]);
    await page.close();
  });
});

test('every plot says in words what it shows', async () => {
  const { page } = await open('light', 1400);
  for (const plot of plotsExpected) {
    const name = await page.locator(`[data-plot="${plot}"] canvas`).getAttribute('aria-label');
    expect(name, plot).toMatch(/\d/);
  }
  await page.close();
});

test('where nothing is pointed at, legends say the most of each line', async () => {
  const { page } = await open('light', 1400);
  for (const plot of ['rate', 'latency-ingest', 'percentiles', 'cpu']) {
    const legend = await page.locator(`[data-plot="${plot}"] .u-legend`).innerText();
    expect(legend, plot).toMatch(/≤ [\d,.]+/);
    expect(legend, plot).not.toContain('–');
  }
  await page.close();
});

/** Rows of pixels in which a limit's colour goes across much of the plot. Evaluated in the browser, so it is text here. */
const limitRows = `(() => {
  const canvas = document.querySelector('[data-plot="latency-ingest"] canvas');
  const { data, width } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  const red = new Map();
  for (let i = 0; i < data.length; i += 4) {
    const row = Math.floor(i / 4 / width);
    if (data[i] === 0xb3 && data[i + 1] === 0x26 && data[i + 2] === 0x1e) red.set(row, (red.get(row) ?? 0) + 1);
  }
  return [...red].filter(([, pixels]) => pixels > width / 5).map(([row]) => row);
})()`;

test('a limit stands in its plot however far from it what was measured is', async () => {
  const far = ['p(99)<0.01', 'p(99)<2000000'].map((expression) => thresholdOf('response_ms{phase:spike}', expression, result.run.scenario));
  const { page } = await open('light', 1400, await write('far.html', result, judge(result, far)));
  const rows = (await page.evaluate(limitRows)) as readonly number[];
  expect((rows.at(-1) ?? 0) - (rows[0] ?? 0)).toBeGreaterThan(100);
  await page.close();
});

test('on a telephone a table of times is there from its samples to its max, and rows have readable names', async () => {
  const { page } = await open('light', 390);
  const table = page.getByRole('region', { name: 'Latency by phase, operation and time' });
  const [last, name] = [await table.locator('tbody tr').first().locator('td').last().boundingBox(), await table.locator('tbody th').first().boundingBox()];
  expect((last?.x ?? 1000) + (last?.width ?? 1000)).toBeLessThanOrEqual(390);
  expect(name?.width).toBeGreaterThan(80);
  await page.close();
});

test('hovering one plot over time shows the values of that second in all of them', async () => {
  const { page } = await open('light', 1400);
  const over = page.locator('[data-plot="rate"] .u-over');
  await over.scrollIntoViewIfNeeded();
  await over.hover({ position: { x: 600, y: 60 } });
  const rate = await page.locator('[data-plot="rate"] .u-legend').innerText();
  expect(rate).toMatch(/planned\s+[\d,]+\/s/);
  const second = /\d+–\d+ s/.exec(rate)?.[0] ?? 'no second';
  expect(await page.locator('[data-plot="latency-ingest"] .u-legend').innerText()).toContain(second);
  await page.close();
});

test('the toggle goes to light and dark whatever the system says, and the plots follow', async () => {
  const { page, complaints } = await open('light', 1400);
  const [paperLight, pixelsLight] = [await paperOf(page), await pixelsOf(page)];
  await page.locator('#theme').click();
  expect(await page.locator('#theme').innerText()).toBe('Theme: light');
  await page.locator('#theme').click();
  expect(await page.locator('#theme').innerText()).toBe('Theme: dark');
  expect(await paperOf(page)).not.toBe(paperLight);
  expect(await pixelsOf(page)).not.toBe(pixelsLight);
  expect(complaints).toEqual([]);
  await page.close();
});

test('another phase’s percentiles are drawn when it is chosen', async () => {
  const { page } = await open('light', 1400);
  const canvas = `document.querySelector('[data-plot="percentiles"] canvas').toDataURL()`;
  const before = await page.evaluate(canvas);
  const calm = page.getByRole('button', { name: 'calm · ingest' });
  await calm.click();
  expect(await calm.getAttribute('aria-pressed')).toBe('true');
  expect(await page.evaluate(`new Promise((done) => requestAnimationFrame(() => done(${canvas})))`)).not.toBe(before);
  await page.close();
});

test('what comes from outside stays text: a reason with a tag in it is read, not run', async () => {
  const { page } = await open('light', 1400);
  expect(await page.getByRole('rowheader', { name: 'status 503 </script><b>' }).count()).toBe(1);
  await page.close();
});

describe.each([
  ['of streams alone', storm, [...ofStreams, 'generator', 'cpu']],
  ['of streams and requests', writing, ['rate', 'latency-put-item', ...ofStreams.slice(0, 5), 'percentiles', 'generator', 'cpu']],
] as const)('a run %s', (name, one, expected) => {
  test.each([1400, 380])('every plot is drawn and says what it shows, nothing complains, %i px', async (width) => {
    const url = await write(`${name.replaceAll(' ', '-')}.html`, one.result, one.verdict);
    const { page, complaints, requests } = await open(width === 380 ? 'dark' : 'light', width, url);
    const drawn = await coloursOf(page);
    expect(Object.keys(drawn)).toEqual(expected);
    for (const [plot, colours] of Object.entries(drawn)) {
      expect(colours, plot).toBeGreaterThan(5);
      expect(await page.locator(`[data-plot="${plot}"] canvas`).getAttribute('aria-label'), plot).toMatch(/\d/);
    }
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(width);
    expect(await page.getByRole('rowheader', { name: 'storm · maps · cut rst </script><b>' }).count()).toBe(1);
    expect(complaints).toEqual([]);
    expect(requests).toEqual([url]);
    await page.close();
  });
});

test('what was done to the service is marked in every plot over time', async () => {
  const canvasOf = async (url: string, plot: string): Promise<string> => {
    const { page } = await open('light', 1400, url);
    const pixels = (await page.evaluate(`document.querySelector('[data-plot="${plot}"] canvas').toDataURL()`)) as string;
    await page.close();
    return pixels;
  };
  const [marked, unmarked] = [await write('marked.html', storm.result, storm.verdict), await write('unmarked.html', undisturbed, storm.verdict)];
  for (const plot of ['held', 'cpu']) expect(await canvasOf(marked, plot)).not.toBe(await canvasOf(unmarked, plot));
});
