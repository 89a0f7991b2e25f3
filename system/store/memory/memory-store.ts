/**
 * A store of maps, for tests of the rooms that use one: the service at `ack level memory` is LMDB without flushes. One process, gone with it. It says the same as
 * the LMDB store about everything but durability: store-contract.ts runs on both.
 */
import { type Clock, systemClock } from '#system/clock.ts';
import { isHeld } from '#system/store/clock-skew.ts';
import { endsTokens, tellLatest, tellPresence, tellRegistered } from '#system/store/device-happenings.ts';
import { isLater } from '#system/store/latest.ts';
import { commitArchive, planArchive, readArchive, readArchivedRuns } from '#system/store/ordered-archive.ts';
import { type OrderedTable, type Retention, retentionDefault } from '#system/store/ordered-changes.ts';
import { duePartitions, expireDevices, readPresenceOf, sawEvent, touchDevice } from '#system/store/ordered-presence.ts';
import { addRegistration, addUsage, markActive, putMetered, readUsage } from '#system/store/ordered-usage.ts';
import { outwardCommands, outwardReads } from '#system/store/outward-table.ts';
import {
  type AccountRow,
  type AppendCommand,
  type AppendReceipt,
  type AppendResult,
  type ClockOffset,
  type Counters,
  type DeviceRef,
  type DeviceRow,
  type Disposition,
  dayOf,
  deviceKey,
  type EndedTokens,
  type HistoryPage,
  type HistoryQuery,
  type LatestLocation,
  type LeaseResult,
  type LogCursor,
  type LogEvent,
  type LogPage,
  leaseTokens,
  type Position,
  partitionCount,
  partitionOf,
  positionStart,
  type QuotaGrant,
  type QuotaLease,
  type QuotaRow,
  type StepCommand,
  type StepResult,
  type Store,
  StoreUnavailable,
} from '#system/store/store.ts';
import { createMemoryChanges } from './memory-changes.ts';
import { createSortedTable } from './sorted-table.ts';

type Partition = { owner: string | undefined; fence: number; untilMs: number; checkpoint: Position };
type Tally = { accepted: number; duplicate: number; rejected: number; kept: number; filtered: Map<string, number> };
type Remembered = { readonly digest: string; readonly note: string; readonly receipt: AppendReceipt };
/** Two generations of what was seen: looked up in both, written to the younger, the older dropped as a whole. */
type Generations<V> = { readonly young: Map<string, V>; readonly old: Map<string, V>; readonly bornMs: number };

type State = {
  readonly log: LogEvent[];
  readonly reasons: Map<Position, string>;
  readonly partitions: readonly Partition[];
  readonly tallies: Map<string, Tally>;
  readonly latest: Map<string, LatestLocation>;
  readonly states: Map<string, Uint8Array>;
  readonly clocks: Map<string, ClockOffset>;
  readonly devices: Map<string, DeviceRow>;
  readonly endedTokens: EndedTokens[];
  readonly accounts: Map<string, AccountRow>;
  readonly settled: Map<string, string>;
  readonly quotas: Map<string, QuotaRow>;
  readonly presence: OrderedTable;
  readonly outward: OrderedTable;
  readonly usage: OrderedTable;
  readonly archive: OrderedTable;
  readonly lastEvents: Map<string, number>;
  seen: Generations<true>;
  remembered: Generations<Remembered>;
  closed: boolean;
};

export type MemoryStoreOptions = { readonly clock?: Clock; readonly dedupeHours?: number; readonly retention?: Retention };

function emptyState(clock: Clock): State {
  return {
    log: [],
    reasons: new Map(),
    partitions: Array.from({ length: partitionCount }, () => ({ owner: undefined, fence: 0, untilMs: 0, checkpoint: positionStart })),
    tallies: new Map(),
    latest: new Map(),
    states: new Map(),
    clocks: new Map(),
    endedTokens: [],
    devices: new Map(),
    accounts: new Map(),
    settled: new Map(),
    quotas: new Map(),
    presence: createSortedTable(),
    outward: createSortedTable(),
    usage: createSortedTable(),
    archive: createSortedTable(),
    lastEvents: new Map(),
    seen: { young: new Map(), old: new Map(), bornMs: clock.wallMs() },
    remembered: { young: new Map(), old: new Map(), bornMs: clock.wallMs() },
    closed: false,
  };
}

