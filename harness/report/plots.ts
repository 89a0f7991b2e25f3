/** What is drawn, as data: the page's script knows nothing of runs, only of columns, bands, shades and marks. */
import { defaultLimits, noiseOf } from '#harness/gates/noise.ts';
import { isOfStreamsAlone } from '#harness/gates/stream-samples.ts';
import { timesOf } from '#harness/metrics/fold.ts';
import type { Cell, CellCounts, RunResult, TimeName, Verdict, WorkerLag } from '#harness/run-result.ts';
import { metricNames } from '#system/protocol/metric-names.ts';
import { ms } from './numbers.ts';
import { type Line, limitsOf, most, plain, type TimePlot } from './plot.ts';
import {
  type Column,
  coveredShares,
  maxOf,
  type Quantiles,
  quantileColumns,
  ratesOf,
  recordColumn,
  scrapedSum,
  secondsOf,
  sumColumn,
  sumOf,
} from './series.ts';
import { streamPlots } from './stream-plots.ts';
import { webhookPlots } from './webhook-plots.ts';

export type ShadeKind = 'unknown' | 'stop' | 'gc' | 'steal' | 'lag';
export type Shade = { readonly kind: ShadeKind; readonly label: string; readonly seconds: readonly number[] };
/** Something that was done to the service. */
export type FaultMark = { readonly label: string; readonly fromSeconds: number; readonly toSeconds: number };
export type PhaseMark = { readonly name: string; readonly measured: boolean; readonly fromSeconds: number; readonly toSeconds: number };

/** From here on a second is shaded. A pause of 10 ms moves a p99 of some ms; the others are the usual warning levels, half of what spoils a second. */
const shadedFrom = { gcMs: 10, stealShare: 0.05, lagMs: 5 } as const;

export const phaseMarks = ({ phases }: RunResult): readonly PhaseMark[] =>
  phases.map(({ name, measured, startSeconds, endSeconds }) => ({ name, measured, fromSeconds: startSeconds, toSeconds: endSeconds }));

export const faultMarks = ({ faults }: RunResult): readonly FaultMark[] =>
  (faults ?? []).map(({ kind, startSeconds, endSeconds, trouble }) => ({
    label: trouble === undefined ? kind : `${kind} (not done)`,
    fromSeconds: startSeconds,
    toSeconds: endSeconds,
  }));

/** Workers that drive requests and processes that hold streams or receive webhooks. */
const threadsOf = ({ workers, streams, webhooks }: RunResult): readonly WorkerLag[] => [
  ...workers,
  ...(streams?.processes ?? []),
  ...(webhooks?.processes ?? []),
];

const quantilesOf = (seconds: number, cells: readonly Cell[], time: TimeName): Quantiles =>
  quantileColumns(seconds, cells, (some: readonly Cell[]) => timesOf(some, time));

/** Seconds in which the generator or the machine had trouble of its own, strongest first. */
export function shadesOf(result: RunResult): readonly Shade[] {
  const seconds = secondsOf(result);
  const above = (values: Column, limit: number): readonly number[] => values.flatMap((value, second) => (value !== null && value >= limit ? [second] : []));
  const lag = quantilesOf(seconds, result.cells, 'dispatch_delay').p99;
  const shades: readonly Shade[] = [
    { kind: 'unknown', label: 'arrivals count as unknown', seconds: [...noiseOf(result, defaultLimits).seconds].sort((a, b) => a - b) },
    {
      kind: 'stop',
      label: 'generator stood still',
      seconds: above(
        recordColumn(seconds, threadsOf(result), (one) => one.stopMsTotal),
        Number.MIN_VALUE,
      ),
    },
    {
      kind: 'gc',
      label: `garbage collection ≥ ${shadedFrom.gcMs} ms`,
      seconds: above(
        recordColumn(seconds, threadsOf(result), (one) => one.gcMsMax),
        shadedFrom.gcMs,
      ),
    },
    {
      kind: 'steal',
      label: `steal ≥ ${shadedFrom.stealShare * 100} %`,
      seconds: above(
        recordColumn(seconds, result.machine, (one) => one.stealShare),
        shadedFrom.stealShare,
      ),
    },
    { kind: 'lag', label: `dispatch p99 ≥ ${shadedFrom.lagMs} ms`, seconds: above(lag, shadedFrom.lagMs) },
  ];
  return shades.filter((shade) => shade.seconds.length > 0);
}

