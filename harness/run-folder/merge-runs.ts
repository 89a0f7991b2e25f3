/**
 * Several runs of one scenario at once, each a part of the load from its own machine, as one: counts and histograms add up second by second of
 * a phase, ledgers add up, and what made one part untrustworthy is kept. Dispersions cannot be added and are left out. Pure.
 */
import { CellFold } from '#harness/metrics/fold.ts';
import type { Cell, EventSuspicions, FaultRecord, K6Record, LedgerRecord, PhaseRecord, RunResult } from '#harness/run-result.ts';

const examplesMax = 40;

/** Throws a sentence where they are not parts of one thing. */
export function mergeRuns(parts: readonly RunResult[]): RunResult {
  const [first, ...others] = parts;
  if (first === undefined) throw new Error('there is no run to merge');
  for (const other of others) checkSame(first, other);
  const shifts = parts.map((part) => shiftsOf(first.phases, part.phases));
  const shifted = parts.map((part, i) => ({ ...part, cells: part.cells.map((cell) => shiftCell(cell, shifts[i] ?? [])) }));
  const fold = new CellFold();
  for (const { cells } of shifted) fold.add({ cells, evenness: [] });
  const whole = (i: number): number => shifts[i]?.[0] ?? 0;
  return {
    ...first,
    run: { ...first.run, machine: { ...first.run.machine, cores: sum(parts.map(({ run }) => run.machine.cores)) } },
    phases: first.phases.map((phase, index) =>
      mergePhase(
        phase,
        parts.map(({ phases }) => phases[index] as PhaseRecord),
      ),
    ),
    cells: fold.cells(),
    evenness: [],
    workers: parts.flatMap((part, i) => part.workers.map((lag) => ({ ...lag, worker: i * 1000 + lag.worker, second: lag.second + whole(i) }))),
    processes: parts.flatMap((part, i) =>
      part.processes.map((one) => ({
        ...one,
        name: `${one.name} (${i + 1})`,
        seconds: one.seconds.map((second) => ({ ...second, second: second.second + whole(i) })),
      })),
    ),
    machine: parts.flatMap((part, i) => part.machine.map((second) => ({ ...second, second: second.second + whole(i) }))),
    ledger: mergeLedgers(parts),
    ...(parts.some(({ k6 }) => k6 !== undefined) ? { k6: mergeK6(parts) } : {}),
    calibration: parts.flatMap(({ calibration }) => calibration),
    pipelineDrainSeconds: parts.some((part) => part.pipelineDrainSeconds === undefined)
      ? undefined
      : Math.max(...parts.map((part) => part.pipelineDrainSeconds ?? 0)),
    ...(parts.some(({ faults }) => faults !== undefined) ? { faults: mergeFaults(parts, shifts) } : {}),
    limits: mergeLimits(parts.map(({ limits }) => limits)),
    interrupted: parts.map(({ interrupted }) => interrupted).find(({ kind }) => kind !== 'no') ?? first.interrupted,
  };
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

function checkSame(first: RunResult, other: RunResult): void {
  const names = ({ run, phases }: RunResult): string => [run.scenario.name, ...phases.map(({ name }) => name)].join(' ');
  if (names(first) !== names(other)) throw new Error(`${first.run.id} and ${other.run.id} are not parts of one run: ${names(first)} and ${names(other)}`);
  if (first.run.run === other.run.run) throw new Error(`${first.run.id} and ${other.run.id} are the same run`);
  if (first.streams !== undefined || other.streams !== undefined)
    throw new Error('runs with streams cannot be merged: what readers saw is compared within one run');
  if (first.webhooks !== undefined || other.webhooks !== undefined)
    throw new Error('runs with receivers of webhooks cannot be merged: what came is compared within one run');
}

/** Whole seconds to be added, of each phase: every run counts from its own origin. */
const shiftsOf = (first: readonly PhaseRecord[], phases: readonly PhaseRecord[]): readonly number[] =>
  phases.map((phase, index) => Math.round((first[index]?.startSeconds ?? 0) - phase.startSeconds));

const shiftCell = (cell: Cell, shifts: readonly number[]): Cell => ({ ...cell, second: cell.second + (shifts[cell.phase] ?? 0) });

function mergePhase(phase: PhaseRecord, parts: readonly PhaseRecord[]): PhaseRecord {
  const lengthSeconds = Math.max(...parts.map(({ startSeconds, endSeconds }) => endSeconds - startSeconds));
  return { ...phase, endSeconds: phase.startSeconds + lengthSeconds, planned: sum(parts.map(({ planned }) => planned)) };
}

/** Unknown where one part's is: a ledger with a hole proves nothing. */
function mergeLedgers(parts: readonly RunResult[]): LedgerRecord | undefined {
  const ledgers = parts.map(({ ledger }) => ledger);
  if (ledgers.some((ledger) => ledger === undefined)) return undefined;
  const known = ledgers.filter((ledger) => ledger !== undefined);
  const total = (name: 'acknowledged' | 'refused' | 'unknown' | 'lost' | 'duplicated' | 'reordered' | 'unknownFound' | 'refusedFound'): number =>
    sum(known.map((ledger) => ledger[name]));
  const errors = known.map(({ conservationError }) => conservationError);
  const incomplete = known.find((ledger) => ledger.incomplete !== undefined)?.incomplete;
  return {
    acknowledged: total('acknowledged'),
    refused: total('refused'),
    unknown: total('unknown'),
    lost: total('lost'),
    duplicated: total('duplicated'),
    reordered: total('reordered'),
    ...mergeWitnesses(known),
    unknownFound: total('unknownFound'),
    refusedFound: total('refusedFound'),
    // To each part the others' events are foreign.
    foreign: 0,
    // The service's counters are of all parts: who read them last, read them when all was quiet.
    conservationError: errors.some((error) => error === undefined) ? undefined : Math.min(...errors.map((error) => error ?? 0)),
    readSeconds: Math.max(...known.map(({ readSeconds }) => readSeconds)),
    ...(incomplete === undefined ? {} : { incomplete }),
    examples: known.flatMap(({ examples }) => examples.filter(({ kind }) => kind !== 'foreign')).slice(0, examplesMax),
  };
}

/** The second witness of every part; undefined where one part was never asked. */
function mergeWitnesses(ledgers: readonly LedgerRecord[]): Pick<LedgerRecord, 'exportAlone' | 'unconfirmed'> {
  const add = (parts: readonly EventSuspicions[]): EventSuspicions => ({
    lost: sum(parts.map(({ lost }) => lost)),
    duplicated: sum(parts.map(({ duplicated }) => duplicated)),
    reordered: sum(parts.map(({ reordered }) => reordered)),
  });
  const alone = ledgers.flatMap(({ exportAlone }) => exportAlone ?? []);
  const open = ledgers.flatMap(({ unconfirmed }) => unconfirmed ?? []);
  return {
    ...(alone.length === ledgers.length ? { exportAlone: add(alone) } : {}),
    ...(open[0] === undefined ? {} : { unconfirmed: { ...add(open), why: open[0].why } }),
  };
}

/** A fault in any part was done to the service that all of them loaded. */
function mergeFaults(parts: readonly RunResult[], shifts: readonly (readonly number[])[]): readonly FaultRecord[] {
  const shifted = parts.flatMap(({ faults = [], phases }, i) =>
    faults.map((fault) => {
      const shift = shifts[i]?.[phases.findIndex(({ name }) => name === fault.phase)] ?? 0;
      return { ...fault, startSeconds: fault.startSeconds + shift, endSeconds: fault.endSeconds + shift };
    }),
  );
  return shifted.toSorted((a, b) => a.startSeconds - b.startSeconds);
}

type Limits = RunResult['limits'];

/** Every part has its own machine: of each limit the part that came nearest to it. */
function mergeLimits(limits: readonly Limits[]): Limits {
  const nearest = (used: 'descriptorsUsedMax' | 'portsUsedMax', most: 'descriptorsMax' | 'portsMax'): Limits => {
    const share = (one: Limits): number => (one[used] ?? 0) / (one[most] ?? Number.POSITIVE_INFINITY);
    return limits.reduce((one, other) => (share(other) > share(one) ? other : one));
  };
  const { descriptorsMax, descriptorsUsedMax } = nearest('descriptorsUsedMax', 'descriptorsMax');
  const { portsMax, portsUsedMax } = nearest('portsUsedMax', 'portsMax');
  return { descriptorsMax, descriptorsUsedMax, portsMax, portsUsedMax };
}

function mergeK6(parts: readonly RunResult[]): K6Record {
  const total = (name: 'droppedIterations' | 'unaccountedIterations'): readonly number[] =>
    (parts[0]?.phases ?? []).map((_, index) => sum(parts.map(({ k6 }) => k6?.[name]?.[index] ?? 0)));
  return {
    processes: sum(parts.map(({ k6 }) => k6?.processes ?? 0)),
    droppedIterations: total('droppedIterations'),
    unaccountedIterations: total('unaccountedIterations'),
  };
}
