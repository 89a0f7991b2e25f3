/** How benches are asked for, and ended. That each runs whole is in bench.long.e2e.test.ts. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const root = fileURLToPath(new URL('../../', import.meta.url));
const bench = (...args: string[]) => spawnSync(process.execPath, ['harness/main.ts', 'bench', ...args], { cwd: root, encoding: 'utf8', timeout: 600_000 });

test('Ctrl-C ends a bench after what it is measuring, and says what that is worth', async () => {
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
