/** Reading a run back. What is wrong is said with the file's name and what to do about it. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Cell, RunResult, StreamCell, StreamsRecord, WebhookCell, WebhooksRecord } from '#harness/run-result.ts';
import { type Packed, unpackCell } from './packed-cells.ts';
import { type PackedScrapes, unpackScrapes } from './packed-scrapes.ts';

type Json = Readonly<Record<string, unknown>>;

/** What series.json holds. */
export type PackedSeries = Omit<RunResult, 'run' | 'scrapes' | 'cells' | 'streams' | 'webhooks'> & {
  readonly cells: readonly Packed<Cell>[];
  /** Only of runs with streams. */
  readonly streams?: Omit<StreamsRecord, 'cells'> & { readonly cells: readonly Packed<StreamCell>[] };
  /** Only of runs with receivers of webhooks. */
  readonly webhooks?: Omit<WebhooksRecord, 'cells'> & { readonly cells: readonly Packed<WebhookCell>[] };
};

/** Rejects with a sentence. */
export async function readRun(folder: string): Promise<RunResult> {
  const head = await readPart(folder, 'run.json', { run: 'object' });
  const series = await readPart(folder, 'series.json', { phases: 'array', cells: 'array', machine: 'array', processes: 'array', workers: 'array' });
  const scraped = await readPart(folder, 'scrapes.json', { seconds: 'array', ok: 'array', values: 'object' });
  const { cells, streams, webhooks, ...rest } = series as unknown as PackedSeries;
  return {
    ...rest,
    run: head.run as RunResult['run'],
    cells: cells.map((cell) => unpackCell(cell)),
    ...(streams === undefined ? {} : { streams: { ...streams, cells: streams.cells.map((cell) => unpackCell(cell)) } }),
    ...(webhooks === undefined ? {} : { webhooks: { ...webhooks, cells: webhooks.cells.map((cell) => unpackCell(cell)) } }),
    scrapes: unpackScrapes(scraped as unknown as PackedScrapes),
  };
}

async function readPart(folder: string, name: string, shape: Readonly<Record<string, 'object' | 'array'>>): Promise<Json> {
  const path = join(folder, name);
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') throw new Error(`${path} is missing: ${folder} is not the folder of a whole run; npm run report -- latest takes the last one`);
    throw new Error(`${path} cannot be read (${error.code ?? error.message})`);
  });
  const parsed = parseJson(path, text);
  if (parsed.version !== 1) {
    throw new Error(
      `${path} is of version ${String(parsed.version)}, and this Headroom reads version 1: use the Headroom that wrote it (run.json has its revision)`,
    );
  }
  for (const [key, kind] of Object.entries(shape)) {
    const value = parsed[key];
    if (typeof value !== 'object' || value === null || Array.isArray(value) !== (kind === 'array')) {
      throw new Error(`${path} has no "${key}" (${kind}): it was changed by hand, or is not what its name says; run the scenario again`);
    }
  }
  return parsed;
}

function parseJson(path: string, text: string): Json {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    throw new Error(`${path} is not whole (its JSON ends early or was changed by hand): take it from where it was copied, or run the scenario again`);
  }
  if (typeof parsed !== 'object' || parsed === null) throw new Error(`${path} holds no object: it is not a file of a run`);
  return parsed as Json;
}
