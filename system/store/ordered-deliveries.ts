/**
 * Deliveries: what waits for an endpoint, who sends it now, how it went. An endpoint has two queues, one for each lane.
 *
 * key: s · queue 16                          its health: what is being sent, failures, the breaker
 *      q · queue 16 · (2^53 − number) 8      a delivery: the youngest comes first
 *      d · queue 16 · due 6 · number 8       when it is tried next
 *      w · partition 1 · due 6 · queue 16    when the queue has something that may be sent
 *
 * A lease is a due time: what a worker took is due again when its time is over, so that nobody has to notice a death. A queue that sends
 * as much as it may stands in `w` at the end of its first lease: whoever looks for work never walks past what cannot be done.
 */
import { digestKey } from './digest.ts';
import { type OrderedTable, readJson, writeJson } from './ordered-changes.ts';
import type { Attempt, Delivery, DeliveryKey, DeliveryState, Endpoint, EndpointHealth, EndpointKey, Lane, OutwardEvent } from './outward.ts';
import { hasAny, keyOf, numberBytes, timeBytes } from './outward-keys.ts';
import { partitionOf } from './partition.ts';

export type QueueKey = EndpointKey & { readonly lane: Lane };

export type DeliveryRow = {
  readonly eventId: string;
  readonly type: string;
  readonly state: DeliveryState;
  readonly atMs: number;
  readonly dueAtMs: number;
  /** Grows whenever somebody takes it. */
  readonly lease: number;
  /** Of the present round. */
  readonly attempt: number;
  readonly made: number;
  readonly attempts: readonly Attempt[];
  /** Where it is being sent to. */
  readonly url?: string;
};

export type QueueRow = QueueKey & {
  readonly waiting: number;
  readonly dropped: number;
  /** Number and lease's end of what is being sent. */
  readonly sending: readonly (readonly [number, number])[];
  readonly failures: number;
  readonly isSlow: boolean;
  /** Nothing is sent before: an open breaker, or what the endpoint asked for. */
  readonly pausedUntilMs: number;
  readonly openings: number;
  /** Where it stands in `w`. */
  readonly wakesAtMs?: number | undefined;
};

const numberLast = 2 ** 53 - 1;

export const queueDigest = ({ account, endpoint, lane }: QueueKey): Buffer => digestKey(account, endpoint, lane);
const healthKey = (digest: Buffer): Buffer => keyOf('s', digest);
const deliveryKey = (digest: Buffer, number: number): Buffer => keyOf('q', digest, numberBytes(numberLast - number));
const dueKey = (digest: Buffer, dueAtMs: number, number: number): Buffer => keyOf('d', digest, timeBytes(dueAtMs), numberBytes(number));
const wakeKey = (partition: number, atMs: number, digest: Buffer = Buffer.alloc(0)): Buffer => keyOf('w', Buffer.from([partition]), timeBytes(atMs), digest);

export const readQueue = (table: OrderedTable, digest: Buffer): QueueRow | undefined => readJson<QueueRow>(table, healthKey(digest));
const newQueue = ({ account, endpoint, lane }: QueueKey): QueueRow => ({
  account,
  endpoint,
  lane,
  waiting: 0,
  dropped: 0,
  sending: [],
  failures: 0,
  isSlow: false,
  pausedUntilMs: 0,
  openings: 0,
});
export const readDelivery = (table: OrderedTable, digest: Buffer, number: number): DeliveryRow | undefined =>
  readJson<DeliveryRow>(table, deliveryKey(digest, number));

const isOpen = ({ state }: DeliveryRow): boolean => state === 'waiting' || state === 'sending';

/** Moves it in the order of what is due; one that is over is due never. */
export function writeDelivery(
  table: OrderedTable,
  digest: Buffer,
  { number, before, row }: { readonly number: number; readonly before: DeliveryRow | undefined; readonly row: DeliveryRow },
): void {
  if (before !== undefined && isOpen(before)) table.remove(dueKey(digest, before.dueAtMs, number));
  if (isOpen(row)) table.put(dueKey(digest, row.dueAtMs, number), Buffer.alloc(1));
  writeJson(table, deliveryKey(digest, number), row);
}

export type NewDelivery = {
  readonly lane: Lane;
  readonly number: number;
  readonly dueAtMs: number;
  readonly event: OutwardEvent;
  readonly queueMax: number;
};

/** False: the queue is full. One that is open already stays as it is; one that is over begins a new round. */
export function addDelivery(table: OrderedTable, endpoint: Endpoint, { lane, number, dueAtMs, event, queueMax }: NewDelivery): boolean {
  const key = { account: endpoint.account, endpoint: endpoint.id, lane };
  const digest = queueDigest(key);
  const queue = readQueue(table, digest) ?? newQueue(key);
  const before = readDelivery(table, digest, number);
  if (before !== undefined && isOpen(before)) return true;
  if (queue.waiting >= queueMax) {
    writeJson(table, healthKey(digest), { ...queue, dropped: queue.dropped + 1 });
    return false;
  }
  const { id: eventId, type, atMs } = event;
  const fresh: DeliveryRow = { eventId, type, state: 'waiting', atMs, dueAtMs, lease: 0, attempt: 0, made: 0, attempts: [] };
  writeDelivery(table, digest, { number, before, row: before === undefined ? fresh : { ...before, state: 'waiting', dueAtMs, attempt: 0 } });
  wake(table, { digest, queue: { ...queue, waiting: queue.waiting + 1 }, endpoint, nowMs: dueAtMs });
  return true;
}

