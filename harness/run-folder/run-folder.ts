/** Writing, reading and making again. */
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { judge } from '#harness/gates/judge.ts';
import { type ParsedThreshold, parseThreshold } from '#harness/gates/threshold.ts';
import { junitXml } from '#harness/report/junit.ts';
import { summaryMarkdown } from '#harness/report/summary.ts';
import type { RunResult, Verdict } from '#harness/run-result.ts';
import { operations } from '#harness/target/operations.ts';
import { hdrLog } from './hdr-log.ts';

/** `2026-11-24T03-45-00-spike`: sorts by time, and is a file name everywhere. */
export const runFolderName = (startedAt: Date, scenario: string): string => `${startedAt.toISOString().slice(0, 19).replaceAll(':', '-')}-${scenario}`;

async function write(folder: string, name: string, text: string): Promise<void> {
  const temporary = join(folder, `.${name}.part`);
  await writeFile(temporary, text);
  await rename(temporary, join(folder, name));
}

export async function writeRun(folder: string, result: RunResult, verdict: Verdict): Promise<void> {
  await mkdir(folder, { recursive: true });
  const { run, version, ...series } = result;
  await write(folder, 'run.json', `${JSON.stringify({ version, run }, undefined, 2)}\n`);
  await write(folder, 'series.json', `${JSON.stringify({ version, ...series })}\n`);
  await writeDerived(folder, result, verdict);
}

async function writeDerived(folder: string, result: RunResult, verdict: Verdict): Promise<void> {
  await write(folder, 'verdict.json', `${JSON.stringify(verdict, undefined, 2)}\n`);
  await write(folder, 'latency.hdr', hdrLog(result));
  await write(folder, 'summary.md', summaryMarkdown(result, verdict));
  await write(folder, 'junit.xml', junitXml(result, verdict));
}

/** Throws a sentence that names the file and what is wrong with it. */
export async function readRun(folder: string): Promise<RunResult> {
  const head = await readPart(folder, 'run.json');
  const series = await readPart(folder, 'series.json');
  if (typeof head.run !== 'object' || head.run === null) throw new Error(`${join(folder, 'run.json')} has no "run"`);
  if (!Array.isArray(series.cells) || !Array.isArray(series.phases)) throw new Error(`${join(folder, 'series.json')} has no "cells" or no "phases"`);
  return { ...series, run: head.run } as unknown as RunResult;
}

async function readPart(folder: string, name: string): Promise<Record<string, unknown>> {
  const path = join(folder, name);
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch {
    throw new Error(`${path} cannot be read; is ${folder} the folder of a run, as printed at its end?`);
  }
  let parsed: Record<string, unknown>;
  try {
    parsed = JSON.parse(text) as Record<string, unknown>;
  } catch {
    throw new Error(`${path} is not whole: its JSON ends early or was changed by hand`);
  }
  if (parsed.version !== 1) throw new Error(`${path} is of version ${String(parsed.version)}, and this Headroom reads version 1`);
  return parsed;
}

/** Judges again and writes every report again; gives the verdict. */
export async function writeReports(folder: string): Promise<Verdict> {
  const result = await readRun(folder);
  const verdict = judge(result, thresholdsOf(result));
  await writeDerived(folder, result, verdict);
  return verdict;
}

function thresholdsOf({ run: { scenario } }: RunResult): readonly ParsedThreshold[] {
  const names = { phases: scenario.phases.map(({ name }) => name), operations: operations.map(({ name }) => name) };
  return scenario.thresholds.map((threshold) => {
    const parsed = parseThreshold(threshold, names);
    if (parsed.kind !== 'ok') throw new Error(`the run's threshold ${threshold.metric} ${threshold.expression} is not understood by this Headroom`);
    return parsed.threshold;
  });
}
