/** What is drawn of streams, as data. */
import { timesOf } from '#harness/metrics/fold.ts';
import type { RunResult, StreamCell, StreamCounts, Verdict } from '#harness/run-result.ts';
import { ms } from './numbers.ts';
import { type Line, limitsOf, most, plain, quantileLines, type TimePlot } from './plot.ts';
import { type Column, coveredShares, maxOf, mostBeside, quantileColumns, ratesOf, recordColumn, secondsOf, sumColumn, sumOf } from './series.ts';

const readerColours = ['fired', 'answered', 'gc', 'lag', 'steal', 'p99'] as const;

/** None of a run without streams. */
export function streamPlots(result: RunResult, verdict: Verdict): readonly TimePlot[] {
  if (result.streams === undefined) return [];
  const { cells } = result.streams;
  return [
    heldPlot(result, cells),
    ...readersOf(result, cells).map((reader) => lagPlot(result, verdict, reader, cells)),
    framesPlot(result, cells),
    endedPlot(result, cells),
  ];
}

/** As the scenario names them; watchers of presence are in no list of its. */
function readersOf({ run }: RunResult, cells: readonly StreamCell[]): readonly string[] {
  const there = new Set(cells.map(({ reader }) => reader));
  const named = (run.scenario.streams?.readers ?? []).map(({ name }) => name).filter((name) => there.has(name));
  return [...new Set([...named, ...there])];
}

const heldColumn = (seconds: number, cells: readonly StreamCell[], name: keyof StreamCell['held']): Column =>
  recordColumn(
    seconds,
    cells,
    ({ held }) => held[name],
    (a, b) => a + b,
  );

function heldPlot(result: RunResult, cells: readonly StreamCell[]): TimePlot {
  const seconds = secondsOf(result);
  const live = readersOf(result, cells).map(
    (reader, index): Line => ({
      label: `${reader} live`,
      values: heldColumn(
        seconds,
        cells.filter((cell) => cell.reader === reader),
        'live',
      ),
      colour: readerColours[index % readerColours.length] as string,
      look: index === 0 ? 'area' : 'line',
    }),
  );
  const lines: readonly Line[] = [
    ...live,
    { label: 'opening', values: heldColumn(seconds, cells, 'opening'), colour: 'caution', look: 'line' },
    { label: 'waiting', values: heldColumn(seconds, cells, 'waiting'), colour: 'bad', look: 'dashed' },
  ];
  const about =
    'At each second’s end. Live: caught up. Opening: dialled and not yet caught up. Waiting: away, until the reference client’s law lets it try again.';
  const spoken = `Streams by second: ${lines.map((line) => `${line.label} at most ${most(line)}`).join(', ')}.`;
  return { ...plain, id: 'held', title: 'Streams held', about, unit: 'streams', wide: true, lines, spoken };
}

function lagPlot(result: RunResult, verdict: Verdict, reader: string, all: readonly StreamCell[]): TimePlot {
  const cells = all.filter((cell) => cell.reader === reader);
  const { p50, p99, max } = quantileColumns(secondsOf(result), cells, (some: readonly StreamCell[]) => timesOf(some, 'delivery_lag'));
  return {
    ...plain,
    id: `delivery-${reader}`,
    title: `Delivery lag of ${reader}`,
    about:
      'From the acknowledgement of a write to the arrival of its change, by the second of the acknowledgement. Shaded seconds are the generator’s or the machine’s own trouble.',
    unit: 'ms',
    log: true,
    shaded: true,
    wide: true,
    lines: quantileLines({ p50, p99, max }),
    limits: limitsOf(result, verdict, 'delivery_lag_ms', { reader }),
    spoken: `Delivery lag of ${reader} in milliseconds by second: p50 at most ${ms(maxOf(p50))}, p99 at most ${ms(maxOf(p99))}, worst ${ms(maxOf(max))}.`,
  };
}

type Counted = readonly [label: string, name: keyof StreamCounts, colour: string, look: Line['look']];

const countedLines = (result: RunResult, cells: readonly StreamCell[], counted: readonly Counted[]): readonly Line[] =>
  counted.map(([label, name, colour, look]) => ({ label, values: sumColumn(secondsOf(result), cells, ({ counts }) => counts[name]), colour, look }));

const spokenOf = (lines: readonly Line[]): string => `Per second: ${lines.map((line) => `at most ${most(line)} ${line.label}`).join(', ')}.`;

function framesPlot(result: RunResult, cells: readonly StreamCell[]): TimePlot {
  const shares = coveredShares(secondsOf(result), result.phases);
  const counted = countedLines(result, cells, [
    ['changes', 'changes', 'answered', 'area'],
    ['heartbeats', 'heartbeats', 'p50', 'line'],
  ]);
  const lines = counted.map((line) => ({ ...line, values: ratesOf(line.values, shares, mostBeside(line.values)) }));
  return {
    ...plain,
    id: 'frames',
    title: 'Frames',
    about: 'That readers received: changes, and heartbeats where there was nothing to say.',
    unit: '/s',
    lines,
    spoken: spokenOf(lines),
  };
}

function endedPlot(result: RunResult, cells: readonly StreamCell[]): TimePlot {
  const always = countedLines(result, cells, [
    ['dialled', 'dialled', 'fired', 'line'],
    ['lost', 'lost', 'bad', 'line'],
    ['goodbyes', 'byes', 'gc', 'line'],
  ]);
  const seldom = countedLines(result, cells, [
    ['refused', 'refused', 'caution', 'dashed'],
    ['failed', 'failed', 'muted', 'dashed'],
  ]).filter(({ values }) => sumOf(values) > 0);
  const lines = [...always, ...seldom];
  const about = 'Dialled: connections begun, polls included. Lost: ended without a goodbye.';
  return { ...plain, id: 'ended', title: 'Streams ended and dialled', about, unit: '/s', lines, spoken: spokenOf(lines), shaded: true };
}
