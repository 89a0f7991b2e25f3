/** Nothing that a run started outlives it, however it ends. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';

const root = fileURLToPath(new URL('../', import.meta.url));
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'headroom-stops-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Parent by process, of all that run now. */
function parents(): Map<number, number> {
  const found = new Map<number, number>();
  for (const name of readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))) {
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
      const [state, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ') as [string, string];
      if (state !== 'Z') found.set(Number(name), Number(parent));
    } catch {
      // Ended between the listing and the reading.
    }
  }
  return found;
}

function descendants(pid: number): readonly number[] {
  const table = parents();
  const found = [pid];
  for (let i = 0; i < found.length; i++) for (const [child, parent] of table) if (parent === found[i]) found.push(child);
  return found.slice(1);
}

type Running = { readonly child: ChildProcess; readonly ended: Promise<number | null>; readonly others: readonly number[] };

/** A run that has begun to drive load, and every process that belongs to it. */
async function startRun(scenario: string): Promise<Running> {
  const child = spawn(process.execPath, ['harness/main.ts', 'scenario', scenario, `--out=${folder}`], { cwd: root, stdio: ['ignore', 'ignore', 'pipe'] });
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  await new Promise<void>((resolve) => {
    let text = '';
    child.stderr?.on('data', (chunk) => {
      text += chunk;
      if (/planned \d/.test(text)) resolve();
    });
  });
  return { child, ended, others: descendants(child.pid as number) };
}

const gone = (pids: readonly number[]): boolean => {
  const table = parents();
  return pids.every((pid) => !table.has(pid));
};

test.each([
  ['SIGKILL', ['SIGKILL'], [null]],
  ['SIGTERM', ['SIGTERM'], [130, 143, null]],
  ['a second Ctrl-C', ['SIGINT', 'SIGINT'], [130]],
  ['SIGKILL with a receiver of webhooks', ['SIGKILL'], [null], 'webhooks-smoke', 3],
  ['a second Ctrl-C with a receiver of webhooks', ['SIGINT', 'SIGINT'], [130], 'webhooks-smoke', 3],
] as const)(
  '%s: no process is left over',
  async (_, signals, codes, scenario: string = 'smoke', othersMin: number = 2) => {
    const { child, ended, others } = await startRun(scenario);
    expect(others.length).toBeGreaterThanOrEqual(othersMin);
    for (const signal of signals) {
      child.kill(signal);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    const code = await ended;
    expect(codes as readonly (number | null)[]).toContain(code);
    await expect.poll(() => gone(others), { timeout: 10_000, interval: 100 }).toBe(true);
  },
  40_000,
);
