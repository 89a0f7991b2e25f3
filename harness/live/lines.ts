/** State → lines. Pure. */

import { sumStreams } from '#harness/gates/stream-samples.ts';
import type { ParsedThreshold } from '#harness/gates/threshold.ts';
import { timesOf } from '#harness/metrics/fold.ts';
import type { ArrivalPhase } from '#harness/pacing/plan.ts';
import { peakPerSecond } from '#harness/pacing/rate.ts';
import type { Cell, CellCounts, TimeName } from '#harness/run-result.ts';
import type { Scenario } from '#harness/scenario.ts';
import { type LiveStreams, plainStreamParts, streamLines } from './stream-lines.ts';
import { type Line, type Part, styled, titled } from './styled.ts';
import { timeText, whole } from './texts.ts';
import type { Standing } from './thresholds.ts';
import { type LiveWebhooks, plainWebhookParts, webhookLines } from './webhook-lines.ts';

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
  /** Only of a scenario with streams. */
  readonly streams?: LiveStreams;
  /** Only of a scenario with receivers of webhooks. */
  readonly webhooks?: LiveWebhooks;
  readonly generatorCores: number | undefined;
  readonly systemCores: number | undefined;
  readonly stealShare: number | undefined;
  readonly thresholds: readonly ParsedThreshold[];
};

const sumOf = (cells: readonly Cell[], name: keyof CellCounts): number => cells.reduce((sum, { counts }) => sum + counts[name], 0);
/** Who was due in that second and is not answered yet: the second shown is over for one at least, so each has waited for longer. */
function waitingIn(cells: readonly Cell[]): number {
  const settled = (['good', 'failed', 'shed', 'neverFired'] as const).reduce((sum, name) => sum + sumOf(cells, name), 0);
  return Math.max(0, sumOf(cells, 'planned') - settled);
}

/** Failures are worse than every time, as the judge has it, and who still waits than those who were answered: an overloaded service looks quick by its answers alone. */
function quantileText(cells: readonly Cell[], time: TimeName, q: number): string {
  const waiting = waitingIn(cells);
  return timeText(timesOf(cells, time), q, { beyond: sumOf(cells, 'failed') + waiting, never: waiting > 0 ? '> 1 s so far' : '≥ timeout' });
}

const cores = (value: number | undefined): string => (value === undefined ? 'not measurable' : `${value.toFixed(2)} cores`);
const share = (value: number | undefined): string => (value === undefined ? 'not measurable' : `${(value * 100).toFixed(1)} %`);

/** Of requests; of frames where none is fired. */
function perOne({ cells, streams }: LiveState, coreCount: number | undefined): string {
  const fired = sumOf(cells, 'fired');
  const done = fired > 0 ? fired : sumStreams(streams?.cells ?? [], 'frames');
  return coreCount === undefined || done === 0 ? '' : ` (${((coreCount * 1e6) / done).toFixed(0)} µs a ${fired > 0 ? 'request' : 'frame'})`;
}