/** With its event, whose time is over. */
export function dropDelivery(table: OrderedTable, { number, ...key }: DeliveryKey): void {
  const digest = queueDigest(key);
  const row = readDelivery(table, digest, number);
  if (row === undefined) return;
  table.remove(deliveryKey(digest, number));
  if (!isOpen(row)) return;
  table.remove(dueKey(digest, row.dueAtMs, number));
  const queue = readQueue(table, digest);
  if (queue === undefined) return;
  const sending = queue.sending.filter(([other]) => other !== number);
  writeJson(table, healthKey(digest), { ...queue, sending, waiting: queue.waiting - 1, dropped: queue.dropped + 1 });
}

export function dropQueue(table: OrderedTable, key: QueueKey): void {
  const digest = queueDigest(key);
  const queue = readQueue(table, digest);
  if (queue?.wakesAtMs !== undefined) table.remove(wakeKey(partitionOf(key.account, 'account'), queue.wakesAtMs, digest));
  table.remove(healthKey(digest));
}

/** Its endpoint is another one now; what was known of one that was not active yet is over. */
export function wakeQueue(table: OrderedTable, key: QueueKey, endpoint: Endpoint, nowMs: number): void {
  const digest = queueDigest(key);
  const queue = readQueue(table, digest);
  const { state } = endpoint;
  const isFresh = state.kind === 'active' && state.sinceMs === nowMs;
  const known = isFresh ? { failures: 0, openings: 0, isSlow: false, pausedUntilMs: 0 } : {};
  if (queue !== undefined) wake(table, { digest, queue: { ...queue, ...known }, endpoint, nowMs });
}

const mayBeSent = (lane: Lane, { state }: Endpoint): boolean => (lane === 'events' ? state.kind === 'active' : state.kind === 'pending');
export const isSuspect = ({ failures, isSlow }: QueueRow): boolean => failures > 0 || isSlow;
/** One at a time to who failed: what hangs must not take everybody's places. */
export const sendingMax = (queue: QueueRow, perEndpointMax: number): number => (isSuspect(queue) ? 1 : perEndpointMax);

type Waking = {
  readonly digest: Buffer;
  readonly queue: QueueRow;
  readonly endpoint: Endpoint | undefined;
  readonly nowMs: number;
  /** Undefined: there may be place. */
  readonly perEndpointMax?: number;
};

/** Writes the queue, and when it is to be looked at. */
export function wake(table: OrderedTable, { digest, queue, endpoint, nowMs, perEndpointMax }: Waking): void {
  const partition = partitionOf(queue.account, 'account');
  const sending = queue.sending.filter(([, untilMs]) => untilMs > nowMs);
  const isFull = perEndpointMax !== undefined && sending.length >= sendingMax(queue, perEndpointMax);
  const [first] = table.range({ start: keyOf('d', digest), end: keyOf('d', digest, Buffer.from([0xff])), limit: 1 });
  const dueAtMs = first?.key.readUIntBE(17, 6);
  const isAsleep = dueAtMs === undefined || endpoint === undefined || !mayBeSent(queue.lane, endpoint);
  const freeAtMs = isFull ? Math.min(...sending.map(([, untilMs]) => untilMs)) : 0;
  const wakesAtMs = isAsleep ? undefined : Math.max(dueAtMs, freeAtMs, queue.pausedUntilMs);
  if (queue.wakesAtMs !== undefined && queue.wakesAtMs !== wakesAtMs) table.remove(wakeKey(partition, queue.wakesAtMs, digest));
  if (wakesAtMs !== undefined && queue.wakesAtMs !== wakesAtMs) table.put(wakeKey(partition, wakesAtMs, digest), Buffer.alloc(1));
  writeJson(table, healthKey(digest), { ...queue, sending, wakesAtMs });
}

export function awakePartitions(table: OrderedTable, partitions: readonly number[], nowMs: number): readonly number[] {
  if (!hasAny(table, 'w')) return [];
  return partitions.filter((partition) => [...table.range({ start: wakeKey(partition, 0), end: wakeKey(partition, nowMs + 1), limit: 1 })].length > 0);
}

/** Digests of queues with something to send, those that wait longest first. */
export function awakeQueues(table: OrderedTable, { partition, nowMs, limit }: { readonly partition: number; readonly nowMs: number; readonly limit: number }) {
  return [...table.range({ start: wakeKey(partition, 0), end: wakeKey(partition, nowMs + 1), limit })].map(({ key }) => Buffer.from(key.subarray(8)));
}

export function dueNumbers(table: OrderedTable, digest: Buffer, { nowMs, limit }: { readonly nowMs: number; readonly limit: number }): readonly number[] {
  const bounds = { start: keyOf('d', digest), end: keyOf('d', digest, timeBytes(nowMs + 1)), limit };
  return [...table.range(bounds)].map(({ key }) => Number(key.readBigUInt64BE(23)));
}

export function listDeliveries(
  table: OrderedTable,
  { account, endpoint, before, limit }: EndpointKey & { readonly before: number | undefined; readonly limit: number },
): readonly Delivery[] {
  const digest = queueDigest({ account, endpoint, lane: 'events' });
  const start = before === undefined ? keyOf('q', digest) : deliveryKey(digest, before - 1);
  return [...table.range({ start, end: keyOf('q', digest, Buffer.from([0xff])), limit })].map(({ key, value }) => {
    const { lease: _, attempt: __, url: ___, made, atMs, ...row } = JSON.parse(value.toString()) as DeliveryRow;
    return { ...row, number: numberLast - Number(key.readBigUInt64BE(17)), createdAtMs: atMs, attemptsMade: made };
  });
}

export function readHealth(table: OrderedTable, key: EndpointKey): EndpointHealth {
  const queue = readQueue(table, queueDigest({ ...key, lane: 'events' }));
  return { waiting: queue?.waiting ?? 0, dropped: queue?.dropped ?? 0, failuresInARow: queue?.failures ?? 0, breakerUntilMs: queue?.pausedUntilMs ?? 0 };
}
