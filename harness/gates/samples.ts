/**
 * What a threshold looks at: arrivals of some cells, split into known and unknown ones. An arrival is unknown if it was not
 * delivered, or if the generator or the machine stood still in its time: what became of it says nothing about the service.
 */
import { countOf, mergeHistograms, type SparseHistogram } from '#harness/metrics/histogram.ts';
import type { RunResult, TimeName, WebhooksRecord } from '#harness/run-result.ts';
import { chainsOf, trafficOf } from '#harness/scenario.ts';
import type { Metric } from './metric.ts';
import type { JudgedCell, JudgedStreamCell } from './noise.ts';

/** The part of a result that thresholds look at; a live view has it before the run is over. */
export type JudgedData = Pick<RunResult, 'phases' | 'ledger' | 'items' | 'scrapes' | 'processes' | 'pipelineDrainSeconds' | 'interrupted'> & {
  readonly run: { readonly scenario: RunResult['run']['scenario'] };
  readonly cells: readonly JudgedCell[];
  readonly streams?: { readonly cells: readonly JudgedStreamCell[] };
  readonly webhooks?: Pick<WebhooksRecord, 'cells' | 'ledger'>;
};

/** Indexes of the phases a selector means: the named one, else all measured ones. */
export function phasesOf(data: Pick<JudgedData, 'phases'>, selector: Readonly<Record<string, string>>): ReadonlySet<number> {
  const named = selector.phase;
  const chosen = data.phases.flatMap((phase, index) => ((named === undefined ? phase.measured : phase.name === named) ? [index] : []));
  return new Set(chosen);
}

/** The chains that traffic can start, as lists of operations; `ingest` alone is there without saying. */
export function drivenChains(scenario: RunResult['run']['scenario']): readonly (readonly string[])[] {
  const named = chainsOf(scenario.chains);
  const used = new Set(scenario.phases.flatMap((phase) => trafficOf(phase).map((share) => share.chain)));
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
  /** The spoiled ones at their slowest. */
  readonly atMost: SparseHistogram;
  readonly planned: number;
  readonly resolved: number;
  readonly failed: number;
  readonly shed: number;
  readonly timedOut: number;
  readonly neverFired: number;
  readonly firedLate: number;
  /** Of both: those that waited for the service. */
  readonly held: number;
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
export type SelectedCell = { readonly cell: JudgedCell; readonly hasSamples: boolean };

const sumOf = (cells: readonly SelectedCell[], value: (cell: JudgedCell) => number): number => cells.reduce((sum, one) => sum + value(one.cell), 0);

export function sumSamples(cells: readonly SelectedCell[], time: TimeName | undefined): Samples {
  const sampled = time === undefined ? [] : cells.filter((one) => one.hasSamples).map(({ cell }) => ({ both: cell.times[time], atMost: cell.atMost?.[time] }));
  const times = sampled.flatMap(({ both, atMost }) => (both === undefined ? [] : [{ ...both, atMost: atMost ?? both.spoiled }]));
  return {
    clean: mergeHistograms(times.map((both) => both.clean)),
    spoiled: mergeHistograms(times.map((both) => both.spoiled)),
    atMost: mergeHistograms(times.map((both) => both.atMost)),
    planned: sumOf(cells, (cell) => cell.counts.planned),
    resolved: sumOf(cells, (cell) => cell.counts.good + cell.counts.shed + cell.counts.failed),
    failed: sumOf(cells, (cell) => cell.counts.failed),
    shed: sumOf(cells, (cell) => cell.counts.shed),
    timedOut: sumOf(cells, (cell) => cell.counts.timedOut),
    neverFired: sumOf(cells, (cell) => cell.counts.neverFired),
    firedLate: sumOf(cells, (cell) => cell.counts.firedLate),
    held: sumOf(cells, ({ counts }) => (counts.heldLate ?? 0) + (counts.heldNever ?? 0)),
    givenUp: sumOf(cells, (cell) => cell.counts.givenUp),
    spoiledFailed: sumOf(cells, (cell) => cell.counts.spoiledFailed),
    waited: sumOf(cells, (cell) => cell.counts.waitedForConnection),
  };
}

/**
 * Arrivals that may have been as quick as any: never fired or never accounted for; and the larger of those fired too late and those spoiled,
 * since the stop that delayed an arrival spoiled it too, and nobody is counted twice.
 */
export function unknownOf(samples: Samples, spoiled: number): number {
  return unaccountedOf(samples) + Math.max(firedLateOf(samples), spoiled);
}

const unaccountedOf = (samples: Samples): number => Math.max(0, samples.planned - samples.resolved);
const firedLateOf = (samples: Samples): number => Math.max(0, samples.neverFired + samples.firedLate - samples.held - unaccountedOf(samples));

/** Arrivals that nothing bounds: never fired, never accounted for, refused or failed in a stop. One that was fired late and answered well is bounded by that. */
export const unboundedOf = (samples: Samples): number => unaccountedOf(samples) + samples.spoiledFailed;

/** Fired late by no stop that the engine saw: what they took from then on says too little of what they would have taken in time. */
export const lateUnspoiledOf = (samples: Samples): number => Math.max(0, firedLateOf(samples) - countOf(samples.spoiled) - samples.spoiledFailed);

/** Infinity: among the failed, or never. `low` and `high` bound what the figure would be if all were known. */
export type Figure = { readonly seen: number; readonly low: number; readonly high: number };
/** `figure` is missing where there is no sample. */
export type SampledFigure = { readonly samples: number; readonly figure: Figure | undefined };
