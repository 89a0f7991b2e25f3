/** Clients that three generators write from the service's own description do the whole round trip with it; and a linter finds nothing in it. */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { type ScratchService, startScratchService } from '#harness/topology/scratch-service.ts';
import type { RoundTrip } from './uses/round-trip.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const here = import.meta.dirname;
const ofHere = createRequire(join(here, 'generators', 'package.json'));

/** A package's program, wherever npm put it. */
function programOf(name: string, program: string): string {
  const found = ofHere.resolve.paths(name)?.map((folder) => join(folder, name));
  const manifest = found?.map((folder) => join(folder, 'package.json')).find((file) => canRead(file));
  if (manifest === undefined) throw new Error(`${name} is not there: npm ci`);
  const { bin } = ofHere(manifest) as { readonly bin: string | Readonly<Record<string, string>> };
  return join(dirname(manifest), typeof bin === 'string' ? bin : (bin[program] as string));
}

function canRead(file: string): boolean {
  try {
    ofHere(file);
    return true;
  } catch {
    return false;
  }
}

/** By the name of what uses it: how a generator is asked. */
const generators = {
  'openapi-fetch': {
    program: () => programOf('openapi-typescript', 'openapi-typescript'),
    args: (from: string, to: string) => [from, '-o', join(to, 'schema.d.ts')],
  },
  'hey-api': { program: () => programOf('@hey-api/openapi-ts', 'openapi-ts'), args: (from: string, to: string) => ['-i', from, '-o', to, '--silent'] },
  codegen: {
    program: () => programOf('openapi-typescript-codegen', 'openapi'),
    args: (from: string, to: string) => ['--input', from, '--output', to, '--client', 'fetch', '--useUnionTypes'],
  },
} as const;

let folder: string;
let service: ScratchService;
let description: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'headroom-clients-'));
  service = await startScratchService({ name: 'clients', twin: undefined });
  description = await (await fetch(`${service.service().url}/openapi.json`)).text();
  writeFileSync(join(folder, 'openapi.json'), description);
});
afterAll(async () => {
  await service?.stop();
  rmSync(folder, { recursive: true, force: true });
});

const compilerOptions = {
  target: 'es2024',
  lib: ['es2024', 'dom', 'dom.iterable'],
  module: 'esnext',
  moduleResolution: 'bundler',
  types: [],
  strict: true,
  skipLibCheck: true,
  noEmit: true,
  allowImportingTsExtensions: true,
  paths: { 'openapi-fetch': [join(root, 'node_modules', 'openapi-fetch')] },
};

/** The use of a generated client, type-checked against it, as one module. */
async function clientOf(name: keyof typeof generators): Promise<RoundTrip> {
  const own = join(folder, name);
  mkdirSync(join(own, 'uses', 'generated'), { recursive: true });
  cpSync(join(here, 'uses', 'round-trip.ts'), join(own, 'uses', 'round-trip.ts'));
  cpSync(join(here, 'uses', `${name}.ts`), join(own, 'uses', 'use.ts'));
  const { program, args } = generators[name];
  const node = (...words: readonly string[]): void => {
    const { status, stdout, stderr } = spawnSync(process.execPath, words, { cwd: own, encoding: 'utf8' });
    expect(status, `${stdout}${stderr}`).toBe(0);
  };
  node(program(), ...args(join(folder, 'openapi.json'), join(own, 'uses', 'generated')));
  writeFileSync(join(own, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['uses/use.ts'] }));
  node(join(root, 'node_modules', 'typescript', 'bin', 'tsc'), '-p', own);
  const outfile = join(own, 'client.mjs');
  await build({
    entryPoints: [join(own, 'uses', 'use.ts')],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    logLevel: 'error',
    nodePaths: [join(root, 'node_modules')],
  });
  return ((await import(pathToFileURL(outfile).href)) as { readonly roundTrip: RoundTrip }).roundTrip;
}

async function until<T>(ask: () => Promise<T | undefined>): Promise<T> {
  return (await vi.waitUntil(ask, { timeout: 120_000, interval: 50 })) as T;
}

test.each(Object.keys(generators) as (keyof typeof generators)[])('the client of %s compiles, and does the whole round trip', async (name) => {
  const roundTrip = await clientOf(name);
  const event = { id: `event-${name}`, type: 'activity', recorded_at: new Date().toISOString(), data: { value: 'walk' } } as const;
  const seen = await roundTrip({ baseUrl: service.service().url, account: service.accounts[0], device: `device-${name}`, event, until });
  expect(seen).toMatchObject({
    accepted: 1,
    eventId: event.id,
    itemData: { title: 'Home' },
    version: 1,
    unchangedStatus: 304,
    durability: 'fsync',
    problemCode: 'not-found',
  });
  const frames = seen.frames.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line) as { readonly t: string; readonly d?: unknown }]));
  expect(frames.find(({ t }) => t === 'put')?.d).toEqual({ title: 'Home' });
});

/** As far as it is asked. */
type Linter = {
  readonly createConfig: (rules: { readonly extends: readonly string[] }) => Promise<object>;
  readonly lintFromString: (asked: { readonly source: string; readonly config: object }) => Promise<readonly LintProblem[]>;
};
type LintProblem = { readonly ruleId: string; readonly message: string; readonly location: readonly { readonly pointer?: string }[] };

test('Redocly’s recommended rules find no error and no warning', async () => {
  const { createConfig, lintFromString } = ofHere('@redocly/openapi-core') as Linter;
  const problems = await lintFromString({ source: description, config: await createConfig({ extends: ['recommended'] }) });
  expect(problems.map(({ ruleId, message, location }) => `${ruleId}: ${message} (${location[0]?.pointer})`)).toEqual([]);
});
