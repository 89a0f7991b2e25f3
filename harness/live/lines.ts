/** State → lines. Pure. */
import type colours from 'picocolors';
import type { ParsedThreshold } from '#harness/gates/threshold.ts';
import { mergeHistograms, quantileMicros } from '#harness/metrics/histogram.ts';
import type { ArrivalPhase } from '#harness/pacing/plan.ts';
import type { Cell, CellCounts, TimeName, Verdict } from '#harness/run-result.ts';

export type LiveState = {
  readonly elapsedSeconds: number;
  readonly phase: number;
  readonly phaseElapsedSeconds: number;
  readonly phases: readonly ArrivalPhase[];
  /** Of the last whole second. */
  readonly cells: readonly Cell[];
  readonly generatorCores: number | undefined;
  readonly systemCores: number | undefined;
  readonly stealShare: number | undefined;
  readonly thresholds: readonly ParsedThreshold[];
};

type Colors = ReturnType<typeof colours.createColors>;

const sumOf = (cells: readonly Cell[], name: keyof CellCounts): number => cells.reduce((sum, { counts }) => sum + counts[name], 0);

function quantileText(cells: readonly Cell[], time: TimeName, q: number): string {
  const histogram = mergeHistograms(cells.flatMap(({ times }) => (times[time] === undefined ? [] : [times[time].clean, times[time].spoiled])));
  const micros = quantileMicros(histogram, q, sumOf(cells, 'failed'));
  if (micros === undefined) return '–';
  return Number.isFinite(micros) ? `${(micros / 1000).toFixed(micros < 10_000 ? 2 : 0)} ms` : '≥ timeout';
}

const cores = (value: number | undefined): string => (value === undefined ? 'not measurable' : `${value.toFixed(2)} core`);
const share = (value: number | undefined): string => (value === undefined ? 'not measurable' : `${(value * 100).toFixed(1)} %`);
const micros = (coreCount: number | undefined, fired: number): string =>
  coreCount === undefined || fired === 0 ? '' : ` (${((coreCount * 1e6) / fired).toFixed(0)} µs a request)`;

/** One line of all phases: what is done, what runs, what is to come, as wide as their time. */
export function phaseBar(state: LiveState, columns: number): string {
  const total = state.phases.reduce((sum, { durationSeconds }) => sum + durationSeconds, 0);
  const width = Math.max(10, Math.min(columns - 4, 80));
  return state.phases
    .map(({ name, durationSeconds }, index) => {
      const cells = Math.max(3, Math.round((durationSeconds / total) * width));
      const done = index < state.phase ? 1 : index > state.phase ? 0 : Math.min(1, state.phaseElapsedSeconds / durationSeconds);
      const filled = Math.round(done * cells);
      const label = name.slice(0, cells - 1).padEnd(cells, ' ');
      return `${'█'.repeat(filled)}${label.slice(filled).replaceAll(' ', '░')}`;
    })
    .join('│');
}

export function linesOf(state: LiveState, columns: number, paint: Pick<Colors, 'bold' | 'dim' | 'red'>): readonly string[] {
  const { cells, phases, phase } = state;
  const fired = sumOf(cells, 'fired');
  const wrong = sumOf(cells, 'failed') + sumOf(cells, 'dropped');
  const current = phases[phase];
  const lines = [
    phaseBar(state, columns),
    `${paint.bold(current?.name ?? '')} ${Math.floor(state.phaseElapsedSeconds)} s of ${current?.durationSeconds ?? 0} s${current?.measured === false ? ', not measured' : ''}`,
    `planned ${sumOf(cells, 'planned')}/s   fired ${fired}/s   answered ${sumOf(cells, 'answered')}/s`,
    `response p50 ${quantileText(cells, 'response', 0.5)}   p99 ${quantileText(cells, 'response', 0.99)}   service p99 ${quantileText(cells, 'service', 0.99)}   dispatch p99 ${quantileText(cells, 'dispatch_delay', 0.99)}`,
    `failed ${sumOf(cells, 'failed')}   shed ${sumOf(cells, 'shed')}   dropped ${sumOf(cells, 'dropped')}`,
    `generator ${cores(state.generatorCores)}${micros(state.generatorCores, fired)}   service ${cores(state.systemCores)}${micros(state.systemCores, fired)}   steal ${share(state.stealShare)}`,
  ];
  return lines
    .map((line, index) => (index === 4 && wrong > 0 ? paint.red(line) : line))
    .map((line) => (line.length > columns * 2 ? line.slice(0, columns * 2) : line));
}

export function plainLineOf(state: LiveState): string {
  const { cells, phases, phase } = state;
  return [
    `${Math.floor(state.elapsedSeconds)} s`.padStart(6),
    (phases[phase]?.name ?? '').padEnd(12),
    `planned ${sumOf(cells, 'planned')}/s fired ${sumOf(cells, 'fired')}/s answered ${sumOf(cells, 'answered')}/s`,
    `p50 ${quantileText(cells, 'response', 0.5)} p99 ${quantileText(cells, 'response', 0.99)}`,
    `failed ${sumOf(cells, 'failed')} dropped ${sumOf(cells, 'dropped')}`,
    `generator ${cores(state.generatorCores)} service ${cores(state.systemCores)}`,
  ].join('  ');
}

const marks = { yes: '✓', no: '✗', unknown: '?' } as const;
const shown = (value: number | string | null): string =>
  value === null ? 'no samples' : typeof value === 'number' ? String(Number(value.toPrecision(4))) : value;

export function verdictLines(verdict: Verdict, folder: string, paint: Pick<Colors, 'bold' | 'dim' | 'red' | 'green' | 'yellow'>): readonly string[] {
  const colour = verdict.verdict === 'pass' ? paint.green : verdict.verdict === 'fail' ? paint.red : paint.yellow;
  const { totals } = verdict;
  return [
    '',
    colour(paint.bold(`${verdict.scenario}: ${verdict.verdict.toUpperCase()}`)),
    ...verdict.reasons.map(({ text }) => `  ${text}`),
    ...verdict.thresholds.map(({ holds, metric, selector, expression, observed }) => {
      const labels = Object.entries(selector).map(([name, value]) => `${name}:${value}`);
      return `  ${marks[holds]} ${metric}${labels.length === 0 ? '' : `{${labels.join(',')}}`} ${expression}   observed ${shown(observed)}`;
    }),
    `  planned ${totals.planned}, fired ${totals.fired}, answered ${totals.answered}, failed ${totals.failed}, shed ${totals.shed}, dropped ${totals.dropped}`,
    `  acknowledged ${totals.acknowledged}, lost ${shown(totals.lost)}, duplicated ${shown(totals.duplicated)}, reordered ${shown(totals.reordered)}`,
    `  CPU a request: generator ${verdict.cpu.generator === null ? 'not measurable' : `${shown(verdict.cpu.generator)} µs`}, service ${verdict.cpu.system === null ? 'not measurable' : `${shown(verdict.cpu.system)} µs`}`,
    ...verdict.notes.map(({ text }) => paint.dim(`  note: ${text}`)),
    `  report: ${folder}`,
    '',
  ];
}
