/** Rules as promtool sees them: read, and tried on services that break one promise each. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { requirePart } from '#harness/parts/find.ts';
import { breaking, type Case, minutes, sparing } from './alert-cases.ts';

const rulesFile = join(import.meta.dirname, 'prometheus/headroom-rules.yml');
const timeoutMs = 300_000;

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'headroom-rules-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function promtool(...args: readonly string[]): { readonly passes: boolean; readonly said: string } {
  const { status, stdout, stderr } = spawnSync(requirePart('promtool'), args, { encoding: 'utf8', timeout: timeoutMs });
  return { passes: status === 0, said: `${stdout}${stderr}` };
}

/** promtool's own test of the rules: at the end exactly these alerts fire. */
function trial({ name, seen, fires }: Case): object {
  return {
    name,
    interval: '1m',
    input_series: Object.entries(seen).map(([series, values]) => ({ series, values })),
    promql_expr_test: [
      {
        expr: 'count by (alertname) (ALERTS{alertstate="firing"})',
        eval_time: `${minutes - 1}m`,
        exp_samples: fires.map((alert) => ({ labels: `{alertname="${alert}"}`, value: 1 })),
      },
    ],
  };
}

function tryRules(cases: readonly Case[]) {
  const file = join(folder, 'trial.yml');
  writeFileSync(file, stringify({ rule_files: [rulesFile], evaluation_interval: '1m', tests: cases.map(trial) }));
  return promtool('test', 'rules', file);
}

test('promtool reads the rules and the configuration', () => {
  for (const args of [
    ['check', 'rules', rulesFile],
    ['check', 'config', join(import.meta.dirname, 'prometheus/prometheus.yml')],
  ]) {
    const { passes, said } = promtool(...args);
    expect(passes, said).toBe(true);
  }
});

test.each(Object.entries(breaking))('%s fires when its promise breaks, and nothing fires that has not broken', (name, cases) => {
  const { passes, said } = tryRules(cases.map((one) => ({ ...one, name })));
  expect(passes, said).toBe(true);
});

test('nothing fires on a service that keeps its promises', () => {
  const { passes, said } = tryRules(sparing.map((one) => ({ ...one, fires: [] })));
  expect(passes, said).toBe(true);
});

test('a trial that expects another alert fails', () => {
  const { passes, said } = tryRules([{ ...(sparing[0] as (typeof sparing)[0]), fires: ['HeadroomDown'] }]);
  expect(passes).toBe(false);
  expect(said).toContain('HeadroomDown');
});
