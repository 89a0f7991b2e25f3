/** Each bench runs whole, if short: what it measures in a second is worth nothing, that it measures at all is. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { benchNames } from './command.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const bench = (...args: string[]) => spawnSync(process.execPath, ['harness/main.ts', 'bench', ...args], { cwd: root, encoding: 'utf8', timeout: 120_000 });

test.each(benchNames)('%s ends with one line of figures and bars, and an exit code that follows the bars', { timeout: 130_000 }, (name) => {
  const { status, stdout, stderr } = bench(name, '--runs', '1', '--seconds', '5', '--json');
  expect([0, 1], stderr).toContain(status);
  const {
    name: said,
    figures,
    bars,
  } = JSON.parse(stdout) as { name: string; figures: Record<string, number | null>; bars: { value: number; holds: boolean }[] };
  expect(said).toBe(name);
  expect(Object.keys(figures).length).toBeGreaterThan(2);
  expect(bars.length).toBeGreaterThan(0);
  for (const { value } of bars) expect(value).toEqual(expect.any(Number));
  expect(status).toBe(bars.every(({ holds }) => holds) ? 0 : 1);
});

test('Ctrl-C ends a bench after what it is measuring, and says what that is worth', { timeout: 60_000 }, async () => {
  const child = spawn(process.execPath, ['harness/main.ts', 'bench', 'ingest', '--runs', '20', '--seconds', '1'], {
    cwd: root,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let text = '';
  child.stderr.on('data', (chunk) => {
    if (text === '') setTimeout(() => child.kill('SIGINT'), 1000);
    text += chunk;
  });
  const [code] = (await once(child, 'close')) as [number | null];
  expect([code, text]).toEqual([130, expect.stringMatching(/stopping when.*stopped: what was measured/s)]);
});

test('a bench that is not there, a number of rounds that cannot be, a length that cannot be: code 2 and a sentence', () => {
  const unknown = bench('generatr');
  expect([unknown.status, unknown.stderr]).toEqual([2, expect.stringContaining('did you mean "generator"')]);
  expect(bench('truth', '--runs', '0').status).toBe(2);
  expect(bench('truth', '--seconds', 'many').status).toBe(2);
});
