import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openLineLog } from './access-log.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'headroom-log-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test('every line is in the file at the end, those above the limit as a number', async () => {
  const file = join(folder, 'a.log');
  const log = openLineLog(file, 3000);
  for (let i = 0; i < 3005; i++) log.write(`{"line":${i},"rest":"${'x'.repeat(100)}"}`);
  await log.end();
  const lines = readFileSync(file, 'utf8').trimEnd().split('\n');
  expect(lines).toHaveLength(3001);
  expect([lines[2999], lines[3000]]).toEqual([expect.stringContaining('"line":2999'), '{"omittedLines":5}']);
});

test('a file that cannot be written costs the log and nothing else', async () => {
  const log = openLineLog(join(folder, 'missing', 'a.log'));
  log.write('{}');
  await log.end();
  const later = openLineLog(join(folder, 'missing', 'a.log'));
  await new Promise((resolve) => setImmediate(resolve));
  later.write('{}');
  await later.end();
});
