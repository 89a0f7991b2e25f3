/** Items, changes, snapshots. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { AppDeps } from './app.ts';
import { isUnchanged, otherVersion, sendRaw } from './exchange.ts';
import { channelOf, parseChannel, reservedCollection, reservedItem, snapshotPath } from './protocol/channels.ts';
import { cursorLength, decodeCursor, encodeCursor } from './protocol/cursor.ts';
import { notJson, Problem } from './protocol/errors.ts';
import { textOf, withoutBlanks } from './protocol/json-spans.ts';
import { limits } from './protocol/limits.ts';
import { oneLine } from './protocol/one-line.ts';
import { RawJson } from './protocol/raw-json.ts';
import { ChangesQuery, CollectionParams, ItemParams, SnapshotQuery } from './protocol/schemas.ts';
import { parseJsonText } from './protocol/well-formed.ts';
import { type Change, type ChangeResult, changesHead, changesStart, type FoundChanges, type LogKey } from './store/store.ts';
import { changeJson } from './stream/encode.ts';
import { logOf, mayUse } from './sync/access.ts';
import { conditionOf, etagOf } from './sync/conditions.ts';

const security = [{ bearer: [] }];
const written = { config: { callers: ['device', 'user'] as const, lane: 'sync' } };
const read = { config: { callers: ['device', 'user', 'account'] as const, lane: 'read' } };

export function syncRoutes(app: FastifyInstance, deps: AppDeps): void {
  const put = { config: { ...written.config, keepsBytes: true }, schema: { summary: 'Store an item', security, params: ItemParams } };
  app.put('/v1/sync/:collection/:item', put, (request, reply) => putItem(request, reply, deps));
  app.delete('/v1/sync/:collection/:item', { ...written, schema: { summary: 'Delete an item', security, params: ItemParams } }, (request, reply) =>
    deleteItem(request, reply, deps),
  );
  app.get('/v1/sync/:collection/:item', { ...read, schema: { summary: 'An item', security, params: ItemParams } }, (request, reply) =>
    getItem(request, reply, deps),
  );
  app.get(
    '/v1/sync/:collection',
    { ...read, schema: { summary: 'Changes after a cursor', security, params: CollectionParams, querystring: ChangesQuery } },
    (request, reply) => getChanges(request, reply, deps),
  );
  app.get(
    '/v1/sync/:collection/snapshot',
    { ...read, schema: { summary: 'The state, in pages that share one cursor', security, params: CollectionParams, querystring: SnapshotQuery } },
    (request, reply) => getSnapshot(request, reply, deps),
  );
}

type Place = { readonly log: LogKey; readonly channel: string };

/** Whose log the caller may touch here. */
function placeOf(request: FastifyRequest, access: 'read' | 'write'): Place {
  const { collection } = request.params as CollectionParams;
  if (access === 'write' && collection === reservedCollection) throw new Problem('forbidden', 'Only a share puts something into an inbox.');
  const channel = parseChannel(channelOf(collection));
  const { caller } = request;
  const log = caller === undefined ? undefined : logOf(caller);
  if (caller === undefined || log === undefined) throw new Problem('forbidden', 'This device belongs to no user, and items belong to users.');
  if (channel === undefined || !mayUse(caller, channel)) throw new Problem('forbidden', 'This credential is not for this collection.');
  return { log, channel: channel.name };
}

async function putItem(request: FastifyRequest, reply: FastifyReply, { store, clock, bus }: AppDeps): Promise<FastifyReply> {
  const { log, channel } = placeOf(request, 'write');
  const { item } = request.params as ItemParams;
  if (item === reservedItem) throw new Problem('bad-request', `An item may not be called "${reservedItem}": that is where the snapshot is.`);
  const bytes = itemBytesOf(request.body);
  const result = await store.change({ ...log, channel, key: item, atMs: clock.wallMs(), bytes, condition: conditionOf(request.headers) });
  const { version, position, epoch, created } = changed(result, reply);
  bus.poke([log]);
  const cursor = encodeCursor({ epoch, position }, log);
  reply
    .code(created ? 201 : 200)
    .header('etag', etagOf(version))
    .header('sync-cursor', cursor);
  return reply.send({ item, version, cursor });
}

/** As they came: what is read and written anew may be another number. */
function itemBytesOf(body: unknown): Uint8Array {
  const parsed = Buffer.isBuffer(body) ? parseJsonText(body) : { value: body };
  if (parsed === undefined) throw notJson();
  if (!Buffer.isBuffer(body) || parsed.value === null) throw new Problem('bad-request', 'Send the item as JSON; null is no item, DELETE takes one away.');
  const bytes = withoutBlanks(body);
  const isTooLarge = Math.max(bytes.length, oneLine(bytes).length) > limits.itemBytesMax;
  if (isTooLarge) throw new Problem('item-too-large', `An item has at most ${limits.itemBytesMax} bytes, as it came and as one line of a stream.`);
  return bytes;
}

async function deleteItem(request: FastifyRequest, reply: FastifyReply, { store, clock, bus }: AppDeps): Promise<FastifyReply> {
  const { log, channel } = placeOf(request, 'write');
  const { item } = request.params as ItemParams;
  const result = await store.change({ ...log, channel, key: item, atMs: clock.wallMs(), bytes: undefined, condition: conditionOf(request.headers) });
  const { version, position, epoch } = changed(result, reply);
  bus.poke([log]);
  return reply.code(204).header('etag', etagOf(version)).header('sync-cursor', encodeCursor({ epoch, position }, log)).send();
}

