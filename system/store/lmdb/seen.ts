/**
 * What dedupe knows: the digest of every event accepted within `dedupeHours`. A digest is durable as a part of its log record, so accepting an
 * event writes nothing else. The youngest digests stand in a table in memory; a table that is full is written to disk as it is, as a *run*, in
 * pieces, a few with each commit. Of a run memory keeps two bytes a slot, and a piece is read only where those agree.
 *
 * Why not one B-tree of digests: each random put dirties a page of 4 KB, which was 60 % of a group's time and most of its bytes.
 *
 * Every process reads the records of the others before it decides (`catchUp`, inside the write transaction), and a table ends at a record that
 * the log alone decides, so all processes cut the same runs.
 */
import { digestBytes } from '#system/store/digest.ts';
import type { StoreTime } from '#system/store/store-time.ts';
import { storeTimeOf } from './ages.ts';
import { receivedAtOf, sequenceKey, visitDigests } from './codec.ts';
import { createDigestTable, type DigestTable, isAt, markOf, marksOf } from './digest-table.ts';
import { type Tables, writeRow } from './tables.ts';

export type SeenOptions = {
  readonly dedupeHours: number;
  /** A table ends at the first record that reaches this. */
  readonly eventsPerRun?: number | undefined;
  readonly time: StoreTime;
};

export type Seen = {
  /** Inside the write transaction, before `note`. `last`: the newest record's number. */
  readonly catchUp: (last: number) => void;
  /** False where the digest at `at` was there; else it is from now on, until `rollBack`. */
  readonly note: (bytes: Buffer, at: number) => boolean;
  /** Inside the write transaction, with the record that holds what was noted; writes a few pieces where a table is full. */
  readonly beforeCommit: (record: { readonly sequence: number; readonly receivedAtMs: number } | undefined) => void;
  readonly afterCommit: () => void;
  readonly rollBack: () => void;
  /** Whether something is older than dedupe remembers, and `dropAged` takes it. `last`: the newest record's number. Costs no write. */
  readonly hasAged: (last: number) => boolean;
  /** Inside the write transaction, after `catchUp`. */
  readonly dropAged: (last: number) => void;
  /** Records up to this one may be pruned: their digests stand in a run, or nobody asks for them any more. */
  readonly sealedThrough: () => number;
};

/** `endedAtMs`: of the store's time, when it was published. */
type RunRow = { readonly run: number; readonly through: number; readonly slots: number; readonly endedAtMs: number };
type SeenRow = {
  readonly runs: readonly RunRow[];
  readonly sealedThrough: number;
  /** Digests of records up to this one that were in no run are forgotten: nothing was accepted for as long as dedupe remembers. */
  readonly forgottenThrough?: number;
  /** The number of the youngest run that there was. */
  readonly lastRun?: number;
};
type Full = { readonly row: RunRow; readonly table: DigestTable; readonly written: number; readonly mine: boolean };
type Run = { readonly row: RunRow; readonly marks: Uint16Array };

/** With a record's most, half of 2¹⁹ slots: 8 MB in memory while a table fills. */
const eventsPerRunDefault = 3 * 2 ** 16;
const eventsPerRecordMax = 2 ** 16;
/** A table ends at this age too, so that a quiet service's log can be pruned. */
const runAgeMaxMs = 3_600_000;
const slotsPerPiece = 2 ** 12;
const piecesPerCommit = 4;
const runsDroppedAtOnce = 2;
const nothingSeen: SeenRow = { runs: [], sealedThrough: 0 };

type State = {
  readonly tables: Tables;
  readonly dedupeHours: number;
  readonly time: StoreTime;
  readonly eventsPerRun: number;
  readonly slots: number;
  rowBytes: Buffer | undefined;
  row: SeenRow;
  runs: readonly Run[];
  /** Ended, and not on disk as a whole yet; oldest first. */
  full: readonly Full[];
  open: DigestTable;
  openSinceMs: number | undefined;
  /** The last record whose digests are known here. */
  known: number;
};

