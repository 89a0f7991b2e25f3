import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';
import { loadScenario } from './scenario-load.ts';

const folder = mkdtempSync(join(tmpdir(), 'headroom-scenarios-'));
afterAll(() => rmSync(folder, { recursive: true }));

const module = fileURLToPath(new URL('./scenario-load.ts', import.meta.url));
const file = (name: string, content: string): string => {
  writeFileSync(join(folder, name), content);
  return join(folder, name);
};

test('a file outside the repository imports from it as those inside do', () => {
  const outside = file(
    'mine.ts',
    `import { defineScenario } from '#harness/scenario.ts';
import { limits } from '#system/protocol/limits.ts';
export default defineScenario({ name: 'mine', description: String(limits.heartbeatMsMin > 0) } as never);
`,
  );
  // Not in here, where the test runner has an own way to resolve a name.
  const code = `const { loadScenario } = await import('${module}'); console.log(JSON.stringify(await loadScenario('${outside}')));`;
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', code], { encoding: 'utf8' });
  expect(JSON.parse(stdout), stderr).toMatchObject({ kind: 'ok', value: { name: 'mine', description: 'true' } });
});

test('a JSON file may name the schema for its editor', async () => {
  const named = file('mine.json', '{"$schema":"./scenario.schema.json","name":"mine"}');
  expect(await loadScenario(named)).toEqual({ kind: 'ok', source: named, value: { name: 'mine' } });
});
