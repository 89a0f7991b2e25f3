/**
 * Presence over a table whose keys are in order. An event costs one look and no write: a device that is online is not written again, and
 * when its time seems over its last event is looked up.
 *
 * key: p · digest of (account, device) 16                  a row
 *      d · partition 1 · due 6 · digest 16                 when to look again
 */
import { digestKey } from './digest.ts';
import { type OrderedTable, readJson, writeJson } from './ordered-changes.ts';
import { partitionOf } from './partition.ts';
import type { DeviceRef, Presence } from './presence.ts';

type Row = DeviceRef & { readonly online: boolean; readonly seen: number; readonly due: number; readonly since: number };
/** When the device's last event was received; undefined where none is known any more. */
export type LastEventAtMs = (device: DeviceRef) => number | undefined;

const digestOf = ({ account, device }: DeviceRef): Buffer => digestKey(account, device);
const rowKey = (digest: Buffer): Buffer => Buffer.concat([Buffer.from('p'), digest]);
function dueKey(partition: number, due: number, digest: Buffer = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(8);
  head.write('d');
  head.writeUInt8(partition, 1);
  head.writeUIntBE(Math.max(0, Math.floor(due)), 2, 6);
  return Buffer.concat([head, digest]);
}

/** True: it was offline, or never seen before. */
export function sawEvent(table: OrderedTable, ref: DeviceRef, { seenAtMs, timeoutMs }: { readonly seenAtMs: number; readonly timeoutMs: number }): boolean {
  const digest = digestOf(ref);
  const row = readJson<Row>(table, rowKey(digest));
  if (row?.online === true) return false;
  appear(table, ref, { digest, seenAtMs, timeoutMs });
  return true;
}

export function touchDevice(table: OrderedTable, ref: DeviceRef, { nowMs, timeoutMs }: { readonly nowMs: number; readonly timeoutMs: number }): boolean {
  const digest = digestOf(ref);
  const row = readJson<Row>(table, rowKey(digest));
  if (row?.online !== true) appear(table, ref, { digest, seenAtMs: nowMs, timeoutMs });
  else if (nowMs > row.seen) writeJson(table, rowKey(digest), { ...row, seen: nowMs });
  return row?.online !== true;
}

type Appearing = { readonly digest: Buffer; readonly seenAtMs: number; readonly timeoutMs: number };

function appear(table: OrderedTable, { account, device }: DeviceRef, { digest, seenAtMs, timeoutMs }: Appearing): void {
  const due = Math.floor(seenAtMs + timeoutMs);
  writeJson(table, rowKey(digest), { account, device, online: true, seen: seenAtMs, due, since: seenAtMs } satisfies Row);
  table.put(dueKey(partitionOf(account, device), due, digest), Buffer.alloc(1));
}

export function duePartitions(
  table: OrderedTable,
  { partitions, nowMs }: { readonly partitions: readonly number[]; readonly nowMs: number },
): readonly number[] {
  return partitions.filter((partition) => [...table.range({ start: dueKey(partition, 0), end: dueKey(partition, nowMs), limit: 1 })].length > 0);
}

type Expiring = { readonly partition: number; readonly nowMs: number; readonly timeoutMs: number; readonly limit: number };

export function expireDevices(table: OrderedTable, { partition, nowMs, timeoutMs, limit }: Expiring, lastEventAtMs: LastEventAtMs): readonly DeviceRef[] {
  const gone: DeviceRef[] = [];
  for (const { key } of [...table.range({ start: dueKey(partition, 0), end: dueKey(partition, nowMs), limit })]) {
    const digest = Buffer.from(key.subarray(8));
    table.remove(key);
    const row = readJson<Row>(table, rowKey(digest));
    if (row?.online !== true) continue;
    const seen = Math.max(row.seen, lastEventAtMs(row) ?? 0);
    if (seen + timeoutMs > nowMs) {
      const due = Math.floor(seen + timeoutMs);
      writeJson(table, rowKey(digest), { ...row, seen, due });
      table.put(dueKey(partition, due, digest), Buffer.alloc(1));
      continue;
    }
    writeJson(table, rowKey(digest), { ...row, online: false, seen, since: seen });
    gone.push({ account: row.account, device: row.device });
  }
  return gone;
}

export function readPresenceOf(table: OrderedTable, ref: DeviceRef): Presence | undefined {
  const row = readJson<Row>(table, rowKey(digestOf(ref)));
  return row === undefined ? undefined : { online: row.online, seenAtMs: row.seen, sinceMs: row.since };
}
