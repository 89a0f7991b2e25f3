/**
 * The change log over a table whose keys are in order: LMDB's, or a sorted map. All rows of a principal stand together, so that a change
 * dirties neighbouring pages.
 *
 * key: principal's digest 16 · kind 1 · rest
 *   L                     the log's row: head, floor, compacted, hashes
 *   c · position 16       a change
 *   i · channel 8 · key   an item: its version and where its last change stands
 *   s · id                a share
 *   t · position 16       a deletion that is still retained → its item's key
 *
 * Up to `compacted` a position is there only while it is its key's last one; behind it every change is. So the log never loses
 * a live item, and nothing before `floor` but deletions nobody may ask for any more.
 */
import { hash } from 'node:crypto';
import {
  type Change,
  type ChangeCommand,
  type ChangePosition,
  type ChangeResult,
  type ChangesPage,
  type Condition,
  changesHead,
  channelsPerPrincipalMax,
  type ItemRead,
  itemsPerPrincipalMax,
  type LogKey,
  meetsVersions,
  type SnapshotPage,
} from './changes.ts';
import { digestKey } from './digest.ts';

export type OrderedTable = {
  readonly get: (key: Buffer) => Buffer | undefined;
  readonly put: (key: Buffer, value: Buffer) => void;
  readonly remove: (key: Buffer) => void;
  /** From `start`, inclusive, to `end`, exclusive. */
  readonly range: (bounds: {
    readonly start: Buffer;
    readonly end: Buffer;
    readonly limit?: number;
  }) => Iterable<{ readonly key: Buffer; readonly value: Buffer }>;
};

export type Retention = {
  /** So many of the youngest changes are kept whole; older ones only while they are their key's last. */
  readonly wholeChanges: number;
  /** How long a deletion is told to those who resume. */
  readonly deletionsMs: number;
};
export const retentionDefault: Retention = { wholeChanges: 10_000, deletionsMs: 7 * 24 * 3_600_000 };

export type LogRow = {
  readonly head: number;
  /** The last position whose deletion was forgotten. */
  readonly floor: number;
  readonly compacted: number;
  readonly items: number;
  readonly hashes: Readonly<Record<string, string>>;
};
export type ItemRow = {
  readonly version: number;
  readonly at: number;
  readonly deleted: boolean;
  /** Of the outbox record that made it so. */
  readonly source?: string;
  /** Ids of the shares it is told to. */
  readonly shares?: readonly string[];
};
type ChangeHead = { readonly ch: string; readonly k: string; readonly v: number; readonly ms: number; readonly del?: true };

const newLog: LogRow = { head: 0, floor: 0, compacted: 0, items: 0, hashes: {} };
/** Each change takes one step of compaction to keep up and the others to catch up. */
const compactionsAtOnce = 8;
const forgottenAtOnce = 8;
/** Well below what a stream may have pending: a page goes out at once. */
const pageBytesMax = 2 ** 18;
/** The thread that writes reads them, deleted ones too. */
const snapshotRowsMax = 4096;

export const principalDigest = ({ account, principal }: LogKey): Buffer => digestKey(account, principal);
export const rowKey = (digest: Buffer, kind: 'L' | 'c' | 'i' | 's' | 't', rest?: Buffer): Buffer =>
  rest === undefined ? Buffer.concat([digest, Buffer.from(kind)]) : Buffer.concat([digest, Buffer.from(kind), rest]);
const channelDigest = (channel: string): Buffer => hash('sha256', channel, 'buffer').subarray(0, 8);
const itemRest = (channel: string, key: string): Buffer => Buffer.concat([channelDigest(channel), Buffer.from(key)]);

export function positionText(position: number): ChangePosition {
  return position.toString(16).padStart(16, '0').padEnd(32, '0');
}
export const positionNumber = (position: ChangePosition): number => Number.parseInt(position.slice(0, 16), 16);
function positionBytes(position: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(position));
  return bytes;
}

export function readJson<T>(table: OrderedTable, key: Buffer): T | undefined {
  const bytes = table.get(key);
  return bytes === undefined ? undefined : (JSON.parse(bytes.toString()) as T);
}
export const writeJson = (table: OrderedTable, key: Buffer, row: unknown): void => table.put(key, Buffer.from(JSON.stringify(row)));

