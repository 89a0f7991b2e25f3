/** Sends what is due. Every worker runs one: the store gives each delivery to one of them at a time. */
import { type Clock, createPause, type Pause, storeMsOf } from '#system/clock.ts';
import type { ClaimedAttempt, Store } from '#system/store/store.ts';
import { judge } from './retry.ts';
import type { Send, SendAnswer } from './send.ts';
import type { WebhookSettings } from './settings.ts';
import { secretsAt, signedHeaders } from './signature.ts';
import type { Webhooks } from './webhooks.ts';

/** Plain numbers, by what they count. `retried`: attempts that failed and are not the last. */
export type WebhookCounts = Record<'delivered' | 'failed' | 'retried' | 'dead' | 'dropped' | 'breaker_opened' | 'stale', number>;
export const noWebhookCounts = (): WebhookCounts => ({ delivered: 0, failed: 0, retried: 0, dead: 0, dropped: 0, breaker_opened: 0, stale: 0 });

export type DispatcherOptions = {
  readonly store: Store;
  readonly clock: Clock;
  readonly settings: WebhookSettings;
  readonly send: Send;
  readonly webhooks: Pick<Webhooks, 'confirmEcho'>;
  readonly counts: WebhookCounts;
  readonly onTrouble: (error: unknown) => void;
  /** Of [0, 1). */
  readonly random: () => number;
};
/** Resolves when nothing is on its way any more, or after a while: what is still unanswered then is sent again by somebody else. */
export type Dispatcher = { readonly stop: () => Promise<void> };

const pauseMs = 50;
const troublePauseMs = 1000;
const happeningsPerPartition = 8;
/** What comes between an attempt's end and its place in the store. */
const leaseMarginMs = 5000;
const stopMsMax = 2000;

type Running = { readonly places: Map<symbol, ClaimedAttempt>; readonly pause: Pause; turn: number; stopping: boolean };

export function startDispatcher(options: DispatcherOptions): Dispatcher {
  const running: Running = { places: new Map(), pause: createPause(), turn: 0, stopping: false };
  const run = async (): Promise<void> => {
    while (!running.stopping) {
      try {
        const isBusy = await tellHappenings(options);
        const started = await startDue(options, running);
        if (!isBusy && started === 0) await running.pause.for(pauseMs);
      } catch (error) {
        options.onTrouble(error);
        await running.pause.for(troublePauseMs);
      }
    }
  };
  const looping = run();
  return {
    stop: async () => {
      running.stopping = true;
      running.pause.end();
      await looping;
      const endMs = options.clock.monotonicMs() + stopMsMax;
      while (running.places.size > 0 && options.clock.monotonicMs() < endMs) await createPause().for(pauseMs);
    },
  };
}

/** To their accounts. True: there may be more at once. */
async function tellHappenings({ store, clock, settings, counts }: DispatcherOptions): Promise<boolean> {
  const happenings = await store.readHappenings({ perPartitionMax: happeningsPerPartition });
  if (happenings.length === 0) return false;
  // Submitted in order and at once: the store runs them in this order. Told twice by two workers they are told once.
  const given = { nowMs: storeMsOf(clock), bounds: settings.bounds };
  const told = await Promise.all(
    happenings.map(({ account, id, type, atMs, body }) => store.enqueueOutward({ account, event: { id, type, atMs, body }, ...given })),
  );
  for (const one of told) counts.dropped += one.kind === 'queued' ? one.dropped : one.kind === 'too-large' ? 1 : 0;
  const byPartition = Map.groupBy(happenings, ({ partition }) => partition);
  await Promise.all([...byPartition].map(([partition, of]) => store.dropHappenings({ partition, sources: of.map(({ source }) => source) })));
  return [...byPartition.values()].some((of) => of.length === happeningsPerPartition);
}

/** How many attempts began. */
async function startDue(options: DispatcherOptions, running: Running): Promise<number> {
  const { store, clock, settings } = options;
  const free = settings.attemptsAtOnceMax - running.places.size;
  if (free <= 0) return 0;
  const nowMs = storeMsOf(clock);
  const due = await store.readOutwardDue({ nowMs });
  if (due.length === 0) return 0;
  // Each time another partition is the first: where there are more than places, none waits for ever.
  running.turn++;
  const turned = [...due.slice(running.turn % due.length), ...due.slice(0, running.turn % due.length)].slice(0, free);
  const suspects = [...running.places.values()].filter(({ isSuspect }) => isSuspect).length;
  const suspectsFree = Math.max(0, Math.ceil(settings.attemptsAtOnceMax / 2) - suspects);
  const claimed = await Promise.all(
    turned.map((partition, i) =>
      store.claimAttempts({
        partition,
        nowMs,
        leaseMs: settings.timeoutMs + leaseMarginMs,
        limit: share(free, turned.length, i),
        suspectsMax: share(suspectsFree, turned.length, i),
        perEndpointMax: settings.attemptsPerEndpointMax,
      }),
    ),
  );
  for (const one of claimed.flat()) {
    const place = Symbol();
    running.places.set(place, one);
    attempt(options, one)
      .catch(options.onTrouble)
      .finally(() => {
        running.places.delete(place);
        running.pause.end();
      });
  }
  return claimed.flat().length;
}

const share = (sum: number, parts: number, i: number): number => Math.floor(sum / parts) + (i < sum % parts ? 1 : 0);

async function attempt({ store, clock, settings, send, webhooks, counts, random }: DispatcherOptions, claimed: ClaimedAttempt): Promise<void> {
  const atMs = clock.wallMs();
  const startedMs = clock.monotonicMs();
  const { row, event, lane } = claimed;
  const answer = await send({ url: row.url, headers: signedHeaders(event, secretsAt(row.secrets, storeMsOf(clock)), atMs), body: event.body });
  const tookMs = Math.round(clock.monotonicMs() - startedMs);
  const nowMs = storeMsOf(clock);
  const judging = { attempt: claimed.attempt, scheduleMs: settings.scheduleMs, nowMs, wallMs: clock.wallMs(), random: random() };
  const outcome = judge(answer, judging);
  // Before it is settled: an echo that was heard must not be lost to a crash between.
  if (lane === 'handshake' && outcome.kind === 'delivered') await hearEcho(webhooks, claimed, answer);
  const { account, endpoint, number, lease } = claimed;
  const made = answer.kind === 'answered' ? { atMs, tookMs, status: answer.status } : { atMs, tookMs, error: answer.error };
  const settled = await store.settleAttempt({ account, endpoint, lane, number, lease, nowMs, attempt: made, outcome, breaker: settings.breaker });
  if (settled.kind === 'stale') {
    counts.stale++;
    return;
  }
  if (settled.breakerOpened) counts.breaker_opened++;
  if (outcome.kind === 'delivered') counts.delivered++;
  else {
    counts.failed++;
    counts[outcome.kind === 'retry' ? 'retried' : 'dead']++;
  }
}

async function hearEcho(webhooks: DispatcherOptions['webhooks'], { account, endpoint }: ClaimedAttempt, answer: SendAnswer): Promise<void> {
  const challenge = answer.kind === 'answered' ? echoOf(answer.body) : undefined;
  if (challenge !== undefined) await webhooks.confirmEcho({ account, endpoint }, challenge);
}

function echoOf(body: string): string | undefined {
  try {
    const { challenge } = (JSON.parse(body) ?? {}) as { readonly challenge?: unknown };
    return typeof challenge === 'string' ? challenge : undefined;
  } catch {
    return undefined;
  }
}
