/**
 * Endpoints, their events and happenings over a table whose keys are in order. Rows of an account begin with its digest of 16 bytes.
 *
 * key: e · account 16 · endpoint                     an endpoint
 *      i · account 16                                types that an active endpoint of it wants
 *      c · account 16                                number of its last event, and of its oldest
 *      v · account 16 · number 8                     an event
 *      x · account 16 · digest of the event's id 16  its number
 *      h · partition 1 · number 8                    a happening; h · partition 1: the number of the last
 *      s, q, d, w                                    deliveries: ordered-deliveries.ts
 */
import { digestKey } from './digest.ts';
import { type OrderedTable, readJson, writeJson } from './ordered-changes.ts';
import { addDelivery, dropDelivery, dropQueue, wakeQueue } from './ordered-deliveries.ts';
import {
  type Endpoint,
  type EndpointKey,
  type Enqueued,
  endpointsPerAccountMax,
  type Happening,
  type OutwardBounds,
  type OutwardCommands,
  type OutwardEvent,
  outwardBodyBytesMax,
} from './outward.ts';
import { outwardBoundsDefault, outwardEvent } from './outward-event.ts';
import { hasAny, keyOf, numberBytes } from './outward-keys.ts';
import { allPartitions } from './partition.ts';

type Count = { readonly last: number; readonly oldest: number };
/** `to`: queues that have a delivery of it, as pairs of endpoint and lane. */
export type EventRow = OutwardEvent & {
  readonly queuedAtMs?: number;
  readonly to: readonly (readonly [string, 'events' | 'handshake'])[];
  readonly only?: true;
};

/** Each event that comes lets so many go whose time is over. */
const forgottenAtOnce = 8;

const endpointKey = ({ account, endpoint }: EndpointKey): Buffer => keyOf('e', digestKey(account), Buffer.from(endpoint));
const interestKey = (account: string): Buffer => keyOf('i', digestKey(account));
const countKey = (account: string): Buffer => keyOf('c', digestKey(account));
const eventKey = (account: string, number: number): Buffer => keyOf('v', digestKey(account), numberBytes(number));
const idKey = (account: string, id: string): Buffer => keyOf('x', digestKey(account), digestKey(id));

export const readEndpointOf = (table: OrderedTable, key: EndpointKey): Endpoint | undefined => readJson<Endpoint>(table, endpointKey(key));

export function listEndpoints(table: OrderedTable, account: string): readonly Endpoint[] {
  const start = keyOf('e', digestKey(account));
  return [...table.range({ start, end: Buffer.concat([start, Buffer.from([0xff])]) })].map(({ value }) => JSON.parse(value.toString()) as Endpoint);
}

export function putEndpointRow(
  table: OrderedTable,
  { expected, row, nowMs }: Parameters<OutwardCommands['putEndpoint']>[0],
): Awaited<ReturnType<OutwardCommands['putEndpoint']>> {
  const key = { account: row.account, endpoint: row.id };
  const others = listEndpoints(table, row.account).filter(({ id }) => id !== row.id);
  if (readEndpointOf(table, key)?.version !== expected) return { kind: 'conflict' };
  if (others.some(({ url }) => url === row.url)) return { kind: 'duplicate-url' };
  if (others.length >= endpointsPerAccountMax) return { kind: 'full' };
  storeEndpoint(table, row, nowMs);
  return { kind: 'stored' };
}

export function storeEndpoint(table: OrderedTable, row: Endpoint, nowMs: number): void {
  const key = { account: row.account, endpoint: row.id };
  writeJson(table, endpointKey(key), row);
  writeInterest(table, row.account);
  for (const lane of ['events', 'handshake'] as const) wakeQueue(table, { ...key, lane }, row, nowMs);
}

/** Its deliveries go with their events. */
export function dropEndpointRow(table: OrderedTable, key: EndpointKey): Awaited<ReturnType<OutwardCommands['dropEndpoint']>> {
  if (readEndpointOf(table, key) === undefined) return { kind: 'missing' };
  table.remove(endpointKey(key));
  writeInterest(table, key.account);
  for (const lane of ['events', 'handshake'] as const) dropQueue(table, { ...key, lane });
  return { kind: 'dropped' };
}

function writeInterest(table: OrderedTable, account: string): void {
  const types = new Set(listEndpoints(table, account).flatMap((row) => (row.state.kind === 'active' ? row.types : [])));
  if (types.size === 0) table.remove(interestKey(account));
  else writeJson(table, interestKey(account), [...types]);
}

/** One look where nobody listens: this stands in the way of every event. An engine with partitions keeps a copy of the row on each. */
export const isWanted = (table: OrderedTable, account: string, type: string): boolean =>
  readJson<readonly string[]>(table, interestKey(account))?.includes(type) === true;

/** `source`: what makes it this happening and no other; the event's id follows from it. */
export type NewHappening = {
  readonly account: string;
  readonly partition: number;
  readonly type: string;
  readonly source: string;
  readonly atMs: number;
  readonly data: () => unknown;
};

export function happen(table: OrderedTable, { account, partition, type, source, atMs, data }: NewHappening): void {
  if (!isWanted(table, account, type)) return;
  const last = keyOf('h', Buffer.from([partition]));
  const next = (readJson<number>(table, last) ?? 0) + 1;
  writeJson(table, last, next);
  const event = outwardEvent({ account, type, source, atMs, data: data() });
  writeJson(table, keyOf('h', Buffer.from([partition]), numberBytes(next)), { account, ...event });
}

