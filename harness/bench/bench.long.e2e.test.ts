/** Each bench runs whole, if short: what it measures in a second is worth nothing, that it measures at all is. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { benchNames } from './command.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const bench = (...args: string[]) => spawnSync(process.execPath, ['harness/main.ts', 'bench', ...args], { cwd: root, encoding: 'utf8', timeout: 600_000 });

/** They search for what the machine holds and drive it for minutes: on a busy or slow one they end with a sentence instead of figures. */
const takeTheMachine = new Set(['noisy-verdicts', 'spike-cost']);

test.each(benchNames.filter((name) => !takeTheMachine.has(name)))(
  '%s ends with one line of figures and bars, and an exit code that follows the bars',
  (name) => {
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
  },
);
