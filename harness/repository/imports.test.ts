/** The import table is held by the linter; here it is held that the linter holds it. */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';

const root = fileURLToPath(new URL('../../', import.meta.url));

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'headroom-imports-'));
  for (const name of ['biome.json', '.gitignore']) cpSync(`${root}${name}`, join(folder, name));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** A file of its own tree under the repository's rules: one planted in this tree would be seen by whoever lints it meanwhile. */
function lint(path: string, source: string): { passes: boolean; said: string } {
  mkdirSync(join(folder, dirname(path)), { recursive: true });
  writeFileSync(join(folder, path), source);
  const args = [`${root}node_modules/@biomejs/biome/bin/biome`, 'lint', '--vcs-enabled=false', '--error-on-warnings', path];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: folder, encoding: 'utf8' });
  return { passes: status === 0, said: stdout + stderr };
}

const importing = (specifier: string): string => `import { planted } from '${specifier}';\n\nexport const used = planted;\n`;

test.each([
  ['harness/metrics/planted.ts', '../gates/judge.ts'],
  ['system/ingest/planted.ts', '../app.ts'],
  ['harness/topology/planted.ts', '#system/app.ts'],
  ['harness/drive-planted.ts', '#system/store/store.ts'],
  ['system/pipeline/planted.ts', '#harness/drive.ts'],
  ['system/pipeline/planted.ts', '#system/store/lmdb/lmdb-store.ts'],
  ['harness/pacing/planted.ts', 'node:fs'],
  ['harness/gates/planted.ts', 'node:fs'],
  ['dashboards/planted.ts', '#harness/metrics/prometheus-text.ts'],
  ['dashboards/planted.ts', '#system/telemetry/counts.ts'],
])('%s may not import %s', (path, specifier) => {
  const { passes, said } = lint(path, importing(specifier));
  expect(passes, said).toBe(false);
  expect(said).toContain('noRestrictedImports');
});

test.each([
  ['harness/topology/planted.ts', '#system/protocol/limits.ts'],
  ['harness/topology/planted.ts', './accounts.ts'],
  ['system/pipeline/planted.ts', '#system/store/store.ts'],
  ['dashboards/planted.ts', '#system/protocol/metric-names.ts'],
])('%s may import %s', (path, specifier) => {
  const { passes, said } = lint(path, importing(specifier));
  expect(passes, said).toBe(true);
});
