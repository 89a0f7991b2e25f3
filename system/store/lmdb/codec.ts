/**
 * One log record holds what one transaction accepted: a CRC32 over the rest, then one block for each command. A block starts with
 * its length, so that a reader of another partition steps over it.
 */
import { crc32 } from 'node:zlib';
import { type LogEvent, type Position, StoreUnavailable } from '#system/store/store.ts';

export type Block = {
  readonly partition: number;
  readonly account: string;
  readonly device: string;
  readonly receivedAtMs: number;
  readonly events: readonly { readonly id: string; readonly bytes: Uint8Array }[];
};

/** Of a record: events carry the record's number and their index in it. */
export const maxEventsPerRecord = 0xffff;

export function positionOf(sequence: number, index: number): Position {
  return sequence.toString(16).padStart(12, '0') + index.toString(16).padStart(4, '0');
}

export function sequenceOf(position: Position): number {
  return position === '' ? 0 : Number.parseInt(position.slice(0, 12), 16);
}

export function sequenceKey(sequence: number): Buffer {
  const key = Buffer.allocUnsafe(6);
  key.writeUIntBE(sequence, 0, 6);
  return key;
}

const blockHeader = 4 + 1 + 8 + 2 + 2 + 2;

export function encodeRecord(blocks: readonly Block[]): Buffer {
  let most = 4;
  for (const block of blocks) {
    most += blockHeader + 3 * (block.account.length + block.device.length);
    for (const { id, bytes } of block.events) most += 6 + 3 * id.length + bytes.length;
  }
  const record = Buffer.allocUnsafe(most);
  let at = 4;
  for (const block of blocks) {
    const start = at;
    at = record.writeUInt8(block.partition, at + 4);
    at = record.writeDoubleBE(block.receivedAtMs, at);
    at = writeText(record, block.account, at);
    at = writeText(record, block.device, at);
    at = record.writeUInt16BE(block.events.length, at);
    for (const { id, bytes } of block.events) {
      at = writeText(record, id, at);
      at = record.writeUInt32BE(bytes.length, at);
      record.set(bytes, at);
      at += bytes.length;
    }
    record.writeUInt32BE(at - start, start);
  }
  record.writeUInt32BE(crc32(record.subarray(4, at)), 0);
  return record.subarray(0, at);
}

function writeText(record: Buffer, text: string, at: number): number {
  const length = record.write(text, at + 2);
  record.writeUInt16BE(length, at);
  return at + 2 + length;
}

/** Calls `visit` for each event that `wants` its block, until `visit` says false. Throws `corrupt` where the checksum is wrong. */
export function visitRecord(sequence: number, record: Buffer, wants: (partition: number) => boolean, visit: (event: LogEvent) => boolean): boolean {
  if (record.length < 4 || crc32(record.subarray(4)) !== record.readUInt32BE(0)) {
    throw new StoreUnavailable('corrupt', `Log record ${sequence} (${record.length} bytes, database "log") does not match its checksum.`);
  }
  let index = 0;
  for (let start = 4; start < record.length; start += record.readUInt32BE(start)) {
    const partition = record.readUInt8(start + 4);
    const receivedAtMs = record.readDoubleBE(start + 5);
    let at = start + 13;
    const text = (): string => {
      const length = record.readUInt16BE(at);
      at += 2 + length;
      return record.toString('utf8', at - length, at);
    };
    const account = text();
    const device = text();
    const count = record.readUInt16BE(at);
    at += 2;
    if (!wants(partition)) {
      index += count;
      continue;
    }
    for (let i = 0; i < count; i++, index++) {
      const id = text();
      const length = record.readUInt32BE(at);
      const bytes = record.subarray(at + 4, at + 4 + length);
      at += 4 + length;
      if (!visit({ partition, position: positionOf(sequence, index), account, device, id, receivedAtMs, bytes })) return false;
    }
  }
  return true;
}
