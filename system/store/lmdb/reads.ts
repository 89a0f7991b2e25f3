/** What is read: always from one snapshot a slice, never across an await, since a long read transaction pins pages. */

import { digestKey } from '#system/store/digest.ts';
import { readArchive, readArchivedRuns } from '#system/store/ordered-archive.ts';
import { duePartitions, readPresenceOf } from '#system/store/ordered-presence.ts';
import { readUsage } from '#system/store/ordered-usage.ts';
import { outwardReads } from '#system/store/outward-table.ts';
import {
  type AccountRow,
  type ClockOffset,
  type Counters,
  type DeviceRow,
  type Disposition,
  type HistoryPage,
  type HistoryQuery,
  type LatestLocation,
  type LogEvent,
  type LogPage,
  type OutwardReads,
  type Position,
  partitionCount,
  partitionOf,
  positionStart,
  type Store,
  StoreUnavailable,
} from '#system/store/store.ts';
import { maxEventsPerRecord, positionOf, sequenceKey, sequenceOf, visitRecord } from './codec.ts';
import { entriesAfter, type IndexEntry, latestIn, readRowOf, stateIn } from './device-rows.ts';
import { readEndedTokens } from './ended-tokens.ts';
import { type ChangeReads, changeReads, ordered } from './lmdb-changes.ts';
import { clockKey, reasonsKey } from './steps.ts';
import { readHead, readPartition, readRow, type StepTally, type Tables, type Tally } from './tables.ts';

type Disposed = LogEvent & { readonly disposition: Disposition };

/** The reading half of a store, on the thread that writes. */
export function storeReads(tables: Tables, isClosed: () => boolean): StoreReads {
  const read = async <T>(work: () => T): Promise<Awaited<T>> => {
    refuseIfClosed();
    tables.root.resetReadTxn();
    return await work();
  };
  const refuseIfClosed = (): void => {
    if (isClosed()) throw new StoreUnavailable('closed', 'The store was closed.');
  };
  return {
    readLog: (query) => read(() => readLog(tables, query, refuseIfClosed)),
    readStates: (devices) => read(() => devices.map(({ account, device }) => readState(tables, account, device))),
    readClock: ({ account, device }) => read(() => readRow<ClockOffset>(tables.rows, clockKey(account, device))),
    readLatest: ({ account, device }) => read(() => readLatest(tables, account, device)),
    readHistory: (query) => read(() => ({ ...readHistory(tables, query), ...floorOf(tables) })),
    readDevice: ({ account, device }) => read(() => readRow<DeviceRow>(tables.rows, deviceRowKey(account, device))),
    readAccount: (account) => read(() => readRow<AccountRow>(tables.rows, accountRowKey(account))),
    readCounters: (account) => read(() => readCounters(tables, account)),
    readBacklog: () => read(() => readBacklog(tables)),
    readDue: (query) => read(() => duePartitions(ordered(tables.presence), query)),
    readPresence: (query) => read(() => readPresenceOf(ordered(tables.presence), query)),
    readDevices: (query) => read(() => readDevices(tables, query)),
    readEndedTokens: (query) => read(() => readEndedTokens(tables, query)),
    readArchive: () => read(() => readArchive(ordered(tables.archive))),
    readArchivedRuns: (query) => read(() => readArchivedRuns(ordered(tables.archive), query)),
    readUsage: (query) => read(() => readUsage(ordered(tables.usage), query)),
    ...changeReads(tables, read),
    ...outwardReads(ordered(tables.outward), read),
  };
}

export type StoreReads = Pick<
  Store,
  | 'readLog'
  | 'readStates'
  | 'readClock'
  | 'readLatest'
  | 'readHistory'
  | 'readDevice'
  | 'readAccount'
  | 'readCounters'
  | 'readBacklog'
  | 'readDue'
  | 'readPresence'
  | 'readDevices'
  | 'readEndedTokens'
  | 'readUsage'
  | 'readArchive'
  | 'readArchivedRuns'
> &
  ChangeReads &
  OutwardReads;
export const deviceRowKey = (account: string, device: string): string => `device/${account}\0${device}`;
export const accountRowKey = (account: string): string => `account/${account}`;

/** Records a slice of a scan may read before other work gets its turn. */
const recordsPerSlice = 256;

async function readLog(tables: Tables, query: Parameters<Store['readLog']>[0], refuseIfClosed: () => void): Promise<LogPage> {
  const wanted = new Set(query.partitions);
  const cursor: Record<number, Position> = { ...query.after };
  const events: Disposed[] = [];
  for (;;) {
    const atEnd = readSlice(tables, query, wanted, cursor, events);
    if (atEnd !== undefined) return { events, cursor, atEnd };
    await new Promise((resolve) => setImmediate(resolve));
    refuseIfClosed();
  }
}

