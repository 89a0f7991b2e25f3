import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { operations } from '#harness/target/operations.ts';
import { exportVerb } from './export-verb.ts';
import type { ScenarioArguments } from './scenario-verb.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'export-verb-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const given: ScenarioArguments = { name: 'export', exported: 'smoke', seed: 7, set: [], repeat: 1, quiet: false, json: false };

/** How long the exported phases take, of `smoke` on a clock ten times as fast. */
async function exportedMs(args: Partial<ScenarioArguments>): Promise<readonly number[]> {
  const around = {
    say: { out: () => undefined, err: () => undefined },
    operationNames: async () => operations.map(({ name }) => name),
    runScenario: () => Promise.reject(new Error('an export runs nothing')),
    findFit: () => Promise.reject(new Error('an export fits nothing')),
  };
  expect(await exportVerb({ ...given, set: ['clock.scale=10'], out: folder, ...args }, around)).toBe(0);
  const { plan } = JSON.parse(readFileSync(join(folder, 'k6-smoke', 'plan.json'), 'utf8')) as { plan: { phases: readonly { durationMs: number }[] } };
  return plan.phases.map(({ durationMs }) => durationMs);
}

test('--full-time takes the clock back in what is exported too', async () => {
  expect(await exportedMs({})).toEqual([200, 400]);
  expect(await exportedMs({ fullTime: true })).toEqual([2000, 4000]);
});