export function openSeen(tables: Tables, { dedupeHours, time, eventsPerRun = eventsPerRunDefault }: SeenOptions): Seen {
  const slots = 2 ** Math.ceil(Math.log2(2 * (eventsPerRun + eventsPerRecordMax)));
  const empty = { rowBytes: undefined, row: nothingSeen, runs: [], full: [], openSinceMs: undefined, known: 0 };
  const state: State = { tables, dedupeHours, time, eventsPerRun, slots, open: createDigestTable(slots), ...empty };
  /** The digests noted since the last commit, four words each. */
  let noted: number[] = [];
  let commit: (() => void) | undefined;

  return {
    catchUp: (last) => catchUp(state, last),
    note: (bytes, at) => {
      const digest = wordsAt(bytes, at);
      if (isSeen(state, ...digest)) return false;
      state.open.add(...digest);
      noted.push(...digest);
      return true;
    },
    beforeCommit: (record) => {
      const sealing = state.full[0];
      // The process whose commit ended a table writes it; where it did not live to, the one that holds two of them does.
      const progress = sealing !== undefined && (sealing.mine || state.full.length > 1) ? seal(state, sealing) : undefined;
      commit = () => {
        progress?.();
        if (record !== undefined) absorb(state, record.sequence, record.receivedAtMs, true);
        noted = [];
      };
    },
    afterCommit: () => {
      commit?.();
      commit = undefined;
    },
    rollBack: () => {
      commit = undefined;
      for (let at = noted.length - 4; at >= 0; at -= 4) state.open.removeLast(...(noted.slice(at, at + 4) as unknown as Digest));
      noted = [];
    },
    hasAged: (last) => expiredRuns(state).length > 0 || isAllAged(state, last),
    dropAged: (last) => dropAged(state, last),
    sealedThrough: () => state.row.sealedThrough,
  };
}

function catchUp(state: State, last: number): void {
  const bytes = state.tables.rows.getBinary(seenKey);
  if (bytes !== undefined && (state.rowBytes === undefined || !bytes.equals(state.rowBytes))) adopt(state, bytes);
  while (state.known < last) {
    const sequence = state.known + 1;
    const record = state.tables.log.getBinary(sequenceKey(sequence));
    if (record === undefined) {
      state.known = sequence;
      continue;
    }
    visitDigests(sequence, record, (digests, at) => state.open.add(...wordsAt(digests, at)));
    absorb(state, sequence, receivedAtOf(record), false);
  }
}

/** Takes over what a process, this one too, published. */
function adopt(state: State, bytes: Buffer): void {
  const row = JSON.parse(bytes.toString()) as SeenRow;
  // What this process gathered of them is no part of the table that all begin anew.
  if ((row.forgottenThrough ?? 0) > (state.row.forgottenThrough ?? 0)) beginAfter(state, row.sealedThrough);
  state.runs = row.runs.map((each) => {
    const present = state.runs.find(({ row: { run } }) => run === each.run);
    const own = state.full.find(({ row: { run } }) => run === each.run);
    return present ?? { row: each, marks: own === undefined ? readMarks(state.tables, each) : marksOf(own.table.words) };
  });
  state.rowBytes = bytes;
  state.row = row;
  state.full = state.full.filter(({ row: { through } }) => through > row.sealedThrough);
  if (state.known < row.sealedThrough) beginAfter(state, row.sealedThrough);
}

/** With an open table that knows nothing: what stands in the log behind it is read again. */
function beginAfter(state: State, sequence: number): void {
  state.full = [];
  state.known = sequence;
  state.open = createDigestTable(state.slots);
  state.openSinceMs = undefined;
}

/** The open table knows the record now; where the log decides it, the table ends with it. */
function absorb(state: State, sequence: number, receivedAtMs: number, mine: boolean): void {
  state.known = sequence;
  state.openSinceMs ??= receivedAtMs;
  // Either way: a wall clock that was put back would keep the table open until it is where it was.
  if (state.open.size() < state.eventsPerRun && Math.abs(receivedAtMs - state.openSinceMs) < runAgeMaxMs) return;
  const run = youngestRun(state) + 1;
  const row = { run, through: sequence, slots: state.slots, endedAtMs: receivedAtMs };
  state.full = [...state.full, { row, table: state.open, written: 0, mine }];
  state.open = createDigestTable(state.slots);
  state.openSinceMs = undefined;
}

const youngestRun = ({ full, row }: State): number => full.at(-1)?.row.run ?? Math.max(row.runs.at(-1)?.run ?? 0, row.lastRun ?? 0);

type Digest = readonly [a: number, b: number, c: number, d: number];

const isSeen = ({ tables, open, full, runs }: State, ...digest: Digest): boolean =>
  open.has(...digest) || full.some(({ table }) => table.has(...digest)) || runs.some((run) => isInRun(tables, run, ...digest));

