/** Writing, reading and making again. */
import { mkdirSync } from 'node:fs';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { judge } from '#harness/gates/judge.ts';
import { type ParsedThreshold, parseThreshold } from '#harness/gates/threshold.ts';
import { indexHtml } from '#harness/report/index-html.ts';
import { junitXml } from '#harness/report/junit.ts';
import { summaryMarkdown } from '#harness/report/summary.ts';
import type { RunResult, Verdict } from '#harness/run-result.ts';
import { operations } from '#harness/target/operations.ts';
import { hdrLog } from './hdr-log.ts';
import { packCell } from './packed-cells.ts';
import { packScrapes } from './packed-scrapes.ts';
import { readPageAssets } from './page-assets.ts';
import { type PackedSeries, readRun } from './read-run.ts';

export { readRun };

/** `2026-11-24T03-45-00-spike`: sorts by time, and is a file name everywhere. */
export const runFolderName = (startedAt: Date, scenario: string): string => `${startedAt.toISOString().slice(0, 19).replaceAll(':', '-')}-${scenario}`;

/**
 * A folder that nobody else has, below `parent`: of runs that begin in the same second, even in different processes, the second one's
 * name ends in `-2`. Gives its path.
 */
export function makeRunFolder(parent: string, name: string): string {
  mkdirSync(parent, { recursive: true });
  for (let turn = 1; ; turn++) {
    const folder = join(parent, turn === 1 ? name : `${name}-${turn}`);
    try {
      mkdirSync(folder);
      return folder;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
  }
}

/** Whole or not at all: a reader sees the file as it was before, or as it is after. */
async function write(folder: string, name: string, text: string): Promise<void> {
  const temporary = join(folder, `.${name}.${process.pid}.part`);
  await writeFile(temporary, text);
  await rename(temporary, join(folder, name));
}

/**
 * What was measured comes first, with run.json at its end, since a folder that has run.json is a run; then what can be made again
 * from it. So a report that cannot be made loses no measurement.
 */
export async function writeRun(folder: string, result: RunResult, verdict: Verdict): Promise<void> {
  await mkdir(folder, { recursive: true });
  const { run, version, cells, streams, webhooks, scrapes, ...rest } = result;
  const series: PackedSeries = {
    version,
    ...rest,
    cells: cells.map((cell) => packCell(cell)),
    ...(streams === undefined ? {} : { streams: { ...streams, cells: streams.cells.map((cell) => packCell(cell)) } }),
    ...(webhooks === undefined ? {} : { webhooks: { ...webhooks, cells: webhooks.cells.map((cell) => packCell(cell)) } }),
  };
  await write(folder, 'series.json', `${JSON.stringify(series)}\n`);
  await write(folder, 'scrapes.json', `${JSON.stringify({ version, ...packScrapes(scrapes) })}\n`);
  await write(folder, 'run.json', `${JSON.stringify({ version, run }, undefined, 2)}\n`);
  await writeDerived(folder, result, verdict);
}

async function writeDerived(folder: string, result: RunResult, verdict: Verdict): Promise<void> {
  await write(folder, 'verdict.json', `${JSON.stringify(verdict, undefined, 2)}\n`);
  await write(folder, 'summary.md', summaryMarkdown(result, verdict));
  await write(folder, 'junit.xml', junitXml(result, verdict));
  await write(folder, 'latency.hdr', hdrLog(result));
  await write(folder, 'index.html', indexHtml(result, verdict, await readPageAssets()));
}

/** Judges again and writes every report again; gives the verdict. */
export async function writeReports(folder: string, judgeAgain: (result: RunResult) => Verdict = judgeByOwnThresholds): Promise<Verdict> {
  const result = await readRun(folder);
  const verdict = judgeAgain(result);
  await writeDerived(folder, result, verdict);
  return verdict;
}

const judgeByOwnThresholds = (result: RunResult): Verdict => judge(result, thresholdsOf(result));

/** The scenario's own, parsed. */
export function thresholdsOf({ run: { scenario } }: RunResult): readonly ParsedThreshold[] {
  const readers = scenario.streams?.readers.map(({ name }) => name) ?? [];
  const receivers = scenario.webhooks?.map(({ name }) => name) ?? [];
  const names = { phases: scenario.phases.map(({ name }) => name), operations: operations.map(({ name }) => name), readers, receivers };
  return scenario.thresholds.map((threshold) => {
    const parsed = parseThreshold(threshold, names);
    if (parsed.kind !== 'ok') throw new Error(`the run's threshold ${threshold.metric} ${threshold.expression} is not understood by this Headroom`);
    return parsed.threshold;
  });
}
