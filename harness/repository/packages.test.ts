/** What a command loads is there without the packages that only tests need. */
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const root = fileURLToPath(new URL('../../', import.meta.url));
const { dependencies } = JSON.parse(readFileSync(`${root}package.json`, 'utf8')) as { readonly dependencies: Readonly<Record<string, string>> };

/** Every file that another one names, whether it imports, forks or loads it later, and every package that one of them imports. */
function reachableFrom(entries: readonly string[]): { readonly files: ReadonlySet<string>; readonly packages: ReadonlyMap<string, string> } {
  const files = new Set<string>();
  const packages = new Map<string, string>();
  const open = [...entries];
  for (let file = open.pop(); file !== undefined; file = open.pop()) {
    if (files.has(file)) continue;
    files.add(file);
    // What is only a type is gone before the file runs.
    const source = readFileSync(join(root, file), 'utf8').replaceAll(/^(import|export) type [\s\S]*?;$/gm, '');
    for (const [, name = ''] of source.matchAll(/'#((?:harness|system)\/[\w./-]+\.ts)'/g)) open.push(name);
    for (const [, name = ''] of source.matchAll(/'(\.\/[\w./-]+\.ts)'/g)) open.push(join(dirname(file), name));
    for (const [, name = ''] of source.matchAll(/(?:\bfrom |\bimport |\bimport\()'((?:@[\w-]+\/)?[a-z][\w-]*)(?:\/[\w./-]*)?'/g)) packages.set(name, file);
  }
  return { files, packages };
}

test('every command, the service and the dashboards load after npm ci --omit=dev', () => {
  const { files, packages } = reachableFrom(['harness/main.ts', 'system/main.ts', 'dashboards/write.ts']);
  for (const file of ['harness/run.ts', 'harness/conformance/rules.ts', 'harness/fuzz/values.ts', 'harness/engine/probe/probe-process.ts']) {
    expect([...files]).toContain(file);
  }
  expect([...packages].filter(([name]) => dependencies[name] === undefined)).toEqual([]);
});