export function listHappenings(
  table: OrderedTable,
  { perPartitionMax }: { readonly perPartitionMax: number },
): readonly (Happening & { readonly partition: number })[] {
  if (!hasAny(table, 'h')) return [];
  return allPartitions.flatMap((partition) => {
    const of = Buffer.from([partition]);
    // Behind the number of the last, which is the partition's row without more.
    const bounds = { start: keyOf('h', of, numberBytes(0)), end: keyOf('h', of, Buffer.from([0xff])), limit: perPartitionMax };
    return [...table.range(bounds)].map(({ key, value }) => ({
      ...(JSON.parse(value.toString()) as Omit<Happening, 'source'>),
      partition,
      source: key.toString('hex', 2),
    }));
  });
}

export function removeHappenings(table: OrderedTable, { partition, sources }: Parameters<OutwardCommands['dropHappenings']>[0]): void {
  for (const source of sources) table.remove(keyOf('h', Buffer.from([partition]), Buffer.from(source, 'hex')));
}

export function enqueueEvent(
  table: OrderedTable,
  { account, event, only, bounds = outwardBoundsDefault, nowMs = event.atMs }: Parameters<OutwardCommands['enqueueOutward']>[0],
): Enqueued {
  if (Buffer.byteLength(event.body) > outwardBodyBytesMax) return { kind: 'too-large' };
  if (table.get(idKey(account, event.id)) !== undefined) return { kind: 'repeat' };
  const receivers = listEndpoints(table, account).filter((row) =>
    only === undefined ? row.state.kind === 'active' && row.types.includes(event.type) : row.id === only.endpoint,
  );
  if (receivers.length === 0) return { kind: 'nobody' };
  const lane = only?.lane ?? 'events';
  const { last, oldest } = readJson<Count>(table, countKey(account)) ?? { last: 0, oldest: 1 };
  const number = last + 1;
  const queued = receivers.filter((row) => addDelivery(table, row, { lane, number, dueAtMs: nowMs, event, queueMax: bounds.queueMax }));
  const to = queued.map(({ id }) => [id, lane] as const);
  writeJson(table, eventKey(account, number), { ...event, queuedAtMs: nowMs, to, ...(only === undefined ? {} : { only: true }) } satisfies EventRow);
  writeJson(table, idKey(account, event.id), number);
  writeJson(table, countKey(account), { last: number, oldest: forget(table, account, { oldest, last: number }, { ...bounds, nowMs }) });
  return { kind: 'queued', endpoints: queued.length, dropped: receivers.length - queued.length };
}

/** Inside a transaction: what time alone takes of an account's events, with their deliveries; the youngest stays. True where something went. */
export function forgetOutward(table: OrderedTable, account: string, { bounds, nowMs }: { readonly bounds: OutwardBounds; readonly nowMs: number }): boolean {
  const count = readJson<Count>(table, countKey(account));
  if (count === undefined) return false;
  const oldest = forget(table, account, count, { ...bounds, nowMs });
  if (oldest > count.oldest) writeJson(table, countKey(account), { ...count, oldest } satisfies Count);
  return oldest > count.oldest;
}

type Forgetting = { readonly eventsMax: number; readonly retentionMs: number; readonly nowMs: number };

function forget(table: OrderedTable, account: string, { oldest, last }: Count, { eventsMax, retentionMs, nowMs }: Forgetting): number {
  let at = oldest;
  for (; at < last && at - oldest < forgottenAtOnce; at++) {
    const row = readEventRow(table, account, at);
    if (row === undefined) continue;
    if (last - at < eventsMax && (row.queuedAtMs ?? row.atMs) > nowMs - retentionMs) break;
    for (const [endpoint, lane] of row.to) dropDelivery(table, { account, endpoint, lane, number: at });
    table.remove(idKey(account, row.id));
    table.remove(eventKey(account, at));
  }
  return at;
}

export const readEventRow = (table: OrderedTable, account: string, number: number): EventRow | undefined =>
  readJson<EventRow>(table, eventKey(account, number));

const numberOfEvent = (table: OrderedTable, account: string, id: string): number | undefined => readJson<number>(table, idKey(account, id));

export function replayEvents(
  table: OrderedTable,
  { account, endpoint, which, nowMs, bounds }: Parameters<OutwardCommands['replayDeliveries']>[0],
): Awaited<ReturnType<OutwardCommands['replayDeliveries']>> {
  const row = readEndpointOf(table, { account, endpoint });
  const count = readJson<Count>(table, countKey(account)) ?? { last: 0, oldest: 1 };
  const byId = 'eventId' in which ? numberOfEvent(table, account, which.eventId) : undefined;
  const first = 'eventId' in which ? byId : Math.max(which.after + 1, count.oldest);
  if (row === undefined || first === undefined) return { replayed: 0, dropped: 0, next: undefined };
  const end = 'eventId' in which ? first + 1 : Math.min(count.last + 1, first + which.limit);
  let replayed = 0;
  let dropped = 0;
  for (let number = first; number < end; number++) {
    const event = readEventRow(table, account, number);
    if (event === undefined || !mayReplay(event, row)) continue;
    if (!('eventId' in which) && (event.atMs < which.fromMs || event.atMs >= which.toMs)) continue;
    if (!addDelivery(table, row, { lane: 'events', number, dueAtMs: nowMs, event, queueMax: bounds.queueMax })) dropped++;
    else {
      replayed++;
      if (!event.to.some(([id]) => id === endpoint)) writeJson(table, eventKey(account, number), { ...event, to: [...event.to, [endpoint, 'events']] });
    }
  }
  return { replayed, dropped, next: end <= count.last && !('eventId' in which) ? end - 1 : undefined };
}

/** What was for one endpoint only, a test, goes to nobody else. */
const mayReplay = ({ only, to, type }: EventRow, { id, types }: Endpoint): boolean =>
  only === true ? to.some(([endpoint, lane]) => endpoint === id && lane === 'events') : types.includes(type);
