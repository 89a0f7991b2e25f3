/** Figures that are not made of arrivals: the ledgers', the drain's, processor time, memory, what the service says of itself. */
import { growthOf } from '#harness/metrics/growth.ts';
import type { ProcessRecord } from '#harness/run-result.ts';
import { systemPrefix } from './catalogue.ts';
import type { ItemField, LedgerField } from './metric.ts';
import { sumsOfRole } from './process-sums.ts';
import { type Figure, type JudgedData, phasesOf, type SampledFigure } from './samples.ts';
import { mostLive, selectStreamCells, sumStreams } from './stream-samples.ts';
import type { ParsedThreshold } from './threshold.ts';

const exactly = (value: number): Figure => ({ seen: value, low: value, high: value });
const nothing: SampledFigure = { samples: 0, figure: undefined };

/**
 * An export that was not read to its end says nothing of what is missing or out of order, and where no event can have been kept none can be lost. Not so
 * the conservation error, which is of the service's own counters.
 */
export function observeLedger({ ledger }: JudgedData, field: LedgerField): SampledFigure {
  const value = field === 'unlisted' ? ledger?.exportAlone?.lost : ledger?.[field];
  if (ledger === undefined || value === undefined || ledger.incomplete !== undefined) return nothing;
  const isProven = field === 'conservationError' || ledger.acknowledged + ledger.unknown > 0;
  const unconfirmed = field === 'conservationError' ? 0 : (ledger.unconfirmed?.[field === 'unlisted' ? 'lost' : field] ?? 0);
  if (value === 0 && unconfirmed === 0 && !isProven) return nothing;
  const samples = ledger.acknowledged + ledger.refused + ledger.unknown;
  // What could not be asked for again may be so or not.
  return { samples, figure: { seen: value, low: value, high: value + unconfirmed } };
}

/** As of events. Where nothing was acknowledged and no reader had to see anything, nothing is proven. */
export function observeItems({ items }: JudgedData, fields: readonly ItemField[]): SampledFigure {
  if (items === undefined || items.incomplete !== undefined) return nothing;
  const samples = items.acknowledged + items.unknown + items.expected;
  const seen = fields.reduce((sum, field) => sum + items[field], 0);
  const { unconfirmed } = items;
  const open = unconfirmed === undefined ? 0 : fields.reduce((sum, field) => sum + (field === 'leaked' ? 0 : unconfirmed[field]), 0);
  return samples === 0 ? nothing : { samples, figure: { seen, low: seen, high: seen + open } };
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

type Measured = Pick<JudgedData, 'run' | 'cells' | 'streams' | 'phases' | 'processes'>;

/** Microseconds a fired request or an arrived frame, over those seconds in which every process of the role could be measured. */
export function observeCpu(data: Measured, selector: Readonly<Record<string, string>>, per: 'request' | 'frame'): SampledFigure {
  const phases = phasesOf(data, selector);
  const measurable = measurableSeconds(data.processes, selector.process ?? 'system', secondsOf(data, selector));
  const inTime = (cell: { readonly second: number; readonly phase: number }): boolean => phases.has(cell.phase) && measurable.has(cell.second);
  const done =
    per === 'request'
      ? data.cells.filter(inTime).reduce((sum, { counts }) => sum + counts.fired, 0)
      : sumStreams((data.streams?.cells ?? []).filter(inTime), 'frames');
  if (done === 0 || measurable.size === 0) return nothing;
  const micros = [...measurable.values()].reduce((sum, one) => sum + one, 0);
  return { samples: done, figure: exactly(micros / done) };
}

/**
 * What a role's processes hold more than in the run's first second, by the most streams that were live meanwhile. The first second has no
 * stream yet, or few: what it holds is the processes' own.
 */
export function observeResident(data: Measured, selector: Readonly<Record<string, string>>): SampledFigure {
  const ofRole = sumsOfRole(data.processes, selector.process ?? 'system', 'residentBytes');
  const first = ofRole.get(Math.min(...ofRole.keys()));
  const seconds = secondsOf(data, selector);
  const resident = [...ofRole].filter(([second]) => seconds.has(second)).map(([, bytes]) => bytes);
  const held = mostLive(selectStreamCells(data, selector));
  if (first === undefined || resident.length === 0 || held === 0) return nothing;
  return { samples: held, figure: exactly((Math.max(...resident) - first) / held) };
}

/** Fewer say nothing: a fifth of them would be one reading. */
const growthSecondsMin = 10;

/** Over whole seconds of the phases in which every process of the role could be measured; 1: it stays. */
export function observeGrowth(data: Measured, selector: Readonly<Record<string, string>>, figure: 'ownBytes' | 'descriptors'): SampledFigure {
  const seconds = secondsOf(data, selector);
  const ofRole = [...sumsOfRole(data.processes, selector.process ?? 'system', figure)].filter(([second]) => seconds.has(second));
  if (ofRole.length < growthSecondsMin) return nothing;
  const { early, late } = growthOf(ofRole.sort(([one], [other]) => one - other).map(([, value]) => value));
  return { samples: ofRole.length, figure: exactly(late / early) };
}

/** Microseconds of processor time of a role by second; a second in which one of its processes could not be measured is left out. */
export const measurableSeconds = (processes: readonly ProcessRecord[], role: string, seconds: ReadonlySet<number>): ReadonlyMap<number, number> =>
  new Map([...sumsOfRole(processes, role, 'cpuMicros')].filter(([second]) => seconds.has(second)));

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
