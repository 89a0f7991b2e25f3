/**
 * What is known of one device, in one row, since a step then costs one put a device: the latest location and the youngest entries of its
 * history's index. Full index rows are spilled to chunks of their own. Bytes rather than JSON: a row of 64 entries is rewritten for each event
 * of a device that sends one at a time.
 *
 * row: first chunk u32 · chunks u32 · latest's length u32 · state's length u32 · latest · state · entries
 * latest: recorded f64 · position 8 · id's length u16 · id · the event's bytes
 * entry: position 8 · reason's length u8 (0: kept) · reason
 */

import { digestKey } from '#system/store/digest.ts';
import { isLater } from '#system/store/latest.ts';
import type { LatestLocation, Position } from '#system/store/store.ts';
import type { Tables } from './tables.ts';

/** `reason` is missing where the event was kept. */
export type IndexEntry = readonly [position: Position, reason?: string];

const positionBytes = 8;
const rowHeader = 16;
const latestHeader = 18;
const entriesPerChunk = 64;
const noRow = Buffer.alloc(rowHeader);

export function readRowOf(tables: Tables, account: string, device: string): Buffer | undefined {
  return tables.devices.getBinary(digestKey(account, device));
}

export function latestIn(row: Buffer): LatestLocation | undefined {
  const length = row.readUInt32BE(8);
  if (length === 0) return undefined;
  const idEnd = rowHeader + latestHeader + row.readUInt16BE(rowHeader + 16);
  return {
    recordedAtMs: row.readDoubleBE(rowHeader),
    position: readPosition(row, rowHeader + 8),
    id: row.toString('utf8', rowHeader + latestHeader, idEnd),
    bytes: row.subarray(idEnd, rowHeader + length),
  };
}

/** What the pipeline wrote; undefined where it wrote nothing. */
export function stateIn(row: Buffer): Uint8Array | undefined {
  const start = rowHeader + row.readUInt32BE(8);
  return entriesAt(row) === start ? undefined : row.subarray(start, entriesAt(row));
}

const entriesAt = (row: Buffer): number => rowHeader + row.readUInt32BE(8) + row.readUInt32BE(12);

/** Entries after a position, oldest first: through the chunks that are still there, then the row. */
export function* entriesAfter(tables: Tables, key: Buffer, row: Buffer, after: Position): Generator<IndexEntry> {
  const chunks = row.readUInt32BE(4);
  const chunk = (number: number): Buffer => tables.devices.getBinary(chunkKey(key, number)) ?? Buffer.alloc(0);
  let low = row.readUInt32BE(0);
  for (let high = chunks; low < high; ) {
    const middle = (low + high) >> 1;
    if (lastPosition(chunk(middle)) > after) high = middle;
    else low = middle + 1;
  }
  for (let number = low; number < chunks; number++) for (const entry of entriesIn(chunk(number), 0)) if (entry[0] > after) yield entry;
  for (const entry of entriesIn(row, entriesAt(row))) if (entry[0] > after) yield entry;
}

function lastPosition(chunk: Buffer): Position {
  let last = '';
  for (const [position] of entriesIn(chunk, 0)) last = position;
  return last;
}

function* entriesIn(bytes: Buffer, from: number): Generator<IndexEntry> {
  for (let at = from; at < bytes.length; at = entryEnd(bytes, at)) {
    const position = readPosition(bytes, at);
    const end = entryEnd(bytes, at);
    yield end === at + positionBytes + 1 ? [position] : [position, bytes.toString('utf8', at + positionBytes + 1, end)];
  }
}

const entryEnd = (bytes: Buffer, at: number): number => at + positionBytes + 1 + bytes.readUInt8(at + positionBytes);

export type RowGain = {
  readonly account: string;
  readonly device: string;
  /** In order of acceptance. */
  readonly entries: readonly IndexEntry[];
  readonly latest?: LatestLocation | undefined;
  readonly state?: Uint8Array | undefined;
  /** Chunks that end before this point at records that were pruned. */
  readonly floor: Position;
};

/** True: the latest location moved. */
export function addToRow(tables: Tables, { account, device, entries, latest, state, floor }: RowGain): boolean {
  const key = digestKey(account, device);
  const before = tables.devices.getBinary(key) ?? noRow;
  const present = before.readUInt32BE(8);
  const moved = latest !== undefined && isLater(latest, latestIn(before));
  const newest = moved ? encodeLatest(latest) : before.subarray(rowHeader, rowHeader + present);
  const kept = state ?? before.subarray(rowHeader + present, entriesAt(before));
  let recent = Buffer.concat([before.subarray(entriesAt(before)), ...entries.map(encodeEntry)]);
  let chunks = before.readUInt32BE(4);
  for (let end = chunkEnd(recent); end !== undefined; end = chunkEnd(recent)) {
    tables.devices.putSync(chunkKey(key, chunks++), recent.subarray(0, end));
    recent = recent.subarray(end);
  }
  const row = Buffer.concat([noRow, newest, kept, recent]);
  row.writeUInt32BE(chunks > before.readUInt32BE(4) ? dropChunks(tables, key, before.readUInt32BE(0), chunks, floor) : before.readUInt32BE(0), 0);
  row.writeUInt32BE(chunks, 4);
  row.writeUInt32BE(newest.length, 8);
  row.writeUInt32BE(kept.length, 12);
  tables.devices.putSync(key, row);
  return moved;
}

/** Where the device's youngest event stands that was stepped over. */
export function lastEntryIn(row: Buffer): Position | undefined {
  let last: Position | undefined;
  for (const [position] of entriesIn(row, entriesAt(row))) last = position;
  return last;
}

/** Where the first full chunk of entries ends; undefined while there is room. */
function chunkEnd(entries: Buffer): number | undefined {
  if (entries.length <= entriesPerChunk * (positionBytes + 1)) return undefined;
  let at = 0;
  for (let entry = 0; entry < entriesPerChunk && at < entries.length; entry++) at = entryEnd(entries, at);
  return at < entries.length ? at : undefined;
}

/** A device that goes on sending clears what its own history points at in vain. Returns the first chunk that stays. */
function dropChunks(tables: Tables, key: Buffer, first: number, end: number, floor: Position): number {
  let number = first;
  for (; number < end; number++) {
    const chunk = tables.devices.getBinary(chunkKey(key, number));
    if (chunk !== undefined && lastPosition(chunk) >= floor) break;
    tables.devices.removeSync(chunkKey(key, number));
  }
  return number;
}

function encodeEntry([position, reason = '']: IndexEntry): Buffer {
  const text = Buffer.from(reason).subarray(0, 0xff);
  const entry = Buffer.allocUnsafe(positionBytes + 1 + text.length);
  entry.write(position, 'hex');
  entry.writeUInt8(text.length, positionBytes);
  entry.set(text, positionBytes + 1);
  return entry;
}

function encodeLatest({ recordedAtMs, position, id, bytes }: LatestLocation): Buffer {
  const name = Buffer.from(id);
  const head = Buffer.allocUnsafe(latestHeader);
  head.writeDoubleBE(recordedAtMs);
  head.write(position, 8, 'hex');
  head.writeUInt16BE(name.length, 16);
  return Buffer.concat([head, name, bytes]);
}

const readPosition = (bytes: Buffer, at: number): Position => bytes.toString('hex', at, at + positionBytes);

function chunkKey(key: Buffer, chunk: number): Buffer {
  const tail = Buffer.allocUnsafe(4);
  tail.writeUInt32BE(chunk);
  return Buffer.concat([key, tail]);
}
