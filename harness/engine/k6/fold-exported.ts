/** The samples that pods, or a k6 run by hand, left beside an exported plan: one run again, with the ledger's bytes of all of them. */
import { createReadStream, existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CellFold } from '#harness/metrics/fold.ts';
import { EvennessFold } from '#harness/metrics/fold-evenness.ts';
import { planHash } from '#harness/pacing/plan-hash.ts';
import type { RunResult, SecondDelta } from '#harness/run-result.ts';
import type { Exported } from './export.ts';
import { SampleFold } from './sample-fold.ts';
import { type K6Sample, SampleReader } from './samples.ts';

export type FoldedExport = { readonly exported: Exported; readonly states: Uint8Array; readonly result: RunResult };

const lateAboveMs = 100;
/** Samples are handed over after this many, so that no more cells than of some seconds are open. */
const samplesADelta = 50_000;

export const isExported = (folder: string): boolean => existsSync(join(folder, 'plan.json'));

/** Rejects with a sentence. */
export async function foldExported(folder: string, operations: readonly string[]): Promise<FoldedExport> {
  const exported = JSON.parse(readFileSync(join(folder, 'plan.json'), 'utf8')) as Exported;
  const files = readdirSync(folder)
    .filter((name) => name.endsWith('.csv'))
    .map((name) => join(folder, name));
  if (files.length === 0) throw new Error(`${folder} has a plan and no samples: put the pods' .csv files beside plan.json`);
  const { plan, phases } = exported;
  const originWallMs = await beginOf(files, exported);
  const fold = new SampleFold({ plan, phases, operations, originWallMs, startMs: 0, lateAboveMs, hasOneClock: files.length === 1 });
  const cells = new CellFold();
  const evenness = new EvennessFold();
  const take = (delta: SecondDelta): void => {
    cells.add(delta);
    evenness.add(delta.evenness);
  };
  let samples = 0;
  for (const file of files) {
    await readSamples(file, (sample) => {
      fold.add(sample);
      if (++samples % samplesADelta === 0) take(fold.takeDelta(0));
    });
  }
  take(fold.finish());
  const result = resultOf({ folder, exported, originWallMs, processes: files.length });
  return {
    exported,
    states: fold.states,
    result: {
      ...result,
      cells: cells.cells(),
      evenness: evenness.finish(phases.map(({ name }) => name)),
      k6: { processes: files.length, droppedIterations: fold.dropped, unaccountedIterations: fold.unaccounted },
    },
  };
}

async function readSamples(file: string, onSample: (sample: K6Sample) => void): Promise<void> {
  const reader = new SampleReader(onSample);
  for await (const text of createReadStream(file, 'latin1')) reader.push(text as string);
}

/** When the first of the pods began the first phase, by its wall clock. */
async function beginOf(files: readonly string[], { plan }: Exported): Promise<number> {
  let begin = Number.POSITIVE_INFINITY;
  for (const file of files) {
    await readSamples(file, (sample) => {
      if (sample.kind !== 'request') return;
      const phase = plan.phases.findLast(({ firstArrival }) => firstArrival <= sample.arrival);
      begin = Math.min(begin, sample.phaseStartMs - (phase?.startMs ?? 0));
    });
  }
  if (begin === Number.POSITIVE_INFINITY) throw new Error(`${files.join(', ')}: not one sample of the script`);
  return begin;
}

type Resulting = { readonly folder: string; readonly exported: Exported; readonly originWallMs: number; readonly processes: number };

function resultOf({ folder, exported: { plan, phases, scenario }, originWallMs, processes }: Resulting): RunResult {
  const unknown = 'not known';
  return {
    version: 1,
    run: {
      id: folder.split('/').at(-1) ?? folder,
      run: plan.run,
      startedAt: new Date(originWallMs).toISOString(),
      scenario,
      seed: plan.seed,
      planHash: planHash({ seed: plan.seed, devices: plan.deviceCount, phases, chains: plan.chains, thinkTimes: plan.thinkTimes }),
      gitRevision: unknown,
      runtime: 'k6',
      machine: { cpu: unknown, cores: processes, memoryBytes: 0, kernel: unknown },
      target: { url: plan.baseUrl, owned: false, durability: undefined, workers: undefined },
      engine: 'k6',
      wire: 'k6',
    },
    phases: plan.phases.map(({ name, startMs, durationMs, count }, index) => ({
      name,
      measured: phases[index]?.measured ?? false,
      startSeconds: startMs / 1000,
      endSeconds: (startMs + durationMs) / 1000,
      planned: count,
    })),
    cells: [],
    evenness: [],
    workers: [],
    processes: [],
    machine: [],
    scrapes: [],
    ledger: undefined,
    probe: undefined,
    calibration: [],
    pipelineDrainSeconds: undefined,
    limits: { descriptorsMax: undefined, descriptorsUsedMax: undefined, portsMax: undefined, portsUsedMax: undefined },
    interrupted: { kind: 'no' },
  };
}
