/** The verdict's figures that nobody gates: totals, latency tables, evenness, processor time. */
import { countOf, mergeHistograms, quantileMicros, type SparseHistogram } from '#harness/metrics/histogram.ts';
import { type Cell, type QuantileSet, type RunResult, type Suspicion, type TimeName, timeNames, type Verdict } from '#harness/run-result.ts';
import { observeCpu } from './observe-single.ts';

/** Over the whole run, warm-up included, since the ledger covers it too. */
export function totalsOf({ cells, ledger }: RunResult): Verdict['totals'] {
  /** null: nobody knows. What both witnesses say is known even where another event could not be asked for. */
  const told = (kind: Suspicion): number | null => {
    if (ledger === undefined || ledger.incomplete !== undefined) return null;
    return ledger[kind] === 0 && (ledger.unconfirmed?.[kind] ?? 0) > 0 ? null : ledger[kind];
  };
  const sum = (name: keyof Cell['counts']): number => cells.reduce((total, cell) => total + (cell.counts[name] ?? 0), 0);
  return {
    planned: sum('planned'),
    firedInTime: sum('fired') - sum('firedLate'),
    firedLate: sum('firedLate'),
    neverFired: sum('neverFired'),
    fired: sum('fired'),
    answered: sum('answered'),
    timedOut: sum('timedOut'),
    cut: sum('cut'),
    inFlightAtEnd: sum('inFlightAtEnd'),
    failed: sum('failed'),
    shed: sum('shed'),
    dropped: sum('neverFired'),
    acknowledged: ledger?.acknowledged ?? 0,
    lost: told('lost'),
    duplicated: told('duplicated'),
    reordered: told('reordered'),
  };
}

/** Milliseconds. */
export function quantileSet(histogram: SparseHistogram): QuantileSet {
  const at = (q: number): number | null => {
    const micros = quantileMicros(histogram, q);
    return micros === undefined ? null : micros / 1000;
  };
  return { count: countOf(histogram), p50: at(0.5), p90: at(0.9), p99: at(0.99), p999: at(0.999), max: at(1) };
}

export function latencyOf({ cells, phases }: Pick<RunResult, 'cells' | 'phases'>): Verdict['latencyMs'] {
  const byPhase: Record<string, Record<string, Partial<Record<TimeName, QuantileSet>>>> = {};
  for (const [index, phase] of phases.entries()) {
    const ofPhase = cells.filter((cell) => cell.phase === index);
    byPhase[phase.name] = Object.fromEntries([...Map.groupBy(ofPhase, (cell) => cell.operation)].map(([operation, group]) => [operation, timesOf(group)]));
  }
  return byPhase;
}

function timesOf(cells: readonly Cell[]): Partial<Record<TimeName, QuantileSet>> {
  const sets: Partial<Record<TimeName, QuantileSet>> = {};
  for (const name of timeNames) {
    const parts = cells.map((cell) => cell.times[name]).filter((both) => both !== undefined);
    if (parts.length > 0) sets[name] = quantileSet(mergeHistograms(parts.flatMap((both) => [both.clean, both.spoiled])));
  }
  return sets;
}

export function evennessOf({ evenness }: Pick<RunResult, 'evenness'>): Verdict['evenness'] {
  const byPhase: Record<string, Record<string, { planned: number; fired: number }>> = {};
  for (const { phase, binMs, planned, fired } of evenness) byPhase[phase] = { ...byPhase[phase], [String(binMs)]: { planned, fired } };
  return byPhase;
}

export function cpuOf(result: RunResult): Verdict['cpu'] {
  const of = (process: string): number | null => observeCpu(result, { process }, 'request').figure?.seen ?? null;
  return { generator: of('generator'), system: of('system') };
}