export function createMemoryStore(options: MemoryStoreOptions = {}): Store {
  const clock = options.clock ?? systemClock;
  const dedupeMs = (options.dedupeHours ?? 24) * 3_600_000;
  const state = emptyState(clock);
  const open =
    <A extends unknown[], R>(work: (...args: A) => R) =>
    async (...args: A): Promise<R> => {
      if (state.closed) throw new StoreUnavailable('closed', 'The store was closed.');
      return work(...args);
    };
  return {
    ...createMemoryChanges({ clock, retention: options.retention ?? retentionDefault, open }),
    ...outwardCommands(state.outward, (work) => open(work)()),
    ...outwardReads(state.outward, (work) => open(work)()),
    ackLevel: 'memory',
    append: open((command) => {
      state.seen = rotated(state.seen, clock.wallMs(), dedupeMs);
      state.remembered = rotated(state.remembered, clock.wallMs(), dedupeMs);
      return append(state, command);
    }),
    readLog: open((query) => readLog(state, query)),
    lease: open((command) => lease(state, command)),
    release: open(({ partition, owner, fence }) => {
      const row = partitionRow(state, partition);
      if (row.owner === owner && row.fence === fence) row.owner = undefined;
    }),
    step: open((command) => step(state, command)),
    readStates: open((devices) => devices.map(({ account, device }) => state.states.get(deviceKey({ account, device })))),
    planArchive: open((command) => planArchive(state.archive, command, partitionRow(state, command.partition).checkpoint)),
    commitArchive: open((command) => commitArchive(state.archive, command)),
    readArchive: open(() => readArchive(state.archive)),
    readArchivedRuns: open((query) => readArchivedRuns(state.archive, query)),
    noteClock: open((command) => noteClock(state, command)),
    readClock: open(({ account, device }) => state.clocks.get(deviceKey({ account, device }))),
    readLatest: open(({ account, device }) => state.latest.get(deviceKey({ account, device }))),
    readHistory: open((query) => readHistory(state, query)),
    touch: open(({ nowMs, timeoutMs, ...ref }) => touchDevice(state.presence, ref, { nowMs, timeoutMs }) && told(state, { ...ref, atMs: nowMs })),
    readDue: open((query) => duePartitions(state.presence, query)),
    expire: open((command) => expire(state, command)),
    readPresence: open((query) => readPresenceOf(state.presence, query)),
    readDevices: open((query) => readDevices(state, query)),
    readEndedTokens: open((query) => readEndedTokens(state, query)),
    putMetered: open((metered) => putMetered(state.usage, metered)),
    readUsage: open((query) => readUsage(state.usage, query)),
    readDevice: open(({ account, device }) => state.devices.get(deviceKey({ account, device }))),
    putDevice: open(({ account, device, expected, row }) => {
      const present = state.devices.get(deviceKey({ account, device }));
      if (present?.version !== expected) return { kind: 'conflict', row: present } as const;
      state.devices.set(deviceKey({ account, device }), row);
      tellRegistered(state.outward, { account, device, expected, row });
      const { generation, changedAtMs: atMs } = row;
      if (endsTokens(present, row)) state.endedTokens.push({ account, device, generation, atMs });
      if (!row.deleted) addRegistration(state.usage, account, dayOf(row.changedAtMs));
      return { kind: 'stored' } as const;
    }),
    readAccount: open((account) => state.accounts.get(account)),
    putAccount: open((row) => {
      if (state.accounts.has(row.account)) return { kind: 'conflict' } as const;
      state.accounts.set(row.account, row);
      return { kind: 'stored' } as const;
    }),
    settle: open(({ name, candidate }) => {
      const first = state.settled.get(name) ?? candidate;
      state.settled.set(name, first);
      return first;
    }),
    leaseQuota: open((wanted) => leaseQuota(state, wanted)),
    readCounters: open((account) => readCounters(state, account)),
    readBacklog: open(() => {
      const waiting = state.log.filter((event) => isPending(state, event));
      return { pending: waiting.length, oldestReceivedAtMs: waiting.length === 0 ? undefined : Math.min(...waiting.map((event) => event.receivedAtMs)) };
    }),
    close: async () => {
      state.closed = true;
    },
  };
}

function leaseQuota({ quotas }: State, wanted: QuotaLease): QuotaGrant {
  const { row, grant } = leaseTokens(quotas.get(wanted.name), wanted);
  quotas.set(wanted.name, row);
  return grant;
}

