/** A run of which nothing was measured, since what it was to load did not answer or did not start: it leaves reports that say so. */
import type { RunOptions } from '#harness/command/run-options.ts';
import { judge } from '#harness/gates/judge.ts';
import type { LiveView } from '#harness/live/live.ts';
import { messageOf } from '#harness/message-of.ts';
import { writeRun } from '#harness/run-folder/run-folder.ts';
import type { RunResult, Verdict } from '#harness/run-result.ts';
import { InterruptedError } from './interrupted-error.ts';
import { phasesFor } from './run-phases.ts';
import { recordOf } from './run-record.ts';
import { UsageError } from './usage-error.ts';

export class UnmeasuredError extends Error {
  override readonly name = 'UnmeasuredError';
}

/** What is done to reach the service before any load. What was wrong with the command, and the user's own end, are no trouble of the service. */
export async function reaching<T>(reach: () => Promise<T>): Promise<T> {
  try {
    return await reach();
  } catch (error) {
    if (error instanceof UsageError || error instanceof InterruptedError || error instanceof TypeError) throw error;
    throw new UnmeasuredError(messageOf(error), { cause: error });
  }
}

type Unmeasured = {
  readonly options: RunOptions;
  readonly folder: string;
  readonly startedAt: Date;
  readonly view: LiveView;
};

/** The verdict on it, which is said and stands in every report of the folder. */
export async function reportUnmeasured(error: UnmeasuredError, { options, folder, startedAt, view }: Unmeasured): Promise<Verdict> {
  const url = options.target?.url ?? options.request?.origin;
  const target = url === undefined ? undefined : { ...unknownTarget, url };
  const phases = phasesFor(options.scenario, options.engine);
  const run = recordOf({ options, folder, startedAt, target, run: '', phases, wire: options.wire });
  const result: RunResult = { ...nothing, run, interrupted: { kind: 'unmeasured', text: error.message } };
  const verdict = judge(result, options.thresholds);
  await writeRun(folder, result, verdict);
  view.end(verdict, folder);
  return verdict;
}

const unknownTarget = { owned: false, durability: undefined, workers: undefined, nodes: 1, balancer: undefined };

const nothing = {
  version: 1,
  phases: [],
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
} as const;
