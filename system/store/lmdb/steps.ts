/** Leases and the step unit: checkpoint, latest, history index and counters of one partition, in one transaction. */
import type { LatestLocation, LeaseResult, Position, StepCommand, StepResult, Store } from '#system/store/store.ts';
import { digestKey, readPartition, readRow, type StepTally, type Tables, writeRow } from './tables.ts';

/** `reason` is missing where the event was kept. */
export type IndexEntry = readonly [position: Position, reason?: string];
export type StoredLatest = Omit<LatestLocation, 'bytes'> & { readonly base64: string };
/** Latest and the youngest of the history in one row: a step costs one random put a device. Full rows are spilled to chunks. */
export type DeviceState = { readonly latest?: StoredLatest; readonly recent: readonly IndexEntry[]; readonly chunks: number };

const entriesPerChunk = 64;

export function deviceStateKey(account: string, device: string, chunk?: number): Buffer {
  const key = digestKey(account, device);
  if (chunk === undefined) return key;
  const tail = Buffer.allocUnsafe(4);
  tail.writeUInt32BE(chunk);
  return Buffer.concat([key, tail]);
}

export function reasonsKey(partition: number, position: Position): Buffer {
  return Buffer.concat([Buffer.from([partition]), Buffer.from(position, 'latin1')]);
}

export function lease(tables: Tables, command: Parameters<Store['lease']>[0]): LeaseResult {
  const row = readPartition(tables, command.partition);
  if (row.owner !== undefined && row.owner !== command.owner && row.untilMs > command.nowMs) {
    return { kind: 'taken', owner: row.owner, untilMs: row.untilMs };
  }
  const fence = row.owner === command.owner ? row.fence : row.fence + 1;
  writeRow(tables.rows, `partition/${command.partition}`, { ...row, owner: command.owner, fence, untilMs: command.nowMs + command.ttlMs });
  return { kind: 'held', fence, checkpoint: row.checkpoint };
}

export function release(tables: Tables, command: Parameters<Store['release']>[0]): void {
  const { owner, ...row } = readPartition(tables, command.partition);
  if (owner === command.owner && row.fence === command.fence) writeRow(tables.rows, `partition/${command.partition}`, row);
}

export function step(tables: Tables, command: StepCommand): StepResult {
  const row = readPartition(tables, command.partition);
  if (row.owner === undefined || row.fence !== command.fence) return { kind: 'fenced' };
  if (row.checkpoint !== command.from) return { kind: 'moved', checkpoint: row.checkpoint };
  let done = 0;
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
    stepDevice(tables, device);
  }
  if (reasons.length > 0) writeRow(tables.reasons, reasonsKey(command.partition, command.to), reasons);
  for (const [account, gain] of tallies) addTally(tables, account, gain);
  writeRow(tables.rows, `partition/${command.partition}`, { ...row, checkpoint: command.to, done: row.done + done });
  return { kind: 'stepped' };
}

function stepDevice(tables: Tables, { account, device, kept, filtered, latest }: StepCommand['devices'][number]): void {
  const key = deviceStateKey(account, device);
  const before = readRow<DeviceState>(tables.devices, key) ?? { recent: [], chunks: 0 };
  const gained: IndexEntry[] = [...kept.map((position) => [position] as const), ...filtered.map(({ position, reason }) => [position, reason] as const)];
  gained.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  let recent: readonly IndexEntry[] = [...before.recent, ...gained];
  let chunks = before.chunks;
  while (recent.length > entriesPerChunk) {
    writeRow(tables.devices, deviceStateKey(account, device, chunks++), recent.slice(0, entriesPerChunk));
    recent = recent.slice(entriesPerChunk);
  }
  const chosen = latest && isLater(latest, before.latest) ? stored(latest) : before.latest;
  writeRow(tables.devices, key, { ...(chosen && { latest: chosen }), recent, chunks });
}

function addTally(tables: Tables, account: string, gain: StepTally): void {
  const before = readRow<StepTally>(tables.rows, `stepped/${account}`) ?? { kept: 0, filtered: {} };
  const filtered: Record<string, number> = { ...before.filtered };
  for (const [reason, count] of Object.entries(gain.filtered)) filtered[reason] = (filtered[reason] ?? 0) + count;
  writeRow(tables.rows, `stepped/${account}`, { kept: before.kept + gain.kept, filtered });
}

function stored({ recordedAtMs, id, position, bytes }: LatestLocation): StoredLatest {
  return { recordedAtMs, id, position, base64: Buffer.from(bytes).toString('base64') };
}

function isLater(candidate: LatestLocation, present: StoredLatest | undefined): boolean {
  if (!present) return true;
  return candidate.recordedAtMs === present.recordedAtMs ? candidate.id > present.id : candidate.recordedAtMs > present.recordedAtMs;
}