function append(state: State, command: AppendCommand): AppendResult {
  const { account, device, idempotency } = command;
  const scope = `${deviceKey({ account, device })}\0${idempotency?.key ?? ''}`;
  const before = idempotency && lookUp(state.remembered, scope);
  if (before) return before.digest === idempotency.digest ? { kind: 'replayed', note: before.note, ...before.receipt } : { kind: 'idempotency-mismatch' };
  const partition = partitionOf(account, device);
  let accepted = 0;
  for (const { id, bytes } of command.events) {
    const name = `${deviceKey({ account, device })}\0${id}`;
    if (lookUp(state.seen, name)) continue;
    state.seen.young.set(name, true);
    accepted++;
    const position = (state.log.length + 1).toString(16).padStart(16, '0');
    state.log.push({ partition, position, account, device, id, receivedAtMs: command.receivedAtMs, bytes: Uint8Array.from(bytes) });
  }
  const receipt: AppendReceipt = { accepted, duplicate: command.events.length - accepted, position: state.log.at(-1)?.position ?? positionStart };
  const tally = tallyOf(state, account);
  if (accepted > 0) {
    const day = dayOf(command.receivedAtMs);
    const activeDevices = markActive(state.usage, day, { account, device }) ? 1 : 0;
    addUsage(state.usage, { account, day, events: accepted, registrations: 0, activeDevices });
  }
  tally.accepted += accepted;
  tally.duplicate += receipt.duplicate;
  tally.rejected += command.rejectedCount;
  if (idempotency) state.remembered.young.set(scope, { digest: idempotency.digest, note: idempotency.note, receipt });
  return { kind: 'appended', ...receipt };
}

function readLog(state: State, query: Parameters<Store['readLog']>[0]): LogPage {
  const wanted = new Set(query.partitions);
  const cursor: Record<number, Position> = { ...query.after };
  const events: (LogEvent & { disposition: Disposition })[] = [];
  let atEnd = true;
  for (const event of state.log) {
    if (!wanted.has(event.partition) || event.position <= (cursor[event.partition] ?? positionStart)) continue;
    if (events.length >= query.limitEvents) {
      atEnd = false;
      break;
    }
    cursor[event.partition] = event.position;
    if (query.account === undefined || query.account === event.account) events.push({ ...event, disposition: dispositionOf(state, event) });
  }
  return { events, cursor: cursor as LogCursor, atEnd };
}

function lease(state: State, command: Parameters<Store['lease']>[0]): LeaseResult {
  const row = partitionRow(state, command.partition);
  if (row.owner !== undefined && row.owner !== command.owner && isHeld(row.untilMs, command)) {
    return { kind: 'taken', owner: row.owner, untilMs: row.untilMs };
  }
  if (row.owner !== command.owner) row.fence++;
  row.owner = command.owner;
  row.untilMs = command.nowMs + command.ttlMs;
  return { kind: 'held', fence: row.fence, checkpoint: row.checkpoint };
}

function step(state: State, command: StepCommand): StepResult {
  const row = partitionRow(state, command.partition);
  if (row.owner === undefined || row.fence !== command.fence) return { kind: 'fenced' };
  if (row.checkpoint !== command.from) return { kind: 'moved', checkpoint: row.checkpoint };
  row.checkpoint = command.to;
  const news: DeviceRef[] = [];
  for (const { account, device, kept, filtered, latest, seenAtMs, state: known } of command.devices) {
    const tally = tallyOf(state, account);
    tally.kept += kept.length;
    for (const { position, reason } of filtered) {
      state.reasons.set(position, reason);
      tally.filtered.set(reason, (tally.filtered.get(reason) ?? 0) + 1);
    }
    const key = deviceKey({ account, device });
    const moved = latest !== undefined && isLater(latest, state.latest.get(key));
    if (moved) state.latest.set(key, { ...latest, bytes: Uint8Array.from(latest.bytes) });
    if (known !== undefined) state.states.set(key, Uint8Array.from(known));
    if (seenAtMs !== undefined) state.lastEvents.set(key, seenAtMs);
    const { presenceTimeoutMs: timeoutMs } = command;
    const appeared = timeoutMs !== undefined && seenAtMs !== undefined && sawEvent(state.presence, { account, device }, { seenAtMs, timeoutMs });
    if (seenAtMs !== undefined && appeared) tellPresence(state.outward, { account, device, atMs: seenAtMs }, true);
    if (moved) tellLatest(state.outward, { account, device, atMs: seenAtMs ?? latest.recordedAtMs }, latest);
    if (moved || appeared) news.push({ account, device });
  }
  return news.length === 0 ? { kind: 'stepped' } : { kind: 'stepped', news };
}

