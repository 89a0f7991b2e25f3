/** State → lines. Pure. */
import type { ParsedThreshold } from '#harness/gates/threshold.ts';
import { mergeHistograms, quantileMicros } from '#harness/metrics/histogram.ts';
import type { ArrivalPhase } from '#harness/pacing/plan.ts';
import type { Cell, CellCounts, TimeName } from '#harness/run-result.ts';
import type { Scenario } from '#harness/scenario.ts';
import { type Line, type Part, styled } from './styled.ts';
import type { Standing } from './thresholds.ts';

export type LiveState = {
  readonly scenario: Scenario;
  readonly elapsedSeconds: number;
  /** Index of the phase that runs. */
  readonly phase: number;
  readonly phaseElapsedSeconds: number;
  readonly phases: readonly ArrivalPhase[];
  /** Of the last whole second. */
  readonly cells: readonly Cell[];
  /** Of the run until now; asked only where thresholds are shown. */
  readonly allCells: () => readonly Cell[];
  readonly generatorCores: number | undefined;
  readonly systemCores: number | undefined;
  readonly stealShare: number | undefined;
  readonly thresholds: readonly ParsedThreshold[];
};

const sumOf = (cells: readonly Cell[], name: keyof CellCounts): number => cells.reduce((sum, { counts }) => sum + counts[name], 0);
const whole = (value: number): string => value.toLocaleString('en-US');

/** Failures are worse than every time, as the judge has it. */
function quantileText(cells: readonly Cell[], time: TimeName, q: number): string {
  const histogram = mergeHistograms(cells.flatMap(({ times }) => (times[time] === undefined ? [] : [times[time].clean, times[time].spoiled])));
  const micros = quantileMicros(histogram, q, sumOf(cells, 'failed'));
  if (micros === undefined) return '–';
  return Number.isFinite(micros) ? `${(micros / 1000).toFixed(micros < 10_000 ? 2 : micros < 100_000 ? 1 : 0)} ms` : '≥ timeout';
}

const cores = (value: number | undefined): string => (value === undefined ? 'not measurable' : `${value.toFixed(2)} cores`);
const share = (value: number | undefined): string => (value === undefined ? 'not measurable' : `${(value * 100).toFixed(1)} %`);
const perRequest = (coreCount: number | undefined, fired: number): string =>
  coreCount === undefined || fired === 0 ? '' : ` (${((coreCount * 1e6) / fired).toFixed(0)} µs a request)`;

/** All phases in one line, as wide as their time: what is done is inverse, or filled where there are no colours. */
export function phaseBar({ phases, phase, phaseElapsedSeconds }: LiveState, columns: number, coloured: boolean): Line {
  const total = phases.reduce((sum, { durationSeconds }) => sum + durationSeconds, 0);
  const width = Math.max(10, Math.min(columns - phases.length - 1, 96));
  return phases.flatMap(({ name, durationSeconds }, index): readonly Part[] => {
    const room = Math.max(3, Math.round((durationSeconds / total) * width));
    const done = index < phase ? 1 : index > phase ? 0 : Math.min(1, phaseElapsedSeconds / durationSeconds);
    const filled = Math.round(done * room);
    const label = ` ${name}`.slice(0, room).padEnd(room, ' ');
    const parts = coloured ? [styled('inverse', label.slice(0, filled)), styled('dim', label.slice(filled))] : ['█'.repeat(filled), label.slice(filled)];
    return index === 0 ? parts : ['│', ...parts];
  });
}

const marks: Readonly<Record<Standing['state'], Part>> = {
  holding: styled('green', '✓'),
  broken: styled('red', '✗'),
  'not-yet': styled('dim', '…'),
  unknown: styled('yellow', '?'),
};

function standingLine({ text, state, observed }: Standing, textWidth: number): Line {
  const shown = text.padEnd(textWidth);
  return [' ', marks[state], ' ', state === 'not-yet' ? styled('dim', shown) : shown, state === 'broken' ? styled('red', `  ${observed}`) : `  ${observed}`];
}

const titled = (title: string, ...parts: readonly Part[]): Line => [styled('dim', title.padEnd(10)), ...parts];

/** What a terminal shows, redrawn once a second. */
export function linesOf(state: LiveState, standings: readonly Standing[], columns: number, coloured: boolean): readonly Line[] {
  const { cells, phases, phase, phaseElapsedSeconds, elapsedSeconds, generatorCores, systemCores, stealShare } = state;
  const [planned, fired, answered, failed, shed, dropped] = (['planned', 'fired', 'answered', 'failed', 'shed', 'dropped'] as const).map((name) =>
    sumOf(cells, name),
  ) as [number, number, number, number, number, number];
  const current = phases[phase];
  const total = phases.reduce((sum, { durationSeconds }) => sum + durationSeconds, 0);
  const counted = (name: string, value: number): Part =>
    value > 0 ? styled(name === 'shed' ? 'yellow' : 'red', `${name} ${whole(value)}   `) : `${name} 0   `;
  const textWidth = Math.min(64, Math.max(0, ...standings.map(({ text }) => text.length)));
  return [
    phaseBar(state, columns, coloured),
    [
      styled('bold', current?.name ?? ''),
      ` ${Math.floor(Math.max(0, phaseElapsedSeconds))} of ${current?.durationSeconds ?? 0} s${current?.measured === false ? ', not measured' : ''}`,
      styled('dim', `   run ${Math.floor(elapsedSeconds)} of ${Math.ceil(total)} s`),
    ],
    titled('rate', `planned ${whole(planned)}/s   `, styled('bold', `fired ${whole(fired)}/s`), `   answered ${whole(answered)}/s`),
    titled(
      'response',
      `p50 ${quantileText(cells, 'response', 0.5)}   `,
      styled('bold', `p99 ${quantileText(cells, 'response', 0.99)}`),
      styled('dim', '      service   '),
      `p50 ${quantileText(cells, 'service', 0.5)}   p99 ${quantileText(cells, 'service', 0.99)}`,
    ),
    titled(
      'trouble',
      counted('failed', failed),
      counted('shed', shed),
      counted('dropped', dropped),
      `dispatch p99 ${quantileText(cells, 'dispatch_delay', 0.99)}`,
    ),
    titled(
      'cpu',
      `generator ${cores(generatorCores)}${perRequest(generatorCores, fired)}   service ${cores(systemCores)}${perRequest(systemCores, fired)}   `,
      (stealShare ?? 0) > 0.05 ? styled('yellow', `steal ${share(stealShare)}`) : `steal ${share(stealShare)}`,
    ),
    ...standings.map((standing) => standingLine(standing, textWidth)),
  ];
}

/** What a log gets every few seconds. */
export function plainLineOf({ cells, phases, phase, elapsedSeconds, generatorCores, systemCores, stealShare }: LiveState): string {
  return [
    `${Math.floor(elapsedSeconds)} s`.padStart(6),
    (phases[phase]?.name ?? '').padEnd(10),
    `planned ${sumOf(cells, 'planned')}/s fired ${sumOf(cells, 'fired')}/s answered ${sumOf(cells, 'answered')}/s`,
    `response p50 ${quantileText(cells, 'response', 0.5)} p99 ${quantileText(cells, 'response', 0.99)}, service p99 ${quantileText(cells, 'service', 0.99)}`,
    `failed ${sumOf(cells, 'failed')} shed ${sumOf(cells, 'shed')} dropped ${sumOf(cells, 'dropped')}`,
    `generator ${cores(generatorCores)}, service ${cores(systemCores)}, steal ${share(stealShare)}`,
  ].join('  ');
}
