/** Leases and the step unit: checkpoint, latest, history index and counters of one partition, in one transaction. */
import { isHeld } from '#system/store/clock-skew.ts';
import { tellLatest, tellPresence } from '#system/store/device-happenings.ts';
import { expireDevices, sawEvent } from '#system/store/ordered-presence.ts';
import {
  type ClockOffset,
  type DeviceRef,
  type LeaseResult,
  type Position,
  positionStart,
  type StepCommand,
  type StepResult,
  type Store,
} from '#system/store/store.ts';
import type { StoreTime } from '#system/store/store-time.ts';
import { storeTimeOf } from './ages.ts';
import { positionOf, receivedAtOf, sequenceKey, sequenceOf } from './codec.ts';
import { addToRow, type IndexEntry, lastEntryIn, readRowOf } from './device-rows.ts';
import { ordered } from './lmdb-changes.ts';
import { readHead, readPartition, readRow, type StepTally, type Tables, writeRow } from './tables.ts';

export function reasonsKey(partition: number, position: Position): Buffer {
  return Buffer.concat([Buffer.from([partition]), Buffer.from(position, 'latin1')]);
}

export function lease(tables: Tables, command: Parameters<Store['lease']>[0]): LeaseResult {
  const row = readPartition(tables, command.partition);
  if (row.owner !== undefined && row.owner !== command.owner && isHeld(row.untilMs, command)) {
    return { kind: 'taken', owner: row.owner, untilMs: row.untilMs };
  }
  const fence = row.owner === command.owner ? row.fence : row.fence + 1;
  const { accepted, position } = readHead(tables);
  // Where nothing is pending there is nothing to read before the log's end: a quiet partition must not cost its new owner the whole log.
  const checkpoint = (accepted[command.partition] ?? 0) === row.done && position > row.checkpoint ? position : row.checkpoint;
  writeRow(tables.rows, `partition/${command.partition}`, { ...row, checkpoint, owner: command.owner, fence, untilMs: command.nowMs + command.ttlMs });
  return { kind: 'held', fence, checkpoint };
}

export function release(tables: Tables, command: Parameters<Store['release']>[0]): void {
  const { owner, ...row } = readPartition(tables, command.partition);
  if (owner === command.owner && row.fence === command.fence) writeRow(tables.rows, `partition/${command.partition}`, row);
}

/** What the steps of one transaction count for their accounts: a page brings a step for each partition, and each account is in most of them. */
export type StepTallies = {
  readonly add: (account: string, gain: StepTally) => void;
  /** Inside the transaction, behind its last step. */
  readonly finish: () => void;
};

export function beginStepTallies(tables: Tables): StepTallies {
  const gains = new Map<string, { kept: number; readonly filtered: Record<string, number> }>();
  return {
    add: (account, { kept, filtered }) => {
      const gain = gains.get(account) ?? { kept: 0, filtered: {} };
      gain.kept += kept;
      for (const [reason, count] of Object.entries(filtered)) gain.filtered[reason] = (gain.filtered[reason] ?? 0) + count;
      gains.set(account, gain);
    },
    finish: () => {
      for (const [account, gain] of gains) addTally(tables, account, gain);
    },
  };
}

/** `floor`: the first record that was not pruned. `offsetMs`: how far the wall clock is ahead of the store's time. */
export type StepContext = { readonly floor: number; readonly offsetMs: number; readonly tallies: StepTallies };

