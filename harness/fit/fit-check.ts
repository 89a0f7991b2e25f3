/** Looks on while a run warms up, and says the sentence that ends it where this machine clearly cannot hold the plan. */
import type { ArrivalPhase } from '#harness/pacing/plan.ts';
import { peakPerSecond } from '#harness/pacing/rate.ts';
import type { Cell, MachineSecond } from '#harness/run-result.ts';
import { cannotHoldText } from './unfit-text.ts';
import { type Holding, isSteady, judgeBacklog, judgeCost, judgeWarmUp, type WarmUpSecond, warmUpSeconds } from './warm-up.ts';

export type FitCheckInput = {
  /** What to type where it cannot. */
  readonly next: string;
  readonly phases: readonly ArrivalPhase[];
  /** Cores that generator and service may use together, and all that `/proc/stat` counts. */
  readonly cores: number;
  readonly coresOfMachine: number;
  /** False where something beside requests costs processor time: listeners, receivers. */
  readonly requestsAlone: boolean;
};

export type FitSeen = {
  readonly phase: number;
  readonly startMs: number;
  readonly nowMs: number;
  readonly cells: () => readonly Cell[];
  /** Of generator and service in the last second; undefined: not measurable. */
  readonly oursCores: number | undefined;
  readonly machine: MachineSecond | undefined;
  /** The warm-up ends now. */
  readonly over: boolean;
};

/** Asked once a second of every phase; undefined: go on. */
export type FitCheck = (seen: FitSeen) => string | undefined;

/** Workers hand a second over once it is past. */
const handedOverMs = 1500;
/** Of all cores' time: beyond it others are not just the machine's own housekeeping. */
const othersShareMin = 0.15;
const costSeconds = 3;

/** Other programs and the hypervisor, in cores. */
function othersCores({ oursCores, machine }: FitSeen, coresOfMachine: number): number {
  if (oursCores === undefined || machine?.busyShare === undefined) return 0;
  return Math.max(0, machine.busyShare * coresOfMachine - oursCores);
}

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

export function createFitCheck(input: FitCheckInput): FitCheck {
  const { phases, cores, coresOfMachine } = input;
  const firstMeasured = phases.findIndex(({ measured }) => measured);
  const used: (number | undefined)[] = [];
  let others: number[] = [];
  let current = -1;
  return (seen) => {
    const phase = phases[seen.phase];
    // What comes once the measuring has begun may be the very overload that is measured.
    if (phase === undefined || seen.phase >= firstMeasured) return undefined;
    if (current !== seen.phase) {
      current = seen.phase;
      others = [];
    }
    used.push(seen.oursCores);
    others.push(othersCores(seen, coresOfMachine));
    const recent = others.slice(-costSeconds);
    const seconds = warmUpSeconds({
      phase,
      startMs: seen.startMs,
      cells: seen.cells().filter((cell) => cell.phase === seen.phase),
      untilSecond: (seen.nowMs - handedOverMs) / 1000,
    });
    const beside = { besideOthers: mean(recent) > othersShareMin * coresOfMachine };
    const judged = [judgeWarmUp(seconds, beside)];
    if (seen.over) judged.push(judgeBacklog(seconds, beside), costOf(input, { seen, seconds, used: used.slice(-costSeconds) }));
    const cannot = judged.find(({ kind }) => kind === 'cannot');
    if (cannot?.kind !== 'cannot') return undefined;
    const planned = Math.max(...phases.map(peakPerSecond));
    return cannotHoldText({ next: input.next, heldPerSecond: cannot.heldPerSecond, plannedPerSecond: planned, cores, othersCores: mean(recent) });
  };
}

type Spent = { readonly seen: FitSeen; readonly seconds: readonly WarmUpSecond[]; readonly used: readonly (number | undefined)[] };

function costOf({ phases, cores, requestsAlone }: FitCheckInput, { seen, seconds, used }: Spent): Holding {
  const known = used.filter((value) => value !== undefined);
  const last = seconds.slice(-costSeconds);
  if (!requestsAlone || known.length < costSeconds || last.length < costSeconds) return { kind: 'holds' };
  const rates = last.map(({ planned }) => planned);
  if (!isSteady(rates)) return { kind: 'holds' };
  const answered = mean(last.map((second) => second.answered));
  return judgeCost({ phases, warmUp: seen.phase, requestsPerSecond: answered, coresUsed: mean(known), cores });
}
