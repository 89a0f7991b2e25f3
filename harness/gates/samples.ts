/**
 * What a threshold looks at: arrivals of some cells, split into known and unknown ones. An arrival is unknown if it was not
 * delivered, or if the generator or the machine stood still in its time: what became of it says nothing about the service.
 */
import { addHistograms } from '#harness/metrics/fold.ts';
import { emptyHistogram, mergeHistograms, type SparseHistogram } from '#harness/metrics/histogram.ts';
import type { Cell, RunResult, StreamsRecord, TimeName, WebhooksRecord } from '#harness/run-result.ts';
import type { Metric } from './metric.ts';

export type JudgeLimits = {
  /** A second in which the hypervisor took more than this share of all cores' time says nothing. */
  readonly stealShareMax: number;
  /** A second in which a worker of the generator stood still longer than this says nothing: the same tenth. */
  readonly stopMsPerSecondMax: number;
};
export const defaultLimits: JudgeLimits = { stealShareMax: 0.1, stopMsPerSecondMax: 100 };

/** The part of a result that thresholds look at; a live view has it before the run is over. */
export type JudgedData = Pick<RunResult, 'cells' | 'phases' | 'ledger' | 'items' | 'scrapes' | 'processes' | 'pipelineDrainSeconds' | 'interrupted'> & {
  readonly run: { readonly scenario: RunResult['run']['scenario'] };
  readonly streams?: Pick<StreamsRecord, 'cells'>;
  readonly webhooks?: Pick<WebhooksRecord, 'cells' | 'ledger'>;
};

/** Of workers and of the processes that hold streams or receive webhooks alike: who writes late makes changes late, and who reads late sees them late. */
export function spoiledSeconds(result: Pick<RunResult, 'machine' | 'workers' | 'streams' | 'webhooks'>, limits: JudgeLimits): ReadonlySet<number> {
  const stolen = result.machine.filter((one) => (one.stealShare ?? 0) > limits.stealShareMax).map((one) => one.second);
  const threads = [...result.workers, ...(result.streams?.processes ?? []), ...(result.webhooks?.processes ?? [])];
  const stopped = threads.filter((one) => one.stopMsTotal > limits.stopMsPerSecondMax).map((one) => one.second);
  return new Set([...stolen, ...stopped]);
}

/** The cells with every sample of a spoiled second turned into an unknown one. */
export function withSpoiledSeconds(cells: readonly Cell[], spoiled: ReadonlySet<number>): readonly Cell[] {
  if (spoiled.size === 0) return cells;
  return cells.map((cell) => (spoiled.has(cell.second) ? spoilCell(cell) : cell));
}

function spoilCell(cell: Cell): Cell {
  const times: { [name in TimeName]?: { clean: SparseHistogram; spoiled: SparseHistogram } } = {};
  for (const [name, both] of Object.entries(cell.times)) {
    times[name as TimeName] = { clean: emptyHistogram, spoiled: addHistograms(both.clean, both.spoiled) };
  }
  const counts = { ...cell.counts, spoiledFailed: cell.counts.failed + cell.counts.shed };
  return { ...cell, counts, times };
}

/** Indexes of the phases a selector means: the named one, else all measured ones. */
export function phasesOf(data: Pick<JudgedData, 'phases'>, selector: Readonly<Record<string, string>>): ReadonlySet<number> {
  const named = selector.phase;
  const chosen = data.phases.flatMap((phase, index) => ((named === undefined ? phase.measured : phase.name === named) ? [index] : []));
  return new Set(chosen);
}

/** The chains that traffic can start, as lists of operations; `ingest` alone is there without saying. */
export function drivenChains(scenario: RunResult['run']['scenario']): readonly (readonly string[])[] {
  const named: Readonly<Record<string, readonly string[]>> = { ingest: ['ingest'], ...scenario.chains };
  const used = new Set(scenario.phases.flatMap((phase) => phase.traffic?.map((share) => share.chain) ?? ['ingest']));
  return [...used].map((name) => named[name] ?? [name]);
}

/** Which operations' samples, and whose failures, belong to a time. `undefined`: every operation's. */
type Concerned = { readonly samples: ReadonlySet<string> | undefined; readonly failures: ReadonlySet<string> | undefined };