const readLog = (table: OrderedTable, digest: Buffer): LogRow => readJson<LogRow>(table, rowKey(digest, 'L')) ?? newLog;
export const readItemRow = (table: OrderedTable, digest: Buffer, channel: string, key: string): ItemRow | undefined =>
  readJson<ItemRow>(table, rowKey(digest, 'i', itemRest(channel, key)));
export const writeItemRow = (table: OrderedTable, digest: Buffer, { channel, key }: { readonly channel: string; readonly key: string }, row: ItemRow): void =>
  writeJson(table, rowKey(digest, 'i', itemRest(channel, key)), row);

/** Moves `sum` by one item that comes (1) or goes (-1). */
export function movedHash(sum: string | undefined, { key, version, by }: { readonly key: string; readonly version: number; readonly by: 1 | -1 }): string {
  const one = hash('sha256', `${key}\0${version}`, 'buffer').readBigUInt64BE(0);
  const moved = BigInt.asUintN(64, BigInt(`0x${sum ?? '0'}`) + BigInt(by) * one);
  return moved.toString(16).padStart(16, '0');
}

/** Inside a transaction. `item`: the row before it. */
export function applyChange(
  table: OrderedTable,
  command: ChangeCommand,
  { epoch, retention }: { readonly epoch: string; readonly retention: Retention },
): { readonly result: ChangeResult; readonly item: ItemRow | undefined } {
  const digest = principalDigest(command);
  const present = readItemRow(table, digest, command.channel, command.key);
  const live = present !== undefined && !present.deleted ? present : undefined;
  const refused = refusal(command.condition, live, present);
  if (refused !== undefined) return { result: refused, item: present };
  if (command.bytes === undefined && live === undefined) return { result: { kind: 'missing' }, item: present };
  const log = readLog(table, digest);
  if (
    live === undefined &&
    (log.items >= itemsPerPrincipalMax || (!(command.channel in log.hashes) && Object.keys(log.hashes).length >= channelsPerPrincipalMax))
  )
    return { result: { kind: 'full' }, item: present };
  const at = log.head + 1;
  const version = (present?.version ?? 0) + 1;
  writeChange(table, digest, at, { command, version });
  if (present !== undefined) supersede(table, digest, present, log);
  const source = command.condition.kind === 'later-source' ? command.condition.source : present?.source;
  const item: ItemRow = {
    version,
    at,
    deleted: command.bytes === undefined,
    ...(source === undefined ? {} : { source }),
    ...(present?.shares === undefined || command.bytes === undefined ? {} : { shares: present.shares }),
  };
  writeItemRow(table, digest, command, item);
  let sum = log.hashes[command.channel];
  if (live !== undefined) sum = movedHash(sum, { key: command.key, version: live.version, by: -1 });
  if (command.bytes !== undefined) sum = movedHash(sum, { key: command.key, version, by: 1 });
  const grown: LogRow = {
    ...log,
    head: at,
    items: log.items + (live === undefined ? 1 : 0) - (command.bytes === undefined ? 1 : 0),
    hashes: { ...log.hashes, [command.channel]: sum ?? '0'.repeat(16) },
  };
  const beforeMs = command.atMs - retention.deletionsMs;
  const kept = forget(table, digest, compact(table, digest, grown, { wholeChanges: retention.wholeChanges, beforeMs }), beforeMs);
  writeJson(table, rowKey(digest, 'L'), kept);
  return { result: { kind: 'changed', version, position: positionText(at), epoch, created: live === undefined }, item: present };
}

function refusal(condition: Condition, live: ItemRow | undefined, present: ItemRow | undefined): ChangeResult | undefined {
  switch (condition.kind) {
    case 'any':
    case 'versions':
      return meetsVersions(condition, live?.version) ? undefined : { kind: 'mismatch', version: live?.version };
    case 'later-source':
      return present?.source === undefined || condition.source > present.source ? undefined : { kind: 'mismatch', version: live?.version };
  }
}

function writeChange(
  table: OrderedTable,
  digest: Buffer,
  at: number,
  { command, version }: { readonly command: ChangeCommand; readonly version: number },
): void {
  const { channel, key, atMs, bytes } = command;
  const head: ChangeHead = { ch: channel, k: key, v: version, ms: atMs, ...(bytes === undefined ? { del: true } : {}) };
  const text = Buffer.from(JSON.stringify(head));
  const length = Buffer.alloc(2);
  length.writeUInt16BE(text.length);
  table.put(rowKey(digest, 'c', positionBytes(at)), Buffer.concat([length, text, bytes ?? Buffer.alloc(0)]));
  if (bytes === undefined) table.put(rowKey(digest, 't', positionBytes(at)), itemRest(channel, key));
}

