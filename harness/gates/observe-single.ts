/** Figures that are not made of arrivals: the ledger's, the drain's, processor time, what the service says of itself. */
import type { ProcessRecord, ProcessSecond } from '#harness/run-result.ts';
import { systemPrefix } from './catalogue.ts';
import { type Figure, type JudgedData, phasesOf, type SampledFigure } from './samples.ts';
import type { ParsedThreshold } from './threshold.ts';

const exactly = (value: number): Figure => ({ seen: value, low: value, high: value });
const nothing: SampledFigure = { samples: 0, figure: undefined };

/** An export that was not read to its end says nothing of what is missing or out of order. */
export function observeLedger({ ledger }: JudgedData, field: 'lost' | 'duplicated' | 'reordered' | 'conservationError'): SampledFigure {
  const value = ledger?.[field];
  if (ledger === undefined || value === undefined || ledger.incomplete !== undefined) return nothing;
  return { samples: ledger.acknowledged + ledger.refused + ledger.unknown, figure: exactly(value) };
}

/** Infinity: not within the limit of the wait. A run that was ended early did not wait. */
export function observeDrain(data: JudgedData): SampledFigure {
  if (data.pipelineDrainSeconds !== undefined) return { samples: 1, figure: exactly(data.pipelineDrainSeconds) };
  return data.interrupted.kind === 'no' ? { samples: 1, figure: exactly(Number.POSITIVE_INFINITY) } : nothing;
}

/** Whole seconds that lie in the phases a selector means. */
export function secondsOf(data: Pick<JudgedData, 'phases'>, selector: Readonly<Record<string, string>>): ReadonlySet<number> {
  const seconds = new Set<number>();
  for (const index of phasesOf(data, selector)) {
    const phase = data.phases[index];
    if (phase === undefined) continue;
    for (let second = Math.ceil(phase.startSeconds); second + 1 <= phase.endSeconds; second++) seconds.add(second);
  }
  return seconds;
}

/** Microseconds a fired request, over those seconds in which every process of the role could be measured. */
export function observeCpu(data: Pick<JudgedData, 'cells' | 'phases' | 'processes'>, selector: Readonly<Record<string, string>>): SampledFigure {
  const phases = phasesOf(data, selector);
  const measurable = measurableSeconds(data.processes, selector.process ?? 'system', secondsOf(data, selector));
  let fired = 0;
  for (const cell of data.cells) if (phases.has(cell.phase) && measurable.has(cell.second)) fired += cell.counts.fired;
  if (fired === 0 || measurable.size === 0) return nothing;
  const micros = [...measurable.values()].reduce((sum, one) => sum + one, 0);
  return { samples: fired, figure: exactly(micros / fired) };
}

/** Microseconds of processor time of a role by second; a second in which one of its processes could not be measured is left out. */
export function measurableSeconds(processes: readonly ProcessRecord[], role: string, seconds: ReadonlySet<number>): ReadonlyMap<number, number> {
  const sums = new Map<number, number>();
  const unmeasured = new Set<number>();
  const ofRole = (one: ProcessSecond): void => {
    if (!seconds.has(one.second)) return;
    if (one.cpuMicros === undefined) unmeasured.add(one.second);
    else sums.set(one.second, (sums.get(one.second) ?? 0) + one.cpuMicros);
  };
  for (const process of processes) if (process.role === role) process.seconds.forEach(ofRole);
  for (const second of unmeasured) sums.delete(second);
  return sums;
}

/**
 * `max` is the largest sample, `last` and `value` the last scrape's. Where several series match, counters (`…_total`) add up and of
 * gauges the largest counts. Without a phase: from the first measured phase to the run's end.
 */
export function observeScrape(data: JudgedData, threshold: ParsedThreshold): SampledFigure {
  const { phase, ...labels } = threshold.selector;
  const name = threshold.metric.name.slice(systemPrefix.length);
  const from = phase === undefined ? Math.min(...[...phasesOf(data, {})].map((index) => data.phases[index]?.startSeconds ?? 0)) : undefined;
  const seconds = phase === undefined ? undefined : secondsOf(data, threshold.selector);
  const values: number[] = [];
  for (const scrape of data.scrapes) {
    if (!scrape.ok || (from !== undefined && scrape.second < from) || seconds?.has(scrape.second) === false) continue;
    const matching = Object.entries(scrape.values).flatMap(([key, value]) => (matches(key, name, labels) ? [value] : []));
    if (matching.length > 0) values.push(name.endsWith('_total') ? matching.reduce((sum, one) => sum + one, 0) : Math.max(...matching));
  }
  const value = threshold.aggregation.kind === 'max' ? Math.max(...values) : values.at(-1);
  return values.length === 0 || value === undefined ? nothing : { samples: values.length, figure: exactly(value) };
}

function matches(key: string, name: string, labels: Readonly<Record<string, string>>): boolean {
  const brace = key.indexOf('{');
  if ((brace < 0 ? key : key.slice(0, brace)) !== name) return false;
  const given = new Map([...key.slice(name.length).matchAll(/([A-Za-z_][A-Za-z0-9_]*)="((?:[^"\\]|\\.)*)"/g)].map((match) => [match[1], match[2]]));
  return Object.entries(labels).every(([label, value]) => given.get(label) === value);
}