function changed(result: ChangeResult, reply: FastifyReply): Extract<ChangeResult, { kind: 'changed' }> {
  switch (result.kind) {
    case 'changed':
      return result;
    case 'mismatch':
      throw otherVersion(reply, result.version);
    case 'missing':
      throw new Problem('not-found', 'There is no such item.');
    case 'full':
      throw new Problem('too-many', 'This user has as many items or collections as there may be.');
  }
}

async function getItem(request: FastifyRequest, reply: FastifyReply, { store }: AppDeps): Promise<FastifyReply> {
  const { log, channel } = placeOf(request, 'read');
  const { item: key } = request.params as ItemParams;
  const { item, head, epoch } = await store.readItem({ ...log, channel, key });
  reply.header('sync-cursor', encodeCursor({ epoch, position: head }, log));
  if (item === undefined) throw new Problem('not-found', 'There is no such item.');
  if (isUnchanged(request, reply, etagOf(item.version))) return reply.code(304).send();
  return sendRaw(reply, { item: key, version: item.version, updated_at: new Date(item.atMs).toISOString(), data: new RawJson(textOf(item.bytes)) });
}

type Reading = {
  readonly deps: Pick<AppDeps, 'store'>;
  readonly log: LogKey;
  readonly channels: readonly string[];
  readonly since: string;
  readonly limit: number;
};

/** The page after a cursor or a sentinel (`-1`: all that is retained, `now`); a Problem for a cursor that does not lead on. */
export async function readSince({
  deps,
  log,
  channels,
  since,
  limit,
}: Reading): Promise<{ readonly page: FoundChanges; readonly from: string; readonly resumed: boolean }> {
  const given = since === '-1' || since === 'now' ? undefined : decodeCursor(since, log);
  if (given === undefined && since !== '-1' && since !== 'now')
    throw new Problem('bad-cursor', 'This cursor was not given out for these channels and this credential.');
  const after = given?.position ?? (since === '-1' ? changesStart : changesHead);
  const page = await deps.store.readChanges({ ...log, after, limit });
  const snapshots = { snapshots: Object.fromEntries(channels.map((channel) => [channel, snapshotPath(channel)])) };
  if (given !== undefined && given.epoch !== page.epoch)
    throw new Problem('epoch-changed', 'The data went back to a backup since: take a snapshot and go on from its cursor.', snapshots);
  if (page.kind === 'expired')
    throw new Problem('cursor-expired', 'Deletions after this cursor are forgotten: take a snapshot and go on from its cursor.', snapshots);
  if (page.kind !== 'changes') throw new Problem('cursor-from-future', 'This cursor lies behind the end of the log: take a snapshot.', snapshots);
  const from = encodeCursor({ epoch: page.epoch, position: after === changesHead ? page.position : after }, log);
  return { page, from, resumed: given !== undefined };
}

export const changeTexts = (changes: readonly Change[], { log, epoch }: { readonly log: LogKey; readonly epoch: string }): readonly string[] =>
  changes.map((change) => changeJson(change, encodeCursor({ epoch, position: change.position }, log)));

async function getChanges(request: FastifyRequest, reply: FastifyReply, deps: AppDeps): Promise<FastifyReply> {
  const { log, channel } = placeOf(request, 'read');
  const { since = '-1', limit = limits.changesPageMax } = request.query as ChangesQuery;
  const { page } = await readSince({ deps, log, channels: [channel], since, limit });
  const own = page.changes.filter((change) => change.channel === channel);
  const cursor = encodeCursor(page, log);
  reply.header('sync-cursor', cursor).header('sync-epoch', page.epoch);
  const changes = changeTexts(own, { log, epoch: page.epoch }).map((text) => new RawJson(text));
  return sendRaw(reply, { changes, cursor, up_to_date: page.atEnd });
}

async function getSnapshot(request: FastifyRequest, reply: FastifyReply, { store }: AppDeps): Promise<FastifyReply> {
  const { log, channel } = placeOf(request, 'read');
  const { page_token: token, limit = limits.changesPageMax } = request.query as SnapshotQuery;
  const begun = token === undefined ? undefined : decodeCursor(token.slice(0, cursorLength), log);
  if (token !== undefined && (begun === undefined || token[cursorLength] !== '.'))
    throw new Problem('bad-cursor', 'This page_token was not given out for this snapshot.');
  const page = await store.readSnapshot({ ...log, channel, afterKey: token?.slice(cursorLength + 1) ?? '', limit });
  if (begun !== undefined && begun.epoch !== page.epoch) throw new Problem('epoch-changed', 'The data went back to a backup since: begin the snapshot anew.');
  if (begun !== undefined && begun.position < page.floor)
    throw new Problem('snapshot-expired', 'Deletions since its first page are forgotten: begin the snapshot anew.');
  const cursor = encodeCursor(begun ?? { epoch: page.epoch, position: page.head }, log);
  const next = page.nextAfterKey === undefined ? {} : { page_token: `${cursor}.${page.nextAfterKey}` };
  const items = page.items.map(({ key, version, atMs, bytes }) => ({ k: key, ver: version, ts: new Date(atMs).toISOString(), d: new RawJson(textOf(bytes)) }));
  reply.header('sync-cursor', cursor).header('sync-epoch', page.epoch);
  return sendRaw(reply, { items, cursor, ...next });
}