function noteClock(state: State, { account, device, offsetMs, toleranceMs, nowMs }: Parameters<Store['noteClock']>[0]): boolean {
  const key = deviceKey({ account, device });
  if (Math.abs(offsetMs - (state.clocks.get(key)?.offsetMs ?? 0)) <= toleranceMs) return false;
  state.clocks.set(key, { offsetMs, sinceMs: nowMs });
  return true;
}

function readHistory(state: State, query: HistoryQuery): HistoryPage {
  const events = state.log
    .filter((event) => event.account === query.account && event.device === query.device && event.position > query.after)
    .filter((event) => event.receivedAtMs >= (query.fromMs ?? Number.NEGATIVE_INFINITY) && event.receivedAtMs < (query.toMs ?? Number.POSITIVE_INFINITY))
    .map((event) => ({ ...event, disposition: dispositionOf(state, event) }))
    .filter((event) => query.include === 'all' || event.disposition === 'kept');
  return { events: events.slice(0, query.limit), atEnd: events.length <= query.limit };
}

const told = (state: State, seen: DeviceRef & { readonly atMs: number }): true => {
  tellPresence(state.outward, seen, true);
  return true;
};

function expire(state: State, command: Parameters<Store['expire']>[0]): readonly DeviceRef[] {
  const { owner, fence } = partitionRow(state, command.partition);
  if (owner === undefined || fence !== command.fence) return [];
  const gone = expireDevices(state.presence, command, ({ account, device }) => state.lastEvents.get(deviceKey({ account, device })));
  for (const ref of gone) tellPresence(state.outward, { ...ref, atMs: command.nowMs }, false);
  return gone;
}

function readDevices(state: State, { account, after, limit }: Parameters<Store['readDevices']>[0]): readonly string[] {
  return [...state.devices]
    .filter(([key, row]) => key.startsWith(`${account}\0`) && !row.deleted)
    .map(([key]) => key.slice(account.length + 1))
    .filter((device) => device > after)
    .sort()
    .slice(0, limit);
}

function readEndedTokens(state: State, { fromMs, limit }: Parameters<Store['readEndedTokens']>[0]): readonly EndedTokens[] {
  return state.endedTokens
    .filter(({ atMs }) => atMs >= fromMs)
    .sort((a, b) => a.atMs - b.atMs)
    .slice(0, limit);
}

function readCounters(state: State, account: string | undefined): Counters {
  const sum = { accepted: 0, duplicate: 0, rejected: 0, kept: 0, filtered: {} as Record<string, number> };
  for (const [name, tally] of state.tallies) {
    if (account !== undefined && account !== name) continue;
    sum.accepted += tally.accepted;
    sum.duplicate += tally.duplicate;
    sum.rejected += tally.rejected;
    sum.kept += tally.kept;
    for (const [reason, count] of tally.filtered) sum.filtered[reason] = (sum.filtered[reason] ?? 0) + count;
  }
  return sum;
}

function isPending(state: State, event: LogEvent): boolean {
  return event.position > partitionRow(state, event.partition).checkpoint;
}

function dispositionOf(state: State, event: LogEvent): Disposition {
  if (isPending(state, event)) return 'pending';
  const reason = state.reasons.get(event.position);
  return reason === undefined ? 'kept' : `filtered:${reason}`;
}

function partitionRow(state: State, partition: number): Partition {
  const row = state.partitions[partition];
  if (!row) throw new RangeError(`There is no partition ${partition}.`);
  return row;
}

function tallyOf(state: State, account: string): Tally {
  const present = state.tallies.get(account);
  if (present) return present;
  const fresh: Tally = { accepted: 0, duplicate: 0, rejected: 0, kept: 0, filtered: new Map() };
  state.tallies.set(account, fresh);
  return fresh;
}

function lookUp<V>(generations: Generations<V>, key: string): V | undefined {
  return generations.young.get(key) ?? generations.old.get(key);
}

function rotated<V>(generations: Generations<V>, nowMs: number, keptMs: number): Generations<V> {
  if (nowMs - generations.bornMs < keptMs) return generations;
  return { young: new Map(), old: generations.young, bornMs: nowMs };
}
