import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { expect, test } from 'vitest';
import { scenarioJsonSchema } from './scenario-json-schema.ts';
import { loadScenario, scenarioNames, scenariosFolder } from './scenario-load.ts';

const published = JSON.parse(readFileSync(join(scenariosFolder, 'scenario.schema.json'), 'utf8')) as object;
const isScenario = new Ajv2020({ strict: true, allErrors: true }).compile(published);

test('what is published is the schema by which scenarios are checked: npx headroom scenario schema > scenarios/scenario.schema.json', () => {
  expect(published).toEqual(JSON.parse(JSON.stringify(scenarioJsonSchema)));
});

/** Names of all properties, at any depth. */
function fieldsOf(node: unknown): readonly string[] {
  if (typeof node !== 'object' || node === null) return [];
  const own = Object.keys((node as { readonly properties?: object }).properties ?? {});
  return [...own, ...Object.values(node).flatMap(fieldsOf)];
}

test('scenarios/README.md names every field of a scenario', () => {
  const readme = readFileSync(join(scenariosFolder, 'README.md'), 'utf8');
  const named = new Set([...readme.matchAll(/`[^`]*`|\*\*[^*]*\*\*/g)].flatMap(([text]) => text.match(/[$\w]+/g) ?? []));
  expect([...new Set(fieldsOf(published))].filter((field) => !named.has(field))).toEqual([]);
});

test.each(scenarioNames())('%s is valid by it', async (name) => {
  const loaded = await loadScenario(name);
  const value = loaded.kind === 'ok' ? loaded.value : undefined;
  expect(isScenario(value) ? [] : isScenario.errors).toEqual([]);
  expect(isScenario({ ...(value as object), $schema: './scenario.schema.json' })).toBe(true);
  expect(isScenario({ ...(value as object), fleat: {} })).toBe(false);
  expect(isScenario({ ...(value as object), phases: [{ name: 'load' }] })).toBe(false);
});
