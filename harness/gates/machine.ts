/** Is the machine big enough for generator and service together? If not, a broken promise says nothing of the service. */
import type { PhaseRecord, RunResult } from '#harness/run-result.ts';
import { usedShareMax } from './noise.ts';
import { measurableSeconds } from './observe-single.ts';
import { sumsOfRole } from './process-sums.ts';
import { sumStreams } from './stream-samples.ts';
import type { Fault } from './validity.ts';
import { percent, shortNumber } from './wording.ts';

/** What the advised rate would use. */
const advisedShare = 0.8;
const busyShareMax = 0.95;
/** Of all cores' time: others, beyond what the kernel does for generator and service (disk, network) in its own name. */
const othersShareMin = 0.15;
/** Where the cores are this full, and the service's threads waited for one for this long in every second, it had less than it asked for. */
const crowdedShareMin = 0.85;
const waitedCoresMin = 0.5;

export type PhaseUse = {
  readonly phase: PhaseRecord;
  /** Share of all cores' time, 0 to 1. */
  readonly oursShare: number;
  readonly stolenShare: number;
  readonly busyShare: number | undefined;
  /** Threads of the service that could run and had no core, on average. */
  readonly waitedCores: number | undefined;
  /** Of requests; of frames where no request was fired. */
  readonly per: 'request' | 'frame';
  readonly microsPerOne: number;
  readonly onesPerSecond: number;
};

/** undefined where processor time is not measurable, or nothing was fired and no frame came. */
export function phaseUse(result: RunResult, index: number): PhaseUse | undefined {
  const phase = result.phases[index];
  if (phase === undefined) return undefined;
  const seconds = new Set<number>();
  for (let second = Math.ceil(phase.startSeconds); second + 1 <= phase.endSeconds; second++) seconds.add(second);
  const generator = measurableSeconds(result.processes, 'generator', seconds);
  const system = measurableSeconds(result.processes, 'system', seconds);
  const owned = result.processes.some((one) => one.role === 'system');
  const balancer = measurableSeconds(result.processes, 'balancer', seconds);
  const measured = new Set([...generator.keys()].filter((second) => !owned || system.has(second)));
  const inTime = (cell: { readonly second: number; readonly phase: number }): boolean => cell.phase === index && measured.has(cell.second);
  const fired = result.cells.filter(inTime).reduce((sum, { counts }) => sum + counts.fired, 0);
  const frames = sumStreams((result.streams?.cells ?? []).filter(inTime), 'frames');
  if (measured.size === 0 || fired + frames === 0) return undefined;
  const micros = [...measured].reduce((sum, second) => sum + (generator.get(second) ?? 0) + (system.get(second) ?? 0) + (balancer.get(second) ?? 0), 0);
  const machine = result.machine.filter((one) => seconds.has(one.second));
  return {
    phase,
    oursShare: micros / (measured.size * 1e6 * result.run.machine.cores),
    stolenShare: mean(machine.map((one) => one.stealShare)) ?? 0,
    busyShare: mean(machine.map((one) => one.busyShare)),
    waitedCores: mean([...sumsOfRole(result.processes, 'system', 'runQueueWaitMs')].filter(([second]) => seconds.has(second)).map(([, ms]) => ms / 1000)),
    per: fired > 0 ? 'request' : 'frame',
    microsPerOne: micros / (fired > 0 ? fired : frames),
    onesPerSecond: (fired > 0 ? fired : frames) / measured.size,
  };
}

function mean(values: readonly (number | undefined)[]): number | undefined {
  const known = values.filter((value) => value !== undefined);
  return known.length === 0 ? undefined : known.reduce((sum, value) => sum + value, 0) / known.length;
}

/** Of the phases in which something did not hold, the one that used most. */
export function machineFaults(result: RunResult, suspectPhases: ReadonlySet<number>): readonly Fault[] {
  const uses = [...suspectPhases].map((index) => phaseUse(result, index)).filter((use) => use !== undefined);
  const worst = uses.reduce<PhaseUse | undefined>((one, other) => (one === undefined || share(other) > share(one) ? other : one), undefined);
  if (worst === undefined) return [];
  const others = (worst.busyShare ?? 0) - worst.oursShare;
  if (share(worst) > usedShareMax || (isCrowded(worst) && others < othersShareMin)) return [tooSmall(worst, result.run.machine.cores)];
  if ((worst.busyShare ?? 0) <= busyShareMax || others < othersShareMin) return [];
  const text = `in phase ${worst.phase.name} this machine was ${percent(worst.busyShare ?? 0)} busy, and other programs had ${percent(others)} of it: run again when it is quiet`;
  return [{ code: 'machine-busy', text, voidsFailures: true }];
}

const isCrowded = ({ busyShare = 0, waitedCores = 0 }: PhaseUse): boolean => busyShare > crowdedShareMin && waitedCores > waitedCoresMin;

const share = (use: PhaseUse): number => use.oursShare + use.stolenShare;

function tooSmall(use: PhaseUse, cores: number): Fault {
  const byCores = ((1 - use.stolenShare) * cores * 1e6) / use.microsPerOne;
  const fits = Math.floor(advisedShare * (isCrowded(use) ? Math.min(byCores, use.onesPerSecond) : byCores));
  const stolen = use.stolenShare > 0.01 ? ` and the hypervisor took ${percent(use.stolenShare)}` : '';
  const all = isCrowded(use) ? ` (${percent(use.busyShare ?? 0)} were busy in all)` : '';
  const waited = isCrowded(use) ? `; the service's threads waited for a core for ${(use.waitedCores ?? 0).toFixed(1)} s of each second` : '';
  return {
    code: 'machine-too-small',
    text: `this machine is too small: in phase ${use.phase.name} generator and service used ${percent(use.oursShare)} of its ${cores} cores${all}${stolen}${waited}; ${shortNumber(use.microsPerOne)} µs a ${use.per}; a rate that fits is about ${shortNumber(fits)}/s${use.per === 'frame' ? ' of frames, so fewer streams or changes' : ''}`,
    voidsFailures: true,
  };
}
