/** Finds a scenario by name or file and gives its value back, unchecked: `parseScenario` is the next step. */

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { offer } from '#harness/gates/nearest.ts';
import { messageOf } from '#harness/message-of.ts';
import { resolveOwnImports } from './own-imports.ts';
import { isRecord } from './scenario-schema.ts';

export const scenariosFolder = join(import.meta.dirname, '..', 'scenarios');

export type LoadedScenario = { readonly kind: 'ok'; readonly value: unknown; readonly source: string } | { readonly kind: 'error'; readonly message: string };

/** Names that can be given without a path, in alphabetical order. */
export function scenarioNames(folder = scenariosFolder): readonly string[] {
  const files = existsSync(folder) ? readdirSync(folder) : [];
  return files
    .filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts'))
    .map((file) => basename(file, '.ts'))
    .sort();
}

/** What has a slash, or ends in .ts or .json, is a file; anything else a name from scenarios/. */
export async function loadScenario(nameOrFile: string, folder = scenariosFolder): Promise<LoadedScenario> {
  if (/[/\\]|\.(ts|json)$/.test(nameOrFile)) return loadFile(resolve(nameOrFile), nameOrFile);
  const names = scenarioNames(folder);
  if (!names.includes(nameOrFile)) return { kind: 'error', message: `there is no scenario "${nameOrFile}"${offer(nameOrFile, names)}` };
  return loadFile(join(folder, `${nameOrFile}.ts`), nameOrFile);
}

async function loadFile(file: string, source: string): Promise<LoadedScenario> {
  if (!existsSync(file)) return { kind: 'error', message: `there is no file ${source}` };
  if (!/\.(ts|json)$/.test(file)) return { kind: 'error', message: `${source} is neither a .ts nor a .json file` };
  try {
    return { kind: 'ok', source, value: file.endsWith('.json') ? readJson(file) : await importDefault(file) };
  } catch (error) {
    return { kind: 'error', message: `${source} cannot be read: ${messageOf(error)}` };
  }
}

/** `$schema` is for the editor that it is written in. */
function readJson(file: string): unknown {
  const value: unknown = JSON.parse(readFileSync(file, 'utf8'));
  if (!isRecord(value)) return value;
  const { $schema: _, ...scenario } = value;
  return scenario;
}

async function importDefault(file: string): Promise<unknown> {
  resolveOwnImports();
  const exported: { readonly default?: unknown } = await import(pathToFileURL(file).href);
  if (exported.default === undefined) throw new Error('it has no default export; a scenario file says `export default defineScenario({ … })`');
  return exported.default;
}
