/** Taking what is due, and writing down how it went. */
import type { OrderedTable } from './ordered-changes.ts';
import {
  awakeQueues,
  type DeliveryRow,
  dueNumbers,
  isSuspect,
  type QueueRow,
  queueDigest,
  readDelivery,
  readQueue,
  sendingMax,
  wake,
  writeDelivery,
} from './ordered-deliveries.ts';
import { readEndpointOf, readEventRow, storeEndpoint } from './ordered-outward.ts';
import type { AttemptOutcome, BreakerBounds, ClaimedAttempt, OutwardCommands, Settled } from './outward.ts';

type Claiming = Parameters<OutwardCommands['claimAttempts']>[0];
type Settling = Parameters<OutwardCommands['settleAttempt']>[0];

const attemptsShownMax = 20;
const queuesLookedAtMax = 256;
/** An answer that took longer makes its endpoint a suspect. */
const slowMs = 2000;
/** An open breaker doubles its time with each trial that failed, at most so often. */
const doublingsMax = 5;

export function claimDue(table: OrderedTable, claiming: Claiming): readonly ClaimedAttempt[] {
  const claimed: ClaimedAttempt[] = [];
  let suspects = 0;
  for (const digest of awakeQueues(table, { ...claiming, limit: queuesLookedAtMax })) {
    const queue = readQueue(table, digest);
    if (queue === undefined) continue;
    const places = claiming.limit - claimed.length;
    const room = isSuspect(queue) ? Math.min(places, claiming.suspectsMax - suspects) : places;
    // A suspect without a place stays where it is, and others come past it.
    if (room <= 0) continue;
    const some = claimOf(table, { digest, queue, room, claiming });
    if (isSuspect(queue)) suspects += some.length;
    claimed.push(...some);
  }
  return claimed;
}

type ClaimingOf = { readonly digest: Buffer; readonly queue: QueueRow; readonly room: number; readonly claiming: Claiming };

function claimOf(table: OrderedTable, { digest, queue, room, claiming }: ClaimingOf): readonly ClaimedAttempt[] {
  const { nowMs, leaseMs, perEndpointMax } = claiming;
  const { account, endpoint, lane } = queue;
  const row = readEndpointOf(table, queue);
  const sending = queue.sending.filter(([, untilMs]) => untilMs > nowMs);
  const free = Math.max(0, Math.min(room, sendingMax(queue, perEndpointMax) - sending.length));
  const claimed: ClaimedAttempt[] = [];
  for (const number of free === 0 || row === undefined ? [] : dueNumbers(table, digest, { nowMs, limit: free })) {
    const before = readDelivery(table, digest, number);
    const event = readEventRow(table, account, number);
    if (before === undefined || event === undefined || row === undefined) continue;
    const taken: DeliveryRow = { ...before, state: 'sending', lease: before.lease + 1, dueAtMs: nowMs + leaseMs, url: row.url };
    writeDelivery(table, digest, { number, before, row: taken });
    sending.push([number, nowMs + leaseMs]);
    const { id, type, atMs, body } = event;
    claimed.push({
      account,
      endpoint,
      lane,
      number,
      lease: taken.lease,
      row,
      event: { id, type, atMs, body },
      attempt: before.attempt,
      isSuspect: isSuspect(queue),
    });
  }
  wake(table, { digest, queue: { ...queue, sending }, endpoint: row, nowMs, perEndpointMax });
  return claimed;
}

export function settleClaimed(table: OrderedTable, settling: Settling): Settled {
  const { number, lease, nowMs, attempt } = settling;
  const digest = queueDigest(settling);
  const before = readDelivery(table, digest, number);
  const queue = readQueue(table, digest);
  if (before?.state !== 'sending' || before.lease !== lease || queue === undefined) return { kind: 'stale' };
  const { url, ...rest } = before;
  // What an address says that the endpoint has left, 410 above all, says nothing of the one that it has now.
  const isLeft = url !== undefined && readEndpointOf(table, settling)?.url !== url;
  const outcome: AttemptOutcome = isLeft && settling.outcome.kind !== 'delivered' ? { kind: 'retry', atMs: nowMs } : settling.outcome;
  const row: DeliveryRow = {
    ...rest,
    ...(outcome.kind === 'retry'
      ? { state: 'waiting' as const, dueAtMs: outcome.atMs }
      : { state: outcome.kind === 'delivered' ? ('delivered' as const) : ('dead' as const) }),
    attempt: before.attempt + 1,
    made: before.made + 1,
    attempts: [...before.attempts, attempt].slice(-attemptsShownMax),
  };
  writeDelivery(table, digest, { number, before, row });
  if (outcome.kind === 'gone') disable(table, settling);
  const judged = isLeft ? queue : judge(queue, settling);
  const sending = queue.sending.filter(([other]) => other !== number);
  const waiting = queue.waiting - (row.state === 'waiting' ? 0 : 1);
  wake(table, { digest, queue: { ...judged, sending, waiting }, endpoint: readEndpointOf(table, settling), nowMs });
  return { kind: 'settled', breakerOpened: judged.openings > queue.openings };
}

/** What the attempt says of its endpoint: a breaker opens after so many failures in a row, and again whenever a trial behind it fails. */
function judge(queue: QueueRow, { outcome, attempt, nowMs, breaker }: Settling): QueueRow {
  const isSlow = attempt.tookMs > slowMs;
  if (outcome.kind === 'delivered') return { ...queue, failures: 0, openings: 0, isSlow };
  const failures = queue.failures + 1;
  // What was on its way when it opened opens it no further.
  const opens = failures >= breaker.failuresMax && queue.pausedUntilMs <= nowMs;
  const openings = opens ? queue.openings + 1 : queue.openings;
  const pausedUntilMs = Math.max(queue.pausedUntilMs, pauseOf(outcome), opens ? nowMs + openMsOf(openings, breaker) : 0);
  return { ...queue, failures, openings, isSlow, pausedUntilMs };
}

const pauseOf = (outcome: AttemptOutcome): number => (outcome.kind === 'retry' ? (outcome.pauseUntilMs ?? 0) : 0);
const openMsOf = (openings: number, { openMs }: BreakerBounds): number => openMs * 2 ** Math.min(openings - 1, doublingsMax);

function disable(table: OrderedTable, { nowMs, ...key }: Settling): void {
  const row = readEndpointOf(table, key);
  if (row !== undefined) storeEndpoint(table, { ...row, version: row.version + 1, state: { kind: 'disabled', reason: 'gone' } }, nowMs);
}
