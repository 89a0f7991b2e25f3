import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { requirePart } from '#harness/parts/find.ts';
import type { Verdict } from '#harness/run-result.ts';
import { createAccount } from '#harness/topology/accounts.ts';
import { type Service, startService } from '#harness/topology/service-process.ts';
import { segmentOf } from './k6-process.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const schemas = fileURLToPath(new URL('./schemas/{{.ResourceKind}}.json', import.meta.url));

let folder: string;
let service: Service | undefined;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'headroom-export-'));
});
afterEach(async () => {
  await service?.stop();
  service = undefined;
  rmSync(folder, { recursive: true, force: true });
});

const headroom = (...args: readonly string[]) => spawnSync(process.execPath, ['harness/main.ts', ...args], { cwd: root, encoding: 'utf8' });

/** So few that no pod runs out of VUs on a machine that others use. */
const slower = ['--set', 'phases.warm-up.rate.ratePerSecond=25', '--set', 'phases.load.rate.ratePerSecond=50'];

async function startTarget(): Promise<readonly string[]> {
  service = await startService({ workers: 1, folder: join(folder, 'data') });
  const accounts = [];
  for (let i = 0; i < 2; i++) accounts.push(await createAccount(service.adminUrl, service.adminToken, `fleet-${i}`));
  writeFileSync(join(folder, 'credentials.json'), JSON.stringify(accounts));
  return [`--target=${service.url}`, `--credentials=${join(folder, 'credentials.json')}`];
}

/** As a pod of the operator does it: its segment, its own file. */
function runPod(index: number, exported: string): Promise<number | null> {
  const { segment, sequence } = segmentOf(index, 2);
  const args = ['run', '--quiet', '--execution-segment', segment, '--execution-segment-sequence', sequence, '--no-thresholds', '--no-usage-report', 'smoke.js'];
  const env = { ...process.env, K6_OUT: `csv=pod-${index}.csv`, K6_CSV_TIME_FORMAT: 'unix_micro' };
  const child = spawn(requirePart('k6'), args, { cwd: exported, env, stdio: 'ignore' });
  return new Promise((resolve) => child.once('close', resolve));
}

test('two pods of an exported scenario share its arrivals, and their samples merge into one verdict that was read back', async () => {
  const at = await startTarget();
  const { status, stdout, stderr } = headroom('scenario', 'export', 'smoke', '--to', 'k6', ...at, ...slower, '--out', folder);
  expect(status, stderr).toBe(0);
  const exported = join(folder, 'k6-smoke');
  expect(stdout).toContain(join(exported, 'smoke.js'));
  expect(readFileSync(join(exported, 'README.md'), 'utf8')).toMatch(/k6 run --out csv=samples\.csv .*smoke\.js/);
  expect(await Promise.all([runPod(0, exported), runPod(1, exported)])).toEqual([0, 0]);
  const merged = headroom('report', 'merge', exported, ...at, '--out', join(folder, 'reports'));
  const [name = ''] = readdirSync(join(folder, 'reports'));
  const verdict = JSON.parse(readFileSync(join(folder, 'reports', name, 'verdict.json'), 'utf8')) as Verdict;
  expect(merged.status, merged.stderr).toBe(verdict.exitCode);
  // Beside other programs arrivals may be late; none may be shared, missing or lost.
  expect([0, 3], merged.stderr).toContain(verdict.exitCode);
  expect(verdict.totals).toMatchObject({ planned: 250, fired: 250, acknowledged: 250, lost: 0, duplicated: 0 });
});

test('manifests for the operator are what its resources have, and one that is not is found', async () => {
  const { status, stderr } = headroom('scenario', 'export', 'smoke', '--to', 'k6-operator', '--parallelism', '4', '--out', folder);
  expect(status, stderr).toBe(0);
  const exported = join(folder, 'k6-operator-smoke');
  const check = (...files: readonly string[]) =>
    spawnSync(requirePart('kubeconform'), ['-strict', '-schema-location', schemas, ...files], { cwd: exported, encoding: 'utf8' });
  const good = check('configmap.json', 'testrun.json');
  expect(good.status, good.stdout + good.stderr).toBe(0);
  const testRun = JSON.parse(readFileSync(join(exported, 'testrun.json'), 'utf8')) as { spec: Record<string, unknown> };
  expect(testRun.spec).toMatchObject({ parallelism: 4, script: { configMap: { name: 'headroom-smoke', file: 'smoke.js' } } });
  writeFileSync(join(exported, 'wrong.json'), JSON.stringify({ ...testRun, spec: { ...testRun.spec, paralelism: 4 } }));
  const wrong = check('wrong.json');
  expect(wrong.status).toBe(1);
  expect(wrong.stdout).toContain('paralelism');
});

test('what cannot be exported or merged is a usage error', () => {
  expect(headroom('scenario', 'export', 'streams-smoke').status).toBe(2);
  expect(headroom('scenario', 'export').status).toBe(2);
  expect(headroom('report', 'merge', folder).status).toBe(2);
});
