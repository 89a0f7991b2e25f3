/** The verdict's figures of streams that nobody gates. */
import { timesOf } from '#harness/metrics/fold.ts';
import {
  type ItemLedgerRecord,
  type ItemSuspicions,
  type QuantileSet,
  type RunResult,
  type StreamCell,
  type StreamTimeName,
  streamTimeNames,
  type Verdict,
} from '#harness/run-result.ts';
import { heldExtremes } from './observe-held.ts';
import { mostLive, readerCells, sumStreams } from './stream-samples.ts';
import { quantileSet } from './verdict-figures.ts';

/** Nothing of a run without streams. Counts are of the whole run, as the ledger is; the fewest held of its measured phases. */
export function streamFiguresOf(result: RunResult): Pick<Verdict, 'streams'> {
  const { streams, items } = result;
  if (streams === undefined) return {};
  const cells = readerCells(result);
  const known = (value: number | undefined): number | null => (value === undefined || items?.incomplete !== undefined ? null : value);
  return {
    streams: {
      heldMax: mostLive(cells),
      heldMin: heldExtremes(result, {})?.min ?? 0,
      opened: sumStreams(cells, 'opened'),
      lost: sumStreams(cells, 'lost'),
      byes: sumStreams(cells, 'byes'),
      refused: sumStreams(cells, 'refused'),
      changesExpected: known(items?.expected),
      changesSeen: known(items?.seen),
      changesLost: known(changeCount(items, ['lost', 'lostFromLog'])),
      changesDuplicated: known(changeCount(items, ['duplicated'])),
      changesReordered: known(changeCount(items, ['reordered'])),
      changesLeaked: known(items?.leaked),
      timesMs: timesByPhase(result, cells),
    },
  };
}

/** Undefined where there may be some, and none that both witnesses told of. */
function changeCount(items: ItemLedgerRecord | undefined, kinds: readonly (keyof ItemSuspicions)[]): number | undefined {
  if (items === undefined) return undefined;
  const told = kinds.reduce((sum, kind) => sum + items[kind], 0);
  const isOpen = kinds.some((kind) => (items.unconfirmed?.[kind] ?? 0) > 0);
  return told === 0 && isOpen ? undefined : told;
}

type Times = Partial<Record<StreamTimeName, QuantileSet>>;

function timesByPhase({ phases }: RunResult, cells: readonly StreamCell[]): Record<string, Record<string, Times>> {
  const byPhase = Map.groupBy(cells, ({ phase }) => phase);
  return Object.fromEntries(
    phases.flatMap(({ name }, index) => {
      const ofPhase = byPhase.get(index);
      return ofPhase === undefined ? [] : [[name, timesByReader(ofPhase)]];
    }),
  );
}

const timesByReader = (cells: readonly StreamCell[]): Record<string, Times> =>
  Object.fromEntries([...Map.groupBy(cells, ({ reader }) => reader)].map(([reader, group]) => [reader, timesIn(group)]));

function timesIn(cells: readonly StreamCell[]): Times {
  const sets = streamTimeNames.map((name) => [name, quantileSet(timesOf(cells, name))] as const);
  return Object.fromEntries(sets.filter(([, set]) => set.count > 0));
}