/** All phases in one line, as wide as their time: what is done is inverse, or filled where there are no colours. */
export function phaseBar({ phases, phase, phaseElapsedSeconds }: LiveState, columns: number, coloured: boolean): Line {
  const total = phases.reduce((sum, { durationSeconds }) => sum + durationSeconds, 0);
  const width = Math.max(10, Math.min(columns - phases.length - 1, 96));
  return phases.flatMap(({ name, durationSeconds }, index): readonly Part[] => {
    const room = Math.max(3, Math.round((durationSeconds / total) * width));
    const done = index < phase ? 1 : index > phase ? 0 : Math.min(1, Math.max(0, phaseElapsedSeconds / durationSeconds));
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

/** Of a scenario that asks the service nothing there is nothing to show of requests. */
const plansRequests = ({ phases }: LiveState): boolean => phases.some((phase) => peakPerSecond(phase) > 0);

/** What a terminal shows, redrawn once a second. */
export function linesOf(state: LiveState, standings: readonly Standing[], columns: number, coloured: boolean): readonly Line[] {
  const { phases, phase, phaseElapsedSeconds, elapsedSeconds, generatorCores, systemCores, stealShare, streams, webhooks } = state;
  const current = phases[phase];
  const total = phases.reduce((sum, { durationSeconds }) => sum + durationSeconds, 0);
  const textWidth = Math.min(64, Math.max(0, ...standings.map(({ text }) => text.length)));
  return [
    phaseBar(state, columns, coloured),
    [
      styled('bold', current?.name ?? ''),
      ` ${Math.floor(Math.max(0, phaseElapsedSeconds))} of ${current?.durationSeconds ?? 0} s${current?.measured === false ? ', not measured' : ''}`,
      styled('dim', `   run ${Math.floor(elapsedSeconds)} of ${Math.ceil(total)} s`),
    ],
    ...(plansRequests(state) ? requestLines(state.cells) : []),
    ...(streams === undefined ? [] : streamLines(streams)),
    ...(webhooks === undefined ? [] : webhookLines(webhooks)),
    titled(
      'cpu',
      `generator ${cores(generatorCores)}${perOne(state, generatorCores)}   service ${cores(systemCores)}${perOne(state, systemCores)}   `,
      (stealShare ?? 0) > 0.05 ? styled('yellow', `steal ${share(stealShare)}`) : `steal ${share(stealShare)}`,
    ),
    ...standings.map((standing) => standingLine(standing, textWidth)),
  ];
}

function requestLines(cells: readonly Cell[]): readonly Line[] {
  const counted = (name: 'failed' | 'shed' | 'neverFired' | 'firedLate', title: string = name): Part => {
    const value = sumOf(cells, name);
    return value > 0 ? styled(name === 'shed' ? 'yellow' : 'red', `${title} ${whole(value)}   `) : `${title} 0   `;
  };
  return [
    titled(
      'rate',
      `planned ${whole(sumOf(cells, 'planned'))}/s   `,
      styled('bold', `fired ${whole(sumOf(cells, 'fired'))}/s`),
      `   answered ${whole(sumOf(cells, 'answered'))}/s`,
    ),
    titled(
      'response',
      `p50 ${quantileText(cells, 'response', 0.5)}   `,
      styled('bold', `p99 ${quantileText(cells, 'response', 0.99)}`),
      styled('dim', '      service   '),
      `p50 ${quantileText(cells, 'service', 0.5)}   p99 ${quantileText(cells, 'service', 0.99)}`,
    ),
    titled(
      'trouble',
      counted('failed'),
      counted('shed'),
      counted('neverFired', 'never fired'),
      counted('firedLate', 'late'),
      `dispatch p99 ${quantileText(cells, 'dispatch_delay', 0.99)}`,
    ),
  ];
}

/** What a log gets every few seconds. */
export function plainLineOf(state: LiveState): string {
  const { cells, phases, phase, elapsedSeconds, generatorCores, systemCores, stealShare, streams, webhooks } = state;
  const requests = [
    `planned ${sumOf(cells, 'planned')}/s fired ${sumOf(cells, 'fired')}/s answered ${sumOf(cells, 'answered')}/s`,
    `response p50 ${quantileText(cells, 'response', 0.5)} p99 ${quantileText(cells, 'response', 0.99)}, service p99 ${quantileText(cells, 'service', 0.99)}`,
    `failed ${sumOf(cells, 'failed')} shed ${sumOf(cells, 'shed')} never fired ${sumOf(cells, 'neverFired')} late ${sumOf(cells, 'firedLate')}`,
  ];
  return [
    `${Math.floor(elapsedSeconds)} s`.padStart(6),
    (phases[phase]?.name ?? '').padEnd(10),
    ...(plansRequests(state) ? requests : []),
    ...(streams === undefined ? [] : plainStreamParts(streams)),
    ...(webhooks === undefined ? [] : plainWebhookParts(webhooks)),
    `generator ${cores(generatorCores)}, service ${cores(systemCores)}, steal ${share(stealShare)}`,
  ].join('  ');
}