function decodeChange(at: number, value: Buffer): Change {
  const end = 2 + value.readUInt16BE(0);
  const { ch, k, v, ms, del } = JSON.parse(value.toString('utf8', 2, end)) as ChangeHead;
  return { position: positionText(at), channel: ch, key: k, version: v, atMs: ms, bytes: del === true ? undefined : Uint8Array.from(value.subarray(end)) };
}

/** What a younger change replaced: gone at once where the log is compacted already, else when compaction comes by. */
function supersede(table: OrderedTable, digest: Buffer, { at, deleted }: ItemRow, { compacted }: LogRow): void {
  if (at <= compacted) table.remove(rowKey(digest, 'c', positionBytes(at)));
  if (deleted) table.remove(rowKey(digest, 't', positionBytes(at)));
}

/** Behind it a position stays only while it is its key's last: for what is beyond the whole changes, and for what is older than the retention. */
function compact(
  table: OrderedTable,
  digest: Buffer,
  log: LogRow,
  { wholeChanges, beforeMs }: { readonly wholeChanges: number; readonly beforeMs: number },
): LogRow {
  let { compacted } = log;
  for (let i = 0; i < compactionsAtOnce && compacted < log.head; i++) {
    const change = readChangeAt(table, digest, compacted + 1);
    if (log.head - compacted <= wholeChanges && change !== undefined && change.atMs >= beforeMs) break;
    compacted++;
    if (change !== undefined && readItemRow(table, digest, change.channel, change.key)?.at !== compacted)
      table.remove(rowKey(digest, 'c', positionBytes(compacted)));
  }
  return { ...log, compacted };
}

/**
 * Deletions older than the retention: their item's row and change go, and who stands before them has to take a snapshot. Only where the log
 * is compacted: else an older change of the same key would bring it back to life.
 */
function forget(table: OrderedTable, digest: Buffer, log: LogRow, beforeMs: number): LogRow {
  let { floor } = log;
  const bounds = { start: rowKey(digest, 't', positionBytes(0)), end: rowKey(digest, 't', positionBytes(log.compacted + 1)), limit: forgottenAtOnce };
  for (const { key, value } of [...table.range(bounds)]) {
    const at = Number(key.readBigUInt64BE(17));
    const change = readChangeAt(table, digest, at);
    if (change !== undefined && change.atMs >= beforeMs) break;
    table.remove(rowKey(digest, 'c', positionBytes(at)));
    table.remove(rowKey(digest, 'i', value));
    table.remove(key);
    floor = at;
  }
  return { ...log, floor };
}

export type TidyLogs = {
  /** The principal that was looked at last; undefined: begin with the first. */
  readonly after: Buffer | undefined;
  readonly principals: number;
  readonly retention: Retention;
  /** A deletion is told until it lies `retention.deletionsMs` before this. */
  readonly nowMs: number;
};
/** Of one principal, so that a long log does not keep the others waiting. */
const tidyRoundsMax = 32;
const digestBytes = 16;

/** Inside a transaction: what a change would compact and forget, without a change. `after` undefined: that was the last principal. */
export function tidyLogs(
  table: OrderedTable,
  { after, principals, retention, nowMs }: TidyLogs,
): { readonly after: Buffer | undefined; readonly changed: boolean } {
  const beforeMs = nowMs - retention.deletionsMs;
  let last = after;
  let changed = false;
  for (let i = 0; i < principals; i++) {
    const digest = principalAfter(table, last);
    if (digest === undefined) return { after: undefined, changed };
    let rounds = 0;
    while (rounds < tidyRoundsMax && tidyLog(table, digest, { wholeChanges: retention.wholeChanges, beforeMs })) rounds++;
    changed ||= rounds > 0;
    // There is more of it: it is looked at again.
    if (rounds === tidyRoundsMax) break;
    last = digest;
  }
  return { after: last, changed };
}

function tidyLog(table: OrderedTable, digest: Buffer, bounds: { readonly wholeChanges: number; readonly beforeMs: number }): boolean {
  const log = readLog(table, digest);
  const kept = forget(table, digest, compact(table, digest, log, bounds), bounds.beforeMs);
  const isLess = kept.compacted !== log.compacted || kept.floor !== log.floor;
  if (isLess) writeJson(table, rowKey(digest, 'L'), kept);
  return isLess;
}