/** Only a chain's first operation has a response; a chain ends at its last one, and any of its operations can break it. */
function concernedBy(time: TimeName | undefined, operation: string | undefined, scenario: RunResult['run']['scenario']): Concerned {
  const chains = drivenChains(scenario);
  if (time === 'response') {
    const firsts = new Set(chains.map((chain) => chain[0] as string).filter((first) => operation === undefined || first === operation));
    return { samples: firsts, failures: firsts };
  }
  if (time === 'chain') {
    const ending = chains.filter((chain) => operation === undefined || chain.at(-1) === operation);
    return { samples: new Set(ending.map((chain) => chain.at(-1) as string)), failures: new Set(ending.flat()) };
  }
  const only = operation === undefined ? undefined : new Set([operation]);
  return { samples: only, failures: only };
}

export type Samples = {
  readonly clean: SparseHistogram;
  readonly spoiled: SparseHistogram;
  readonly planned: number;
  readonly resolved: number;
  readonly failed: number;
  readonly shed: number;
  readonly timedOut: number;
  readonly dropped: number;
  readonly givenUp: number;
  readonly spoiledFailed: number;
  /** Waited for a connection: whatever they came to, the generator's pool may have done it. */
  readonly waited: number;
};

/** Second by second, ascending, of the phases and operations that a selector means. */
export function selectCells(
  data: Pick<JudgedData, 'cells' | 'phases' | 'run'>,
  metric: Metric,
  selector: Readonly<Record<string, string>>,
): readonly SelectedCell[] {
  const phases = phasesOf(data, selector);
  const time = metric.source.kind === 'time' ? metric.source.time : undefined;
  const concerned = concernedBy(time, selector.operation, data.run.scenario);
  return data.cells
    .filter((cell) => phases.has(cell.phase) && (concerned.failures?.has(cell.operation) ?? true))
    .map((cell) => ({ cell, hasSamples: concerned.samples?.has(cell.operation) ?? true }));
}
export type SelectedCell = { readonly cell: Cell; readonly hasSamples: boolean };

const sumOf = (cells: readonly SelectedCell[], value: (cell: Cell) => number): number => cells.reduce((sum, one) => sum + value(one.cell), 0);

export function sumSamples(cells: readonly SelectedCell[], time: TimeName | undefined): Samples {
  const times = time === undefined ? [] : cells.flatMap((one) => (one.hasSamples ? [one.cell.times[time]] : [])).filter((both) => both !== undefined);
  return {
    clean: mergeHistograms(times.map((both) => both.clean)),
    spoiled: mergeHistograms(times.map((both) => both.spoiled)),
    planned: sumOf(cells, (cell) => cell.counts.planned),
    resolved: sumOf(cells, (cell) => cell.counts.good + cell.counts.shed + cell.counts.failed),
    failed: sumOf(cells, (cell) => cell.counts.failed),
    shed: sumOf(cells, (cell) => cell.counts.shed),
    timedOut: sumOf(cells, (cell) => cell.counts.timedOut),
    dropped: sumOf(cells, (cell) => cell.counts.dropped),
    givenUp: sumOf(cells, (cell) => cell.counts.givenUp),
    spoiledFailed: sumOf(cells, (cell) => cell.counts.spoiledFailed),
    waited: sumOf(cells, (cell) => cell.counts.waitedForConnection),
  };
}

/**
 * Arrivals of which nothing can be said: never fired or never accounted for; and the larger of those fired too late and those spoiled,
 * since the stop that delayed an arrival spoiled it too, and nobody is counted twice.
 */
export function unknownOf(samples: Samples, spoiled: number): number {
  const unaccounted = Math.max(0, samples.planned - samples.resolved);
  const firedLate = Math.max(0, samples.dropped - unaccounted);
  return unaccounted + Math.max(firedLate, spoiled);
}

/** Infinity: among the failed, or never. `low` and `high` bound what the figure would be if all were known. */
export type Figure = { readonly seen: number; readonly low: number; readonly high: number };
/** `figure` is missing where there is no sample. */
export type SampledFigure = { readonly samples: number; readonly figure: Figure | undefined };
