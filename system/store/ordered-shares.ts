/**
 * Shares and the outbox, over the same table as the change log and one more for the outbox: partition 1 · source 8. What a shared item
 * goes through is written into the outbox by the same transaction; whoever delivers it does so into another partition, once.
 */
import { type ChangeCommand, type ChangeResult, type ChangeStore, type LogKey, type OutboxRecord, type Share, sharesPerItemMax } from './changes.ts';
import {
  applyChange,
  lastChange,
  type OrderedTable,
  positionNumber,
  principalDigest,
  type Retention,
  readChangeAt,
  readItemRow,
  readJson,
  rowKey,
  writeItemRow,
  writeJson,
} from './ordered-changes.ts';
import { partitionOf } from './partition.ts';

export type ChangeTables = { readonly sync: OrderedTable; readonly outbox: OrderedTable };
type StoredRecord = Omit<OutboxRecord, 'partition' | 'source' | 'item'> & { readonly at: number | undefined; readonly version: number };

const sourceBytes = 8;
const shareKey = (digest: Buffer, id: string): Buffer => rowKey(digest, 's', Buffer.from(id));

export function changeWithOutbox(
  { sync, outbox }: ChangeTables,
  command: ChangeCommand,
  settings: { readonly epoch: string; readonly retention: Retention },
): ChangeResult {
  const { result, item } = applyChange(sync, command, settings);
  if (result.kind !== 'changed') return result;
  const digest = principalDigest(command);
  const at = positionNumber(result.position);
  for (const id of item?.shares ?? []) {
    const share = readJson<Share>(sync, shareKey(digest, id));
    if (share === undefined) continue;
    tell(outbox, command, { share, atMs: command.atMs, version: result.version, at: command.bytes === undefined ? undefined : at });
    if (command.bytes === undefined) sync.remove(shareKey(digest, id));
  }
  return result;
}

type Telling = { readonly share: Share; readonly atMs: number; readonly version: number; readonly at: number | undefined };

function tell(outbox: OrderedTable, { account, principal }: LogKey, { share, atMs, version, at }: Telling): void {
  const partition = partitionOf(account, principal);
  const counterKey = Buffer.from([partition]);
  const next = (readJson<number>(outbox, counterKey) ?? 0) + 1;
  writeJson(outbox, counterKey, next);
  const key = Buffer.alloc(1 + sourceBytes);
  key.writeUInt8(partition);
  key.writeBigUInt64BE(BigInt(next), 1);
  const record: StoredRecord = { account, from: principal, to: share.to, share: share.id, channel: share.channel, key: share.key, atMs, version, at };
  writeJson(outbox, key, record);
}

export function addShare({ sync, outbox }: ChangeTables, command: LogKey & { readonly share: Share }): Awaited<ReturnType<ChangeStore['share']>> {
  const { share } = command;
  const digest = principalDigest(command);
  const exists = readJson<Share>(sync, shareKey(digest, share.id));
  if (exists !== undefined) return { kind: 'exists', share: exists };
  const item = readItemRow(sync, digest, share.channel, share.key);
  if (item === undefined || item.deleted) return { kind: 'missing' };
  const shares = item.shares ?? [];
  if (shares.length >= sharesPerItemMax) return { kind: 'full' };
  writeItemRow(sync, digest, share, { ...item, shares: [...shares, share.id] });
  writeJson(sync, shareKey(digest, share.id), share);
  tell(outbox, command, { share, atMs: share.atMs, version: item.version, at: item.at });
  return { kind: 'shared' };
}

export function removeShare(
  { sync, outbox }: ChangeTables,
  command: LogKey & { readonly id: string; readonly atMs: number },
): Awaited<ReturnType<ChangeStore['unshare']>> {
  const digest = principalDigest(command);
  const share = readJson<Share>(sync, shareKey(digest, command.id));
  if (share === undefined) return { kind: 'missing' };
  const item = readItemRow(sync, digest, share.channel, share.key);
  if (item !== undefined) writeItemRow(sync, digest, share, { ...item, shares: (item.shares ?? []).filter((id) => id !== command.id) });
  sync.remove(shareKey(digest, command.id));
  tell(outbox, command, { share, atMs: command.atMs, version: item?.version ?? 0, at: undefined });
  return { kind: 'unshared' };
}

export function listShares({ sync }: ChangeTables, query: LogKey & { readonly afterId: string; readonly limit: number }): readonly Share[] {
  const digest = principalDigest(query);
  const start = shareKey(digest, `${query.afterId}\0`);
  const end = rowKey(digest, 's', Buffer.from([0xff]));
  return [...sync.range({ start, end, limit: query.limit })].map(({ value }) => JSON.parse(value.toString()) as Share);
}

export const readOneShare = ({ sync }: ChangeTables, query: LogKey & { readonly id: string }): Share | undefined =>
  readJson<Share>(sync, shareKey(principalDigest(query), query.id));

export function listOutbox(
  { sync, outbox }: ChangeTables,
  { partitions, limit }: { readonly partitions: readonly number[]; readonly limit: number },
): readonly OutboxRecord[] {
  const wanted = new Set(partitions);
  const records: OutboxRecord[] = [];
  for (const { key, value } of outbox.range({ start: Buffer.alloc(0), end: Buffer.from([0xff]) })) {
    const partition = key.readUInt8(0);
    if (key.length === 1 || !wanted.has(partition)) continue;
    if (records.length >= limit) break;
    const { at, version: _, ...record } = JSON.parse(value.toString()) as StoredRecord;
    records.push({
      ...record,
      partition,
      source: `${partition.toString(16).padStart(2, '0')}${key.toString('hex', 1)}`,
      item: itemOf(sync, record, { at }),
    });
  }
  return records;
}

/** The change it points at, or what the item is now where compaction was faster: a later record tells that again, and nothing is lost. */
function itemOf(sync: OrderedTable, record: Omit<StoredRecord, 'at' | 'version'>, { at }: Pick<StoredRecord, 'at'>): OutboxRecord['item'] {
  if (at === undefined) return undefined;
  const digest = principalDigest({ account: record.account, principal: record.from });
  const row = readItemRow(sync, digest, record.channel, record.key);
  const change = readChangeAt(sync, digest, at) ?? (row === undefined ? undefined : lastChange(sync, digest, row));
  return change?.bytes === undefined ? undefined : { version: change.version, bytes: change.bytes };
}

export function removeOutbox({ outbox }: ChangeTables, { partition, sources }: { readonly partition: number; readonly sources: readonly string[] }): void {
  for (const source of sources) outbox.remove(Buffer.concat([Buffer.from([partition]), Buffer.from(source.slice(2), 'hex')]));
}