export function timePlots(result: RunResult, verdict: Verdict): readonly TimePlot[] {
  return [
    ...ratePlot(result),
    ...failurePlots(result),
    ...operationsOf(result).map((operation) => latencyPlot(result, verdict, operation)),
    ...streamPlots(result, verdict),
    ...webhookPlots(result, verdict),
    generatorPlot(result),
    cpuPlot(result),
    ...pipelinePlots(result),
  ].filter((plot) => plot.lines.some((line) => line.values.some((value) => value !== null)));
}

export const operationsOf = ({ cells }: RunResult): readonly string[] => [...new Set(cells.map(({ operation }) => operation))];

const countColumn = (result: RunResult, name: keyof CellCounts): Column => sumColumn(secondsOf(result), result.cells, ({ counts }) => counts[name]);

function ratePlot(result: RunResult): readonly TimePlot[] {
  if (isOfStreamsAlone(result)) return [];
  const shares = coveredShares(secondsOf(result), result.phases);
  const planned = ratesOf(countColumn(result, 'planned'), shares);
  const fired = ratesOf(countColumn(result, 'fired'), shares, planned);
  const answered = ratesOf(countColumn(result, 'answered'), shares, fired);
  const lines: readonly Line[] = [
    { label: 'planned', values: planned, colour: 'planned', look: 'area' },
    { label: 'fired', values: fired, colour: 'fired', look: 'line' },
    { label: 'answered', values: answered, colour: 'answered', look: 'dashed' },
  ];
  const spoken = `Requests per second, at most ${most(lines[0])} planned, ${most(lines[1])} fired and ${most(lines[2])} answered in a second.`;
  const about =
    'A request is planned in the second of its intended start, fired when its first byte was written, answered when its last byte was read. Where load begins or ends within a second, the rate is that of its part of the second.';
  return [{ ...plain, id: 'rate', title: 'Rate', about, unit: '/s', wide: true, lines, spoken }];
}

/** Only where there is something to see. */
function failurePlots(result: RunResult): readonly TimePlot[] {
  const shares = coveredShares(secondsOf(result), result.phases);
  const lines = (
    [
      ['failed', 'failed', 'bad'],
      ['shed', 'shed', 'caution'],
      ['neverFired', 'never fired', 'muted'],
      ['firedLate', 'fired late', 'planned'],
    ] as const
  )
    .map(([name, label, colour]): Line => ({ label, values: ratesOf(countColumn(result, name), shares), colour, look: 'line' }))
    .filter((line) => sumOf(line.values) > 0);
  if (lines.length === 0) return [];
  const spoken = `Per second: ${lines.map((line) => `at most ${most(line)} ${line.label}`).join(', ')}.`;
  const about = 'By intended start. Shed: refused by design. Never fired: not one byte went out. Fired late: more than 100 ms after its instant.';
  return [{ ...plain, id: 'failures', title: 'Failed, shed, never fired and late', about, unit: '/s', wide: true, lines, spoken, shaded: true }];
}

/** A chain's later operations are planned by nobody, so they have no response: their service time is shown. */
function latencyPlot(result: RunResult, verdict: Verdict, operation: string): TimePlot {
  const cells = result.cells.filter((cell) => cell.operation === operation);
  const time = cells.some((cell) => cell.times.response !== undefined) ? 'response' : 'service';
  const { p50, p90, p99, max } = quantilesOf(secondsOf(result), cells, time);
  const lines: readonly Line[] = [
    { label: 'p50', values: p50, colour: 'p50', look: 'line' },
    { label: 'p90', values: p90, colour: 'p90', look: 'line', fillTo: 0 },
    { label: 'p99', values: p99, colour: 'p99', look: 'line', fillTo: 1 },
    { label: 'max', values: max, colour: 'max', look: 'dots' },
  ];
  return {
    id: `latency-${operation}`,
    title: `Latency of ${operation}: ${time}`,
    about: `${time === 'response' ? 'From the planned instant to the last byte read' : 'From the first byte written to the last byte read'}, good answers only, by intended second. Shaded seconds are the generator’s or the machine’s own trouble.`,
    unit: 'ms',
    log: true,
    shaded: true,
    wide: true,
    lines,
    limits: limitsOf(result, verdict, `${time}_ms`, { operation }),
    spoken: `${time} of ${operation} in milliseconds by second: p50 at most ${ms(maxOf(p50))}, p99 at most ${ms(maxOf(p99))}, slowest ${ms(maxOf(max))}.`,
  };
}