export function step(tables: Tables, command: StepCommand, { floor, offsetMs, tallies: sums }: StepContext): StepResult {
  const row = readPartition(tables, command.partition);
  if (row.owner === undefined || row.fence !== command.fence) return { kind: 'fenced' };
  if (row.checkpoint !== command.from) return { kind: 'moved', checkpoint: row.checkpoint };
  let done = 0;
  const presence = ordered(tables.presence);
  const outward = ordered(tables.outward);
  const news: DeviceRef[] = [];
  const reasons: IndexEntry[] = [];
  const tallies = new Map<string, { kept: number; filtered: Record<string, number> }>();
  for (const device of command.devices) {
    done += device.kept.length + device.filtered.length;
    const tally = tallies.get(device.account) ?? { kept: 0, filtered: {} };
    tally.kept += device.kept.length;
    for (const { position, reason } of device.filtered) {
      reasons.push([position, reason]);
      tally.filtered[reason] = (tally.filtered[reason] ?? 0) + 1;
    }
    tallies.set(device.account, tally);
    const moved = addToRow(tables, { ...device, entries: entriesOf(device), floor: floor > 1 ? positionOf(floor, 0) : positionStart });
    const { account, device: name, seenAtMs } = device;
    const { presenceTimeoutMs: timeoutMs } = command;
    const appeared = timeoutMs !== undefined && seenAtMs !== undefined && sawEvent(presence, { account, device: name }, { seenAtMs, timeoutMs });
    if (seenAtMs !== undefined && appeared) tellPresence(outward, { account, device: name, atMs: seenAtMs + offsetMs }, true);
    if (moved && device.latest !== undefined)
      tellLatest(outward, { account, device: name, atMs: seenAtMs === undefined ? device.latest.recordedAtMs : seenAtMs + offsetMs }, device.latest);
    if (moved || appeared) news.push({ account, device: name });
  }
  if (reasons.length > 0) writeRow(tables.reasons, reasonsKey(command.partition, command.to), reasons);
  for (const [account, gain] of tallies) sums.add(account, gain);
  writeRow(tables.rows, `partition/${command.partition}`, { ...row, checkpoint: command.to, done: row.done + done });
  return news.length === 0 ? { kind: 'stepped' } : { kind: 'stepped', news };
}

export function noteClock(tables: Tables, { account, device, offsetMs, toleranceMs, nowMs }: Parameters<Store['noteClock']>[0]): boolean {
  const known = readRow<ClockOffset>(tables.rows, clockKey(account, device))?.offsetMs ?? 0;
  if (Math.abs(offsetMs - known) <= toleranceMs) return false;
  writeRow(tables.rows, clockKey(account, device), { offsetMs, sinceMs: nowMs } satisfies ClockOffset);
  return true;
}

export const clockKey = (account: string, device: string): string => `clock/${account}\0${device}`;

/** Under the lease's fence. */
export function expire(tables: Tables, command: Parameters<Store['expire']>[0], time: StoreTime): readonly DeviceRef[] {
  const { owner, fence } = readPartition(tables, command.partition);
  if (owner === undefined || fence !== command.fence) return [];
  const gone = expireDevices(ordered(tables.presence), command, ({ account, device }) => {
    const row = readRowOf(tables, account, device);
    const last = row && lastEntryIn(row);
    const record = last === undefined ? undefined : tables.log.getBinary(sequenceKey(sequenceOf(last)));
    return record && storeTimeOf(tables, time, { sequence: sequenceOf(last as Position), receivedAtMs: receivedAtOf(record) });
  });
  for (const ref of gone) tellPresence(ordered(tables.outward), { ...ref, atMs: command.nowMs + time.offsetMs() }, false);
  return gone;
}

function entriesOf({ kept, filtered }: StepCommand['devices'][number]): readonly IndexEntry[] {
  const entries: IndexEntry[] = kept.map((position) => [position] as const);
  if (filtered.length === 0) return entries;
  for (const { position, reason } of filtered) entries.push([position, reason]);
  return entries.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
}

function addTally(tables: Tables, account: string, gain: StepTally): void {
  const before = readRow<StepTally>(tables.rows, `stepped/${account}`) ?? { kept: 0, filtered: {} };
  const filtered: Record<string, number> = { ...before.filtered };
  for (const [reason, count] of Object.entries(gain.filtered)) filtered[reason] = (filtered[reason] ?? 0) + count;
  writeRow(tables.rows, `stepped/${account}`, { kept: before.kept + gain.kept, filtered });
}
