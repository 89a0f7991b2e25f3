/** Streams → lines. Pure. */
import { awayOf, sumStreams } from '#harness/gates/stream-samples.ts';
import { timesOf } from '#harness/metrics/fold.ts';
import type { StreamCell, StreamCounts } from '#harness/run-result.ts';
import { type Line, type Part, styled, titled } from './styled.ts';
import { timeText, whole } from './texts.ts';

export type LiveStreams = {
  /** Of the last whole second. */
  readonly cells: readonly StreamCell[];
  /** Of the run until now; asked only where thresholds are shown, or somebody is away. */
  readonly allCells: () => readonly StreamCell[];
};

const held = (cells: readonly StreamCell[], name: keyof StreamCell['held']): number => cells.reduce((sum, cell) => sum + cell.held[name], 0);

export function streamLines({ cells, allCells }: LiveStreams): readonly Line[] {
  const waiting = held(cells, 'waiting');
  return [
    titled(
      'streams',
      styled('bold', `held ${whole(held(cells, 'live'))}`),
      `   opening ${whole(held(cells, 'opening'))}   `,
      waiting > 0 ? styled('yellow', `waiting ${whole(waiting)}`) : 'waiting 0',
      '      ',
      ...counted(cells, 'lost', 'red'),
      ...counted(cells, 'byes', 'yellow'),
    ),
    titled(
      'delivery',
      `changes ${whole(sumStreams(cells, 'changes'))}/s   lag p50 ${lag(cells, 0.5)}   `,
      styled('bold', `p99 ${lag(cells, 0.99)}`),
      `      gap max ${timeText(timesOf(cells, 'frame_gap'), 1)}   `,
      ...counted(cells, 'heartbeatsMissed', 'red', 'heartbeats missed'),
    ),
    ...(waiting > 0 ? herdLines(allCells()) : []),
  ];
}

const lag = (cells: readonly StreamCell[], q: number): string => timeText(timesOf(cells, 'delivery_lag'), q);

function counted(cells: readonly StreamCell[], name: keyof StreamCounts, tone: 'red' | 'yellow', word: string = name): readonly Part[] {
  const value = sumStreams(cells, name);
  return [value > 0 ? styled(tone, `${word} ${whole(value)}`) : `${word} 0`, '   '];
}

/** The herd: all that ended since the first who is still away did. Nobody of those who could not open a first time was there before. */
function herdLines(cells: readonly StreamCell[]): readonly Line[] {
  const first = cells.find((cell) => awayOf(cell) > 0)?.second;
  if (first === undefined) return [];
  const herd = cells.filter(({ second }) => second >= first);
  const away = herd.reduce((sum, cell) => sum + awayOf(cell), 0);
  const ended = sumStreams(herd, 'lost', 'byes') - sumStreams(herd, 'abandoned');
  return [titled('herd', styled('yellow', `${whole(away)} away`), `, ${(100 * (1 - away / ended)).toFixed(1)} % back`)];
}

/** What a log gets of them. */
export function plainStreamParts({ cells }: LiveStreams): readonly string[] {
  return [
    `held ${held(cells, 'live')} opening ${held(cells, 'opening')} waiting ${held(cells, 'waiting')}, lost ${sumStreams(cells, 'lost')} byes ${sumStreams(cells, 'byes')}`,
    `changes ${sumStreams(cells, 'changes')}/s lag p50 ${lag(cells, 0.5)} p99 ${lag(cells, 0.99)}, heartbeats missed ${sumStreams(cells, 'heartbeatsMissed')}`,
  ];
}
