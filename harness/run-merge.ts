/** Parts of a load, each from its own machine, as one run with one verdict: run folders, or a plan that was exported with its pods' samples. */

import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { request } from 'undici';
import type { MergeOptions } from '#harness/command/run-options.ts';
import { type FoldedExport, foldExported, isExported } from '#harness/engine/k6/fold-exported.ts';
import { judge } from '#harness/gates/judge.ts';
import { createLiveView } from '#harness/live/live.ts';
import { messageOf } from '#harness/message-of.ts';
import { parsePrometheusText } from '#harness/metrics/prometheus-text.ts';
import { writeEvidence } from '#harness/run-folder/evidence-file.ts';
import { mergeRuns } from '#harness/run-folder/merge-runs.ts';
import { makeRunFolder, readRun, runFolderName, thresholdsOf, writeRun } from '#harness/run-folder/run-folder.ts';
import type { RunResult, ScrapeSecond, Verdict } from '#harness/run-result.ts';
import { operations } from '#harness/target/operations.ts';
import { attachTarget } from './topology/target.ts';
import { UsageError } from './usage-error.ts';
import { verify } from './verify.ts';

/** Throws a UsageError where the folders are not parts of one load. */
export async function mergeFolders({ folders, target, out }: MergeOptions): Promise<Verdict> {
  const parts: RunResult[] = [];
  for (const folder of folders) parts.push(await readPart(resolve(folder), target));
  const merged = mergedOf(parts);
  const folder = makeRunFolder(resolve(out ?? 'reports'), `${runFolderName(new Date(), merged.run.scenario.name)}-merged`);
  const result: RunResult = { ...merged, run: { ...merged.run, id: folder.split('/').at(-1) ?? folder } };
  const verdict = judge(result, thresholdsOf(result));
  await writeRun(folder, result, verdict);
  const view = createLiveView({ stream: process.stderr, isTerminal: process.stderr.isTTY === true, columns: process.stderr.columns ?? 100, quiet: true });
  view.end(verdict, folder);
  view.close();
  return verdict;
}

function mergedOf(parts: readonly RunResult[]): RunResult {
  const [only] = parts;
  if (parts.length === 1 && only !== undefined) return only;
  try {
    return mergeRuns(parts);
  } catch (error) {
    throw new UsageError(messageOf(error));
  }
}

async function readPart(folder: string, target: MergeOptions['target']): Promise<RunResult> {
  if (existsSync(join(folder, 'run.json'))) return readRun(folder);
  if (!isExported(folder)) throw new UsageError(`${folder} is neither a run's folder nor an exported plan with its samples`);
  const folded = await foldExported(
    folder,
    operations.map(({ name }) => name),
  );
  return target === undefined ? folded.result : withLedger(folder, folded, target);
}

/** Nothing has read back yet what the pods had acknowledged. */
async function withLedger(folder: string, { exported, states, result }: FoldedExport, named: NonNullable<MergeOptions['target']>): Promise<RunResult> {
  const target = await attachTarget(named);
  const { scenario, phases, plan } = exported;
  const scrapes = [await scrape(target.url)];
  const { ledger, evidence } = await verify({
    driven: { outcome: { states }, probe: undefined, streams: undefined, watched: { scrapes } },
    target,
    run: plan.run,
    scenario,
    seed: plan.seed,
    phases,
    listening: undefined,
  });
  await writeEvidence(folder, 'events', evidence);
  return { ...result, scrapes, ledger };
}

async function scrape(url: string): Promise<ScrapeSecond> {
  const answer = await request(`${url}/metrics`);
  const text = await answer.body.text();
  const ok = answer.statusCode === 200;
  return { second: 0, ok, values: ok ? parsePrometheusText(text) : {} };
}
