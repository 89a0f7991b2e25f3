/** Nothing that a run started outlives it, however it ends. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { childrenOf, isRunning } from './topology/processes.ts';

const root = fileURLToPath(new URL('../', import.meta.url));
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'headroom-stops-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const descendants = (pid: number): readonly number[] => childrenOf(pid).flatMap((child) => [child, ...descendants(child)]);

/** For the message where it stays. */
function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
  } catch {
    return `process ${pid}, which had ended by then`;
  }
}

/** `others`: their command by process. */
type Running = { readonly child: ChildProcess; readonly ended: Promise<number | null>; readonly others: ReadonlyMap<number, string> };

/** A run that has said this (by default: that it has begun to drive load), and every process that belongs to it. */
async function startRun(scenario: string, until = /planned \d/): Promise<Running> {
  const child = spawn(process.execPath, ['harness/main.ts', 'scenario', scenario, `--out=${folder}`], { cwd: root, stdio: ['ignore', 'ignore', 'pipe'] });
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  await new Promise<void>((resolve) => {
    let text = '';
    child.stderr?.on('data', (chunk) => {
      text += chunk;
      if (until.test(text)) resolve();
    });
  });
  return { child, ended, others: new Map(descendants(child.pid as number).map((pid) => [pid, commandOf(pid)])) };
}

const leftOf = (others: Running['others']): readonly string[] => [...others].flatMap(([pid, command]) => (isRunning(pid) ? [command] : []));

test.each([
  ['SIGKILL', ['SIGKILL'], [null]],
  ['SIGTERM', ['SIGTERM'], [130, 143, null]],
  ['a second Ctrl-C', ['SIGINT', 'SIGINT'], [130]],
  ['SIGKILL with a receiver of webhooks', ['SIGKILL'], [null], 'webhooks-smoke', 3],
  ['a second Ctrl-C with a receiver of webhooks', ['SIGINT', 'SIGINT'], [130], 'webhooks-smoke', 3],
] as const)('%s: no process is left over', async (_, signals, codes, scenario: string = 'smoke', othersMin: number = 2) => {
  const { child, ended, others } = await startRun(scenario);
  expect(others.size).toBeGreaterThanOrEqual(othersMin);
  for (const signal of signals) {
    child.kill(signal);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  const code = await ended;
  expect(codes as readonly (number | null)[]).toContain(code);
  await expect.poll(() => leftOf(others), { interval: 100 }).toEqual([]);
});

test('a terminal that was closed ends a run with its report, as a Ctrl-C does', async () => {
  const { child, ended, others } = await startRun('smoke');
  child.kill('SIGHUP');
  expect(await ended).toBe(130);
  const [run] = readdirSync(folder);
  expect(readFileSync(join(folder, run as string, 'summary.md'), 'utf8')).toContain('# smoke: interrupted');
  await expect.poll(() => leftOf(others), { timeout: 10_000, interval: 100 }).toEqual([]);
}, 120_000);

test('a Ctrl-C before the load is an interruption too, with a sentence', async () => {
  const { child, ended, others } = await startRun('smoke', /calibrating/);
  let said = '';
  child.stderr?.on('data', (chunk) => {
    said += chunk;
  });
  child.kill('SIGINT');
  expect(await ended).toBe(130);
  expect(said).toContain('stopped before anything was measured');
  await expect.poll(() => leftOf(others), { interval: 100 }).toEqual([]);
});