function generatorPlot(result: RunResult): TimePlot {
  const seconds = secondsOf(result);
  const { p50, p99, max } = quantilesOf(seconds, result.cells, 'dispatch_delay');
  const lines: readonly Line[] = [
    { label: 'dispatch p50', values: p50, colour: 'p50', look: 'line' },
    { label: 'dispatch p99', values: p99, colour: 'p99', look: 'line' },
    { label: 'dispatch max', values: max, colour: 'max', look: 'dots' },
    { label: 'loop delay max', values: recordColumn(seconds, threadsOf(result), (one) => one.loopDelayMaxMs), colour: 'gc', look: 'dashed' },
  ];
  const about = 'Dispatch delay: from the planned instant to the first byte written. Loop delay: how long the generator’s own threads were kept from running.';
  const known = lines.filter((line) => maxOf(line.values) !== undefined);
  const spoken = `The generator’s own delay in milliseconds by second: ${known.map((line) => `${line.label} at most ${ms(maxOf(line.values))}`).join(', ')}.`;
  return { ...plain, id: 'generator', title: 'Generator’s own delay', about, unit: 'ms', log: true, shaded: true, lines: known, spoken };
}

const processColours = ['fired', 'lag', 'gc', 'steal', 'answered', 'p99'] as const;

/** Everything in cores, so that processes, machine and steal share one axis. */
function cpuPlot(result: RunResult): TimePlot {
  const seconds = secondsOf(result);
  const { cores } = result.run.machine;
  const ofProcess = result.processes.map(
    ({ name, seconds: records }, index): Line => ({
      label: name,
      values: recordColumn(seconds, records, ({ cpuMicros }) => (cpuMicros === undefined ? undefined : cpuMicros / 1e6)),
      colour: processColours[index % processColours.length] as string,
      look: 'line',
    }),
  );
  const ofMachine = (label: string, name: 'busyShare' | 'stealShare', colour: string, look: Line['look']): Line => ({
    label,
    values: recordColumn(seconds, result.machine, (one) => (one[name] === undefined ? undefined : one[name] * cores)),
    colour,
    look,
  });
  const lines = [ofMachine('machine busy', 'busyShare', 'planned', 'area'), ...ofProcess, ofMachine('steal', 'stealShare', 'bad', 'dashed')];
  const known = lines.filter((line) => maxOf(line.values) !== undefined);
  const spoken = `Cores in use by second, of ${cores}: ${known.map((line) => `${line.label} at most ${(maxOf(line.values) ?? 0).toFixed(2)}`).join(', ')}.`;
  const unknown = lines.filter((line) => !known.includes(line)).map((line) => line.label);
  const about = `In cores, of the machine’s ${cores}. Steal: what the hypervisor took.${unknown.length === 0 ? '' : ` Not measurable here: ${unknown.join(', ')}.`}`;
  return { ...plain, id: 'cpu', title: 'Processor time', about, unit: 'cores', lines: known, spoken };
}

function pipelinePlots(result: RunResult): readonly TimePlot[] {
  const seconds = secondsOf(result);
  const scraped = (metric: string): Column => recordColumn(seconds, result.scrapes, ({ ok, values }) => (ok ? scrapedSum(values, metric) : undefined));
  const pending = scraped(metricNames.eventsPending);
  const lag = scraped(metricNames.pipelineLagSeconds);
  const drained = result.pipelineDrainSeconds;
  const after = drained === undefined ? 'It was never empty again within the limit.' : `Empty ${drained.toFixed(1)} s after the load.`;
  return [
    {
      ...plain,
      id: 'backlog',
      title: 'Pipeline backlog',
      about: `Events acknowledged and not yet processed, as the service says once a second. ${after}`,
      unit: 'events',
      lines: [{ label: 'pending', values: pending, colour: 'answered', look: 'area' }],
      spoken: `Events pending by second, at most ${maxOf(pending) ?? 'unknown'}. ${after}`,
    },
    {
      ...plain,
      id: 'lag',
      title: 'Pipeline lag',
      about: 'Age of the oldest pending event, as the service says once a second.',
      unit: 's',
      lines: [{ label: 'lag', values: lag, colour: 'gc', look: 'line' }],
      spoken: `Age of the oldest pending event in seconds, at most ${maxOf(lag) ?? 'unknown'}.`,
    },
  ];
}

export type CellsOf = { readonly phase: string; readonly operation: string; readonly cells: readonly Cell[] };

export function cellsByPhaseAndOperation({ cells, phases }: RunResult): readonly CellsOf[] {
  return phases.flatMap(({ name }, index) =>
    [
      ...Map.groupBy(
        cells.filter((cell) => cell.phase === index),
        (cell) => cell.operation,
      ),
    ].map(([operation, group]) => ({ phase: name, operation, cells: group })),
  );
}