function principalAfter(table: OrderedTable, last: Buffer | undefined): Buffer | undefined {
  const start = last === undefined ? Buffer.alloc(digestBytes) : Buffer.concat([last, Buffer.from([0xff])]);
  for (const { key } of table.range({ start, end: Buffer.alloc(digestBytes + 1, 0xff), limit: 1 })) return Buffer.from(key.subarray(0, digestBytes));
  return undefined;
}

export function readChangesPage(table: OrderedTable, query: LogKey & { readonly after: ChangePosition; readonly limit: number }, epoch: string): ChangesPage {
  const digest = principalDigest(query);
  const log = readLog(table, digest);
  const after = query.after === changesHead ? log.head : positionNumber(query.after);
  if (after > log.head) return { kind: 'future', epoch, head: positionText(log.head) };
  if (after > 0 && after < log.floor) return { kind: 'expired', epoch, head: positionText(log.head) };
  const changes: Change[] = [];
  let bytes = 0;
  let last = after;
  let atEnd = true;
  const bounds = { start: rowKey(digest, 'c', positionBytes(after + 1)), end: rowKey(digest, 'c', positionBytes(log.head + 1)) };
  for (const { key, value } of after === log.head ? [] : table.range(bounds)) {
    if (changes.length >= query.limit || bytes >= pageBytesMax) {
      atEnd = false;
      break;
    }
    last = Number(key.readBigUInt64BE(17));
    bytes += value.length;
    changes.push(decodeChange(last, value));
  }
  return { kind: 'changes', epoch, changes, position: positionText(atEnd ? log.head : last), atEnd, hashes: atEnd ? log.hashes : {} };
}

export const readHeadPosition = (table: OrderedTable, key: LogKey): ChangePosition => positionText(readLog(table, principalDigest(key)).head);

export function readItemState(table: OrderedTable, query: LogKey & { readonly channel: string; readonly key: string }, epoch: string): ItemRead {
  const digest = principalDigest(query);
  const head = positionText(readLog(table, digest).head);
  const row = readItemRow(table, digest, query.channel, query.key);
  if (row === undefined || row.deleted) return { item: undefined, head, epoch };
  const { atMs, bytes } = lastChange(table, digest, row);
  return { item: { version: row.version, atMs, bytes: bytes ?? new Uint8Array() }, head, epoch };
}

export function readChangeAt(table: OrderedTable, digest: Buffer, at: number): Change | undefined {
  const value = table.get(rowKey(digest, 'c', positionBytes(at)));
  return value === undefined ? undefined : decodeChange(at, value);
}

/** The change an item's row points at is there as long as the row. */
export function lastChange(table: OrderedTable, digest: Buffer, { at }: ItemRow): Change {
  const change = readChangeAt(table, digest, at);
  if (change === undefined) throw new Error(`The change log lost position ${at} of an item that is there.`);
  return change;
}

export function readSnapshotPage(
  table: OrderedTable,
  query: LogKey & { readonly channel: string; readonly afterKey: string; readonly limit: number },
  epoch: string,
): SnapshotPage {
  const digest = principalDigest(query);
  const log = readLog(table, digest);
  const channel = channelDigest(query.channel);
  const items: SnapshotPage['items'][number][] = [];
  let bytesSum = 0;
  let rows = 0;
  let lastKey = query.afterKey;
  let nextAfterKey: string | undefined;
  // Keys are ASCII: 0xff stands behind each of them.
  const bounds = {
    start: rowKey(digest, 'i', Buffer.concat([channel, Buffer.from(query.afterKey), Buffer.from([0])])),
    end: rowKey(digest, 'i', Buffer.concat([channel, Buffer.from([0xff])])),
  };
  for (const { key, value } of table.range(bounds)) {
    if (items.length >= query.limit || bytesSum >= pageBytesMax || rows >= snapshotRowsMax) {
      nextAfterKey = lastKey;
      break;
    }
    rows++;
    lastKey = key.toString('utf8', 25);
    const row = JSON.parse(value.toString()) as ItemRow;
    if (row.deleted) continue;
    const { atMs, bytes = new Uint8Array() } = lastChange(table, digest, row);
    bytesSum += bytes.length;
    items.push({ key: lastKey, version: row.version, atMs, bytes });
  }
  return { epoch, head: positionText(log.head), floor: positionText(log.floor), items, nextAfterKey };
}
