import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseScenario } from '#harness/scenario-parse.ts';
import { readUrl, type UrlOptions } from './read-url.ts';
import { urlOperation } from './url-operations.ts';
import { readSeconds, shownUrl } from './url-scenario.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'url-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const url = 'http://127.0.0.1:3000/orders';
const read = (options: UrlOptions = {}) => readUrl({ ...options, url }, {});

function scenarioOf(options: UrlOptions = {}) {
  const outcome = read(options);
  if (outcome.kind === 'error') throw new Error(outcome.message);
  const parsed = parseScenario(outcome.value, { source: '--url', operations: [urlOperation] });
  if (parsed.kind !== 'ok') throw new Error(JSON.stringify(parsed.errors));
  return parsed.scenario;
}

describe('what was typed becomes a scenario', () => {
  test('with a warm-up of a sixth of the load, and no limit but on failures', () => {
    const { phases, thresholds, fleet, description } = scenarioOf();
    expect(phases.map(({ name, measured, durationSeconds }) => [name, measured, durationSeconds])).toEqual([
      ['warm-up', false, 5],
      ['load', true, 30],
    ]);
    expect(thresholds).toEqual([{ metric: 'failed{phase:load,operation:request}', expression: 'rate<0.001' }]);
    expect(fleet).toMatchObject({ connection: { connections: 64 }, timeoutMs: 10_000 });
    expect(description).toBe('GET http://127.0.0.1:3000/orders: 50/s for 30 s.');
  });
  test('at the rate, for the time and within the limit that were asked for', () => {
    const { phases, thresholds, fleet } = scenarioOf({ rate: 500, duration: '2m', warmUp: '0s', p99: 250, connections: 8, timeout: '500ms' });
    expect(phases).toMatchObject([{ name: 'load', durationSeconds: 120, rate: { ratePerSecond: 500 } }]);
    expect(thresholds[0]).toEqual({ metric: 'response_ms{phase:load,operation:request}', expression: 'p(99)<250' });
    expect(fleet).toMatchObject({ connection: { connections: 8 }, timeoutMs: 500 });
  });
  test('with the bytes of a file', () => {
    const file = join(folder, 'order.json');
    writeFileSync(file, '{"sku":1}');
    expect(read({ body: file })).toMatchObject({ request: { method: 'POST', body: '{"sku":1}' } });
  });
});

test.each<[UrlOptions, RegExp]>([
  [{ rate: 0 }, /--rate is requests a second/],
  [{ rate: Number.NaN }, /--rate is requests a second/],
  [{ duration: 'long' }, /--duration has to be a time, as 30s/],
  [{ duration: '100ms' }, /--duration has to be a second at least/],
  [{ warmUp: '-1s' }, /--warm-up has to be a time/],
  [{ timeout: '2m' }, /--timeout has to be above 0 and at most 60s/],
  [{ timeout: '0s' }, /--timeout has to be above 0/],
  [{ p99: -1 }, /--p99 is milliseconds/],
  [{ connections: 0 }, /--connections has to be a whole number/],
  [{ body: '/nowhere/at/all' }, /--body \/nowhere\/at\/all cannot be read: ENOENT/],
  [{ method: 'BREW' }, /--method is one of/],
])('%j is answered by a sentence', (options, sentence) => {
  expect(read(options)).toMatchObject({ kind: 'error', message: expect.stringMatching(sentence) });
});

test.each([
  ['30s', 30],
  ['500ms', 0.5],
  ['1.5m', 90],
  ['1h', 3600],
  ['7', 7],
  ['', undefined],
  ['7 weeks', undefined],
])('%s is %s seconds', (text, seconds) => {
  expect(readSeconds(text)).toBe(seconds);
});

test('a record shows that there is a query, and not what it says', () => {
  expect(shownUrl({ origin: 'http://x', path: '/a?token=s3cret' })).toBe('http://x/a?…');
  expect(shownUrl({ origin: 'http://x', path: '/a' })).toBe('http://x/a');
});
