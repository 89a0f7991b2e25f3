/**
 * How old records are by the store's time. A record carries the wall clock's reading, which may be wrong, so *marks* stand beside the log: at such a
 * time such a record was the last. What lies before a mark is at least as old as the mark.
 */
import { anchorNow, createStoreTime, type MachineClock, type StoreTime, type TimeAnchor } from '#system/store/store-time.ts';
import { readRow, type Tables, writeRow } from './tables.ts';

type Mark = { readonly sequence: number; readonly storeMs: number; readonly offsetMs: number };

/** Bounds how much longer than its window a record stays; a day has 1,440 of them. */
const markEveryMs = 60_000;
const stepMsMin = 1000;
const marksRemovedAtOnce = 256;

const anchorKey = 'time';
const keyOf = (sequence: number): Buffer => Buffer.from(`age/${String(sequence).padStart(16, '0')}`);
const begin = Buffer.from('age/');
const end = Buffer.from('age0');

export type OpenTime = {
  readonly anchor: TimeAnchor;
  readonly time: StoreTime;
  readonly ages: Ages /** Inside a write transaction. */;
  readonly settle: () => void;
};

/** As the data carry it on; `settle` writes down that this is another life of the machine. */
export function openTime(tables: Tables, machine: MachineClock): OpenTime {
  const before = readRow<TimeAnchor>(tables.rows, anchorKey);
  const anchor = anchorNow(before, machine);
  const time = createStoreTime(anchor, machine);
  const goesOn = before?.boot === anchor.boot && before.uptimeMs <= anchor.uptimeMs;
  const settle = (): void => (goesOn ? undefined : writeRow(tables.rows, anchorKey, anchor));
  const now = (): TimeAnchor => ({ boot: anchor.boot, uptimeMs: anchor.uptimeMs + time.nowMs() - anchor.storeMs, storeMs: time.nowMs() });
  return { anchor, time, settle, ages: createAges(tables, time, () => writeRow(tables.rows, anchorKey, now())) };
}

export type Ages = {
  /** Inside a write transaction; `last`: the newest record that is there. Says where marks are due; else it costs nothing. */
  readonly mark: (last: number) => void;
};

/** `keepTime`: what another life of the machine goes on from. */
function createAges(tables: Tables, time: StoreTime, keepTime: () => void): Ages {
  let known: Mark | undefined;
  const isDue = ({ storeMs, offsetMs }: Omit<Mark, 'sequence'>): boolean =>
    known === undefined || storeMs - known.storeMs >= markEveryMs || Math.abs(offsetMs - known.offsetMs) >= stepMsMin;
  return {
    mark: (last) => {
      const now = { storeMs: time.nowMs(), offsetMs: time.offsetMs() };
      if (!isDue(now)) return;
      // Another process may have been here.
      const other = lastMark(tables);
      if (other !== undefined && (known === undefined || other.sequence > known.sequence)) known = other;
      if (!isDue(now)) return;
      // What is there was received by the clock as it was before; a record that is marked already is no younger for being the last still.
      const mark = { sequence: last, storeMs: now.storeMs, offsetMs: known?.offsetMs ?? now.offsetMs };
      keepTime();
      if (known?.sequence !== last) writeRow(tables.rows, keyOf(last), mark satisfies Mark);
      known = { ...mark, offsetMs: now.offsetMs };
    },
  };
}

function lastMark(tables: Tables): Mark | undefined {
  for (const { value } of tables.rows.getRange({ start: end, end: begin, reverse: true, limit: 1 })) return JSON.parse(value.toString()) as Mark;
  return undefined;
}

/** Inside a write transaction: the last record that was there before `beforeMs` of the store's time, as far as is known. Forgets the marks before it. */
export function agedThrough(tables: Tables, beforeMs: number): number {
  let aged: Mark | undefined;
  const passed: Buffer[] = [];
  for (const { value } of tables.rows.getRange({ start: keyOf(0), end, limit: marksRemovedAtOnce })) {
    const mark = JSON.parse(value.toString()) as Mark;
    if (mark.storeMs > beforeMs) break;
    if (aged !== undefined) passed.push(keyOf(aged.sequence));
    aged = mark;
  }
  for (const key of passed) tables.rows.removeSync(key);
  return aged?.sequence ?? 0;
}

/** When a record was received, by the store's time: what its own clock says, within the marks that it lies between. */
export function storeTimeOf(tables: Tables, time: StoreTime, { sequence, receivedAtMs }: { readonly sequence: number; readonly receivedAtMs: number }): number {
  const [after] = marksFrom(tables, sequence, false);
  const [before] = marksFrom(tables, sequence - 1, true);
  const mine = receivedAtMs - (after?.offsetMs ?? time.offsetMs());
  return Math.max(before?.storeMs ?? Number.NEGATIVE_INFINITY, Math.min(mine, after?.storeMs ?? time.nowMs()));
}

function marksFrom(tables: Tables, sequence: number, reverse: boolean): readonly Mark[] {
  const range = reverse ? { start: keyOf(sequence), end: begin, reverse } : { start: keyOf(sequence), end };
  return [...tables.rows.getRange({ ...range, limit: 1 })].map(({ value }) => JSON.parse(value.toString()) as Mark);
}
