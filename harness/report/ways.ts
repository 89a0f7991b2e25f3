/** Streams beside polls: what the same news cost by either way. Only where a scenario drives both. */
import { measurableSeconds, secondsOf } from '#harness/gates/observe-single.ts';
import { sumStreams } from '#harness/gates/stream-samples.ts';
import { quantileSet } from '#harness/gates/verdict-figures.ts';
import { timesOf } from '#harness/metrics/fold.ts';
import type { QuantileSet, RunResult } from '#harness/run-result.ts';
import type { Reader } from '#harness/scenario.ts';
import { cellsByPhaseAndReader, type ReaderCells } from './stream-rows.ts';

export type WayRow = {
  readonly phase: string;
  readonly reader: string;
  readonly way: string;
  readonly heldMax: number;
  readonly dialledPerSecond: number;
  readonly bytesPerSecond: number;
  /** Of the whole service in the phase; null: not measurable, or two ways ran at once. */
  readonly serviceCores: number | null;
  readonly serviceMicrosPerChange: number | null;
  readonly lagMs: QuantileSet;
  readonly changes: number;
};

/** Of a phase's stream-seconds: below it a reader is one of the phase before, on its way out. */
const shareMin = 0.01;

export function wayOf({ way }: Reader): string {
  if (way?.kind === 'poll') return `poll every ${way.everySeconds} s`;
  return way?.as === undefined || way.as === 'ndjson' ? 'stream' : `stream as ${way.as}`;
}
const kindOf = (way: string): string => (way.startsWith('poll') ? 'poll' : way);

export function wayRows(result: RunResult): readonly WayRow[] {
  const ways = new Map(result.run.scenario.streams?.readers.map((reader) => [reader.name, wayOf(reader)]));
  if (new Set([...ways.values()].map(kindOf)).size < 2) return [];
  const phases = Map.groupBy(
    cellsByPhaseAndReader(result).filter(({ measured }) => measured),
    ({ index }) => index,
  );
  return [...phases.values()].flatMap((groups) => {
    const present = presentIn(groups);
    const wayNames = new Set(present.map(({ reader }) => ways.get(reader)));
    return present.map((group) => rowOf(result, group, { way: ways.get(group.reader) ?? 'stream', isAlone: wayNames.size === 1, others: present }));
  });
}

const liveSeconds = ({ cells }: ReaderCells): number => cells.reduce((sum, { held }) => sum + held.live, 0);

function presentIn(groups: readonly ReaderCells[]): readonly ReaderCells[] {
  const all = groups.reduce((sum, group) => sum + liveSeconds(group), 0);
  return groups.filter((group) => liveSeconds(group) > 0 && liveSeconds(group) >= shareMin * all);
}

type Beside = { readonly way: string; readonly isAlone: boolean; readonly others: readonly ReaderCells[] };

function rowOf(result: RunResult, { phase, index, reader, cells }: ReaderCells, { way, isAlone, others }: Beside): WayRow {
  const record = result.phases[index];
  const lastedSeconds = (record?.endSeconds ?? 0) - (record?.startSeconds ?? 0);
  const perSecond = (count: number): number => (lastedSeconds === 0 ? 0 : count / lastedSeconds);
  const cpu = measurableSeconds(result.processes, 'system', secondsOf(result, { phase }));
  const micros = [...cpu.values()].reduce((sum, one) => sum + one, 0);
  const told = others.flatMap((one) => one.cells).filter(({ second }) => cpu.has(second));
  const changes = sumStreams(told, 'changes');
  const isTold = isAlone && cpu.size > 0;
  return {
    phase,
    reader,
    way,
    heldMax: Math.max(...cells.map(({ held }) => held.live)),
    dialledPerSecond: perSecond(sumStreams(cells, 'dialled')),
    bytesPerSecond: perSecond(sumStreams(cells, 'bytesIn', 'bytesOut')),
    serviceCores: isTold ? micros / (cpu.size * 1e6) : null,
    serviceMicrosPerChange: isTold && changes > 0 ? micros / changes : null,
    lagMs: quantileSet(timesOf(cells, 'delivery_lag')),
    changes: sumStreams(cells, 'changes'),
  };
}