/** undefined: there is more to scan. */
function readSlice(
  tables: Tables,
  query: Parameters<Store['readLog']>[0],
  wanted: Set<number>,
  cursor: Record<number, Position>,
  events: Disposed[],
): boolean | undefined {
  tables.root.resetReadTxn();
  const head = readHead(tables);
  const first = Math.max(head.floor, Math.min(...query.partitions.map((partition) => sequenceOf(cursor[partition] ?? positionStart))));
  const found: LogEvent[] = [];
  let full = false;
  let sequence = first;
  for (; sequence <= head.sequence && sequence < first + recordsPerSlice && !full; sequence++) {
    const record = tables.log.getBinary(sequenceKey(sequence));
    if (!record) continue;
    visitRecord(
      sequence,
      record,
      (partition) => wanted.has(partition),
      (event) => {
        if (event.position <= (cursor[event.partition] ?? positionStart)) return true;
        if (events.length + found.length >= query.limitEvents) {
          full = true;
          return false;
        }
        cursor[event.partition] = event.position;
        if (query.account === undefined || query.account === event.account) found.push(event);
        return true;
      },
    );
  }
  for (const event of disposed(tables, found)) events.push(event);
  // Also for partitions that had nothing in these records: else a quiet one would have the whole log read again for every page.
  const scannedTo = positionOf(full ? sequence - 2 : sequence - 1, maxEventsPerRecord);
  for (const partition of wanted) if ((cursor[partition] ?? positionStart) < scannedTo) cursor[partition] = scannedTo;
  if (full) return false;
  return sequence > head.sequence ? true : undefined;
}

function disposed(tables: Tables, events: readonly LogEvent[]): Disposed[] {
  const checkpoints = new Map<number, Position>();
  const span = new Map<number, { from: Position; to: Position }>();
  for (const { partition, position } of events) {
    if (!checkpoints.has(partition)) checkpoints.set(partition, readPartition(tables, partition).checkpoint);
    if (position > (checkpoints.get(partition) ?? positionStart)) continue;
    span.set(partition, { from: span.get(partition)?.from ?? position, to: position });
  }
  const reasons = new Map<Position, string>();
  for (const [partition, { from, to }] of span) {
    for (const { value } of tables.reasons.getRange({ start: reasonsKey(partition, from), end: Buffer.from([partition + 1]) })) {
      const entries = JSON.parse(value.toString()) as readonly IndexEntry[];
      for (const [position, reason] of entries) if (reason !== undefined) reasons.set(position, reason);
      if (entries.some(([position]) => position > to)) break;
    }
  }
  return events.map((event) => {
    const reason = reasons.get(event.position);
    const pending = event.position > (checkpoints.get(event.partition) ?? positionStart);
    // Not a copy: the pipeline reads every event through here, and these objects are nobody else's.
    return Object.assign(event, { disposition: pending ? 'pending' : reason === undefined ? 'kept' : (`filtered:${reason}` as const) } as const);
  });
}

function readLatest(tables: Tables, account: string, device: string): LatestLocation | undefined {
  const row = readRowOf(tables, account, device);
  return row && latestIn(row);
}

function readState(tables: Tables, account: string, device: string): Uint8Array | undefined {
  const row = readRowOf(tables, account, device);
  return row && stateIn(row);
}

function floorOf(tables: Tables): { readonly floor?: Position } {
  const { floor } = readHead(tables);
  return floor > 1 ? { floor: positionOf(floor, 0) } : {};
}

function readHistory(tables: Tables, query: HistoryQuery): HistoryPage {
  const events: Disposed[] = [];
  const inTime = ({ receivedAtMs }: LogEvent): boolean => receivedAtMs >= (query.fromMs ?? -Infinity) && receivedAtMs < (query.toMs ?? Infinity);
  const eventAt = eventReader(tables, query);
  for (const [position, reason] of indexAfter(tables, query)) {
    if (query.include === 'kept' && reason !== undefined) continue;
    const event = eventAt(position);
    if (!event || !inTime(event)) continue;
    if (events.length >= query.limit) return { events, atEnd: false };
    events.push({ ...event, disposition: reason === undefined ? 'kept' : `filtered:${reason}` });
  }
  if (query.include === 'kept') return { events, atEnd: true };
  return pendingAfter(tables, query, (event) => {
    if (!inTime(event)) return true;
    if (events.length >= query.limit) return false;
    events.push({ ...event, disposition: 'pending' });
    return true;
  })
    ? { events, atEnd: true }
    : { events, atEnd: false };
}