/** Writes the next pieces; with the last one the run is published. Returns what to change in memory once that is committed. */
function seal(state: State, { row: sealing, table, written }: Full): () => void {
  const { tables, row } = state;
  const pieces = sealing.slots / slotsPerPiece;
  const bytes = Buffer.from(table.words.buffer);
  const to = Math.min(written + piecesPerCommit, pieces);
  for (let piece = written; piece < to; piece++) tables.seen.putSync(pieceKey(sealing.run, piece), pieceOf(bytes, piece));
  if (to < pieces) {
    return () => {
      state.full = state.full.map((each) => (each.row.run === sealing.run ? { ...each, written: to } : each));
    };
  }
  tables.seen.putSync(marksKey(sealing.run), Buffer.from(marksOf(table.words).buffer));
  const endedAtMs = state.time.nowMs();
  const expired = expiredRuns(state);
  for (const run of expired) dropRun(tables, run);
  const kept = row.runs.filter((run) => !expired.includes(run));
  writeRow(tables.rows, seenKey, { ...row, runs: [...kept, { ...sealing, endedAtMs }], sealedThrough: sealing.through } satisfies SeenRow);
  // The row is adopted by the next catchUp, here as in every other process.
  return () => undefined;
}

function expiredRuns({ row, time, dedupeHours }: State): readonly RunRow[] {
  const beforeMs = time.nowMs() - dedupeHours * hourMs;
  return row.runs.filter(({ endedAtMs }) => endedAtMs <= beforeMs).slice(0, runsDroppedAtOnce);
}

/** Records that are in no run, and the youngest of them older than dedupe remembers. */
function isAllAged({ tables, time, dedupeHours, row }: State, last: number): boolean {
  const record = row.sealedThrough < last ? tables.log.getBinary(sequenceKey(last)) : undefined;
  if (record === undefined) return false;
  return storeTimeOf(tables, time, { sequence: last, receivedAtMs: receivedAtOf(record) }) < time.nowMs() - dedupeHours * hourMs;
}

/** Every process takes it over with its next `catchUp`, so that all begin the same table anew. */
function dropAged(state: State, last: number): void {
  const { tables, row } = state;
  const expired = expiredRuns(state);
  const isAll = isAllAged(state, last);
  if (expired.length === 0 && !isAll) return;
  for (const run of expired) dropRun(tables, run);
  const published = Math.max(row.runs.at(-1)?.run ?? 0, row.lastRun ?? 0);
  const kept = { ...row, runs: row.runs.filter((run) => !expired.includes(run)), lastRun: published };
  writeRow(tables.rows, seenKey, (isAll ? { ...kept, ...forgotten(state, last) } : kept) satisfies SeenRow);
}

/** Tables that ended and are no run yet go too, with what was written of them. */
function forgotten(state: State, last: number): Pick<SeenRow, 'sealedThrough' | 'forgottenThrough' | 'lastRun'> {
  for (const { row } of state.full) dropRun(state.tables, row);
  return { sealedThrough: last, forgottenThrough: last, lastRun: youngestRun(state) };
}

const hourMs = 3_600_000;
const seenKey = Buffer.from('seen');
const wordsAt = (bytes: Buffer, at: number): Digest => [
  bytes.readUInt32LE(at),
  bytes.readUInt32LE(at + 4),
  bytes.readUInt32LE(at + 8),
  bytes.readUInt32LE(at + 12),
];

const pieceBytes = slotsPerPiece * digestBytes;
const pieceOf = (bytes: Buffer, piece: number): Buffer => bytes.subarray(piece * pieceBytes, (piece + 1) * pieceBytes);

function pieceKey(run: number, piece: number): Buffer {
  const key = Buffer.allocUnsafe(6);
  key.writeUInt32BE(run);
  key.writeUInt16BE(piece, 4);
  return key;
}
const marksKey = (run: number): Buffer => pieceKey(run, 0xffff);

function readMarks(tables: Tables, { run, slots }: RunRow): Uint16Array {
  const bytes = tables.seen.getBinary(marksKey(run));
  if (bytes?.length !== slots * 2) throw new Error(`Run ${run} of dedupe has no marks, though it is listed.`);
  return new Uint16Array(Uint8Array.from(bytes).buffer);
}

function isInRun(tables: Tables, { row, marks }: Run, a: number, b: number, c: number, d: number): boolean {
  const mask = row.slots - 1;
  const mark = markOf(b);
  for (let slot = a & mask; marks[slot] !== 0; slot = (slot + 1) & mask) {
    if (marks[slot] === mark && isAt(readSlot(tables, row.run, slot), 0, a, b, c, d)) return true;
  }
  return false;
}

function readSlot(tables: Tables, run: number, slot: number): Uint32Array {
  const piece = tables.seen.getBinary(pieceKey(run, Math.floor(slot / slotsPerPiece)));
  const at = (slot % slotsPerPiece) * digestBytes;
  return new Uint32Array(Uint8Array.from(piece?.subarray(at, at + digestBytes) ?? []).buffer);
}

function dropRun(tables: Tables, { run, slots }: RunRow): void {
  for (let piece = 0; piece < slots / slotsPerPiece; piece++) tables.seen.removeSync(pieceKey(run, piece));
  tables.seen.removeSync(marksKey(run));
}
