/**
 * One log record holds what one transaction accepted: a CRC32 over the rest, then one block for each command:
 * length (of the block) · partition · received · account · device · count · a digest for each event · (id · bytes) for each event.
 * A block starts with its length, so that a reader of another partition steps over it; the digests stand together, so that dedupe
 * reads no body. The thread that received the request encodes the block, the thread that commits it copies it.
 */
import { crc32 } from 'node:zlib';
import { digestBytes, digestKey } from '#system/store/digest.ts';
import { type AppendCommand, type LogEvent, type Position, partitionOf, StoreUnavailable } from '#system/store/store.ts';

/** Of a record: events carry the record's number and their index in it. */
export const maxEventsPerRecord = 0xffff;

const lengthAt = 0;
const partitionAt = 4;
const receivedAt = 5;
const textsAt = 13;
const headerBytes = textsAt + 2 + 2 + 2;

export function positionOf(sequence: number, index: number): Position {
  return hex(sequence, 12) + hex(index, 4);
}

/** padStart costs more than the whole rest of a position. */
function hex(value: number, digits: number): string {
  const text = value.toString(16);
  return text.length === digits ? text : zeros.slice(text.length, digits) + text;
}
const zeros = '0000000000000000';

export function sequenceOf(position: Position): number {
  // What is no position lies before all of them: a scan from NaN has no end.
  return Number.parseInt(position.slice(0, 12), 16) || 0;
}

export function sequenceKey(sequence: number): Buffer {
  const key = Buffer.allocUnsafe(6);
  key.writeUIntBE(sequence, 0, 6);
  return key;
}

/** An upper bound: a UTF-16 unit takes at most three bytes of UTF-8. */
export function blockBytesMax({ account, device, events }: AppendCommand): number {
  let most = headerBytes + 3 * (account.length + device.length) + events.length * (digestBytes + 6);
  for (const { id, bytes } of events) most += 3 * id.length + bytes.length;
  return most;
}

/** Writes the command's block at `start`; returns where it ends. */
export function writeBlock(into: Buffer, start: number, { account, device, receivedAtMs, events }: AppendCommand): number {
  into.writeUInt8(partitionOf(account, device), start + partitionAt);
  into.writeDoubleBE(receivedAtMs, start + receivedAt);
  let at = writeText(into, account, start + textsAt);
  at = writeText(into, device, at);
  at = into.writeUInt16BE(events.length, at);
  for (const { id } of events) {
    into.set(digestKey(account, device, id), at);
    at += digestBytes;
  }
  for (const { id, bytes } of events) {
    at = writeText(into, id, at);
    at = into.writeUInt32BE(bytes.length, at);
    into.set(bytes, at);
    at += bytes.length;
  }
  into.writeUInt32BE(at - start, start + lengthAt);
  return at;
}

function writeText(into: Buffer, text: string, at: number): number {
  const length = into.write(text, at + 2);
  into.writeUInt16BE(length, at);
  return at + 2 + length;
}

/** Where the parts of a block stand; numbers only, since one is made for each command. */
export type BlockView = {
  readonly start: number;
  readonly end: number;
  readonly partition: number;
  readonly receivedAtMs: number;
  readonly account: string;
  readonly device: string;
  readonly count: number;
  readonly digestsAt: number;
};

export function viewBlock(bytes: Buffer, start: number): BlockView {
  const accountEnd = start + textsAt + 2 + bytes.readUInt16BE(start + textsAt);
  const deviceEnd = accountEnd + 2 + bytes.readUInt16BE(accountEnd);
  return {
    start,
    end: start + bytes.readUInt32BE(start + lengthAt),
    partition: bytes.readUInt8(start + partitionAt),
    receivedAtMs: bytes.readDoubleBE(start + receivedAt),
    account: bytes.toString('utf8', start + textsAt + 2, accountEnd),
    device: bytes.toString('utf8', accountEnd + 2, deviceEnd),
    count: bytes.readUInt16BE(deviceEnd),
    digestsAt: deviceEnd + 2,
  };
}

/** The same block without the events whose index is not in `kept`. */
export function thinBlock(bytes: Buffer, { start, end, digestsAt, count }: BlockView, kept: ReadonlySet<number>): Buffer {
  const thin = Buffer.allocUnsafe(end - start);
  let to = bytes.copy(thin, 0, start, digestsAt);
  for (const index of kept) to += bytes.copy(thin, to, digestsAt + index * digestBytes, digestsAt + (index + 1) * digestBytes);
  let at = digestsAt + count * digestBytes;
  for (let index = 0; index < count; index++) {
    const bodyAt = at + 2 + bytes.readUInt16BE(at);
    const eventEnd = bodyAt + 4 + bytes.readUInt32BE(bodyAt);
    if (kept.has(index)) to += bytes.copy(thin, to, at, eventEnd);
    at = eventEnd;
  }
  thin.writeUInt16BE(kept.size, digestsAt - start - 2);
  thin.writeUInt32BE(to, lengthAt);
  return thin.subarray(0, to);
}

export function encodeRecord(blocks: readonly Buffer[]): Buffer {
  const record = Buffer.concat([checksumRoom, ...blocks]);
  record.writeUInt32BE(crc32(record.subarray(4)), 0);
  return record;
}
const checksumRoom = Buffer.alloc(4);

/** Throws `corrupt` where the checksum is wrong. */
export function checkRecord(sequence: number, record: Buffer): void {
  if (record.length >= 4 && crc32(record.subarray(4)) === record.readUInt32BE(0)) return;
  throw new StoreUnavailable('corrupt', `Log record ${sequence} (${record.length} bytes, database "log") does not match its checksum.`);
}

/** Every digest of a record, in the order of its events. */
export function visitDigests(sequence: number, record: Buffer, visit: (bytes: Buffer, at: number) => void): void {
  checkRecord(sequence, record);
  for (let start = 4; start < record.length; start += record.readUInt32BE(start)) {
    const { digestsAt, count } = viewBlock(record, start);
    for (let index = 0; index < count; index++) visit(record, digestsAt + index * digestBytes);
  }
}

/** When the record's first command was received. */
export const receivedAtOf = (record: Buffer): number => record.readDoubleBE(4 + receivedAt);

/** Calls `visit` for each event whose block it `wants`, until `visit` says false. */
export function visitRecord(sequence: number, record: Buffer, wants: (partition: number) => boolean, visit: (event: LogEvent) => boolean): boolean {
  checkRecord(sequence, record);
  const prefix = hex(sequence, 12);
  let first = 0;
  for (let start = 4; start < record.length; start += record.readUInt32BE(start)) {
    const { partition, receivedAtMs, account, device, count, digestsAt } = viewBlock(record, start);
    if (wants(partition)) {
      let at = digestsAt + count * digestBytes;
      for (let index = first; index < first + count; index++) {
        const idEnd = at + 2 + record.readUInt16BE(at);
        const id = record.toString('utf8', at + 2, idEnd);
        at = idEnd + 4 + record.readUInt32BE(idEnd);
        const bytes = record.subarray(idEnd + 4, at);
        if (!visit({ partition, position: prefix + hex(index, 4), account, device, id, receivedAtMs, bytes })) return false;
      }
    }
    first += count;
  }
  return true;
}