function* indexAfter(tables: Tables, { account, device, after }: HistoryQuery): Generator<IndexEntry> {
  const row = readRowOf(tables, account, device);
  if (row) yield* entriesAfter(tables, digestKey(account, device), row, after);
}

/** A device's events by position, asked for in order: neighbours stand in one record, which is read, verified and gone through once for all of them. */
function eventReader(tables: Tables, { account, device }: HistoryQuery): (position: Position) => LogEvent | undefined {
  const partition = partitionOf(account, device);
  let sequence: number | undefined;
  const events = new Map<Position, LogEvent>();
  const own = (event: LogEvent): true => {
    if (event.account === account && event.device === device) events.set(event.position, event);
    return true;
  };
  return (position) => {
    if (sequenceOf(position) !== sequence) {
      sequence = sequenceOf(position);
      events.clear();
      const record = tables.log.getBinary(sequenceKey(sequence));
      if (record) visitRecord(sequence, record, (other) => other === partition, own);
    }
    return events.get(position);
  };
}

/** True where the log's end was reached. */
function pendingAfter(tables: Tables, query: HistoryQuery, visit: (event: LogEvent) => boolean): boolean {
  const partition = partitionOf(query.account, query.device);
  const head = readHead(tables);
  const row = readPartition(tables, partition);
  if ((head.accepted[partition] ?? 0) === row.done) return true;
  const after = row.checkpoint > query.after ? row.checkpoint : query.after;
  for (let sequence = Math.max(head.floor, sequenceOf(after)); sequence <= head.sequence; sequence++) {
    const record = tables.log.getBinary(sequenceKey(sequence));
    const more =
      !record ||
      visitRecord(
        sequence,
        record,
        (other) => other === partition,
        (event) => event.position <= after || event.account !== query.account || event.device !== query.device || visit(event),
      );
    if (!more) return false;
  }
  return true;
}

function readDevices(tables: Tables, { account, after, limit }: Parameters<Store['readDevices']>[0]): readonly string[] {
  const start = Buffer.from(`${deviceRowKey(account, after)}\0`);
  const end = Buffer.from(`device/${account}\x01`);
  const prefix = deviceRowKey(account, '').length;
  const devices: string[] = [];
  for (const { key, value } of tables.rows.getRange({ start, end })) {
    if (devices.length >= limit) break;
    if (!(JSON.parse(value.toString()) as DeviceRow).deleted) devices.push(key.toString('utf8', prefix));
  }
  return devices;
}

function readCounters(tables: Tables, account: string | undefined): Counters {
  const sum = { accepted: 0, duplicate: 0, rejected: 0, kept: 0, filtered: {} as Record<string, number> };
  const each = <T>(prefix: string, add: (row: T) => void): void => {
    if (account !== undefined) {
      const row = readRow<T>(tables.rows, `${prefix}/${account}`);
      if (row) add(row);
      return;
    }
    for (const { value } of tables.rows.getRange({ start: Buffer.from(`${prefix}/`), end: Buffer.from(`${prefix}0`) })) add(JSON.parse(value.toString()) as T);
  };
  each<Tally>('tally', (row) => {
    sum.accepted += row.accepted;
    sum.duplicate += row.duplicate;
    sum.rejected += row.rejected;
  });
  each<StepTally>('stepped', (row) => {
    sum.kept += row.kept;
    for (const [reason, count] of Object.entries(row.filtered)) sum.filtered[reason] = (sum.filtered[reason] ?? 0) + count;
  });
  return sum;
}

function readBacklog(tables: Tables): { pending: number; oldestReceivedAtMs: number | undefined } {
  const head = readHead(tables);
  const behind = new Map<number, Position>();
  let pending = 0;
  for (let partition = 0; partition < partitionCount; partition++) {
    const row = readPartition(tables, partition);
    const open = (head.accepted[partition] ?? 0) - row.done;
    pending += open;
    if (open > 0) behind.set(partition, row.checkpoint);
  }
  let oldestReceivedAtMs: number | undefined;
  const first = Math.max(head.floor, Math.min(...[...behind.values()].map(sequenceOf)));
  for (let sequence = first; behind.size > 0 && sequence <= head.sequence && oldestReceivedAtMs === undefined; sequence++) {
    const record = tables.log.getBinary(sequenceKey(sequence));
    if (!record) continue;
    visitRecord(
      sequence,
      record,
      (partition) => behind.has(partition),
      (event) => {
        if (event.position > (behind.get(event.partition) ?? positionStart)) oldestReceivedAtMs = event.receivedAtMs;
        return oldestReceivedAtMs === undefined;
      },
    );
  }
  return { pending, oldestReceivedAtMs };
}
