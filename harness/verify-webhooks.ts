/** Webhooks after the load: those who take everything get time to, then what came is compared with what was acknowledged, and with what the service says of the rest. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type AuditedEndpoint, auditWebhooks, missingAt, type WebhookAuditInput } from '#harness/ledger/webhook-audit.ts';
import type { LiveView } from '#harness/live/live.ts';
import { messageOf } from '#harness/message-of.ts';
import type { WebhookLedgerRecord } from '#harness/run-result.ts';
import type { EndpointArrivals } from '#harness/webhooks/receiver-book.ts';
import type { DrivenWebhooks, RunEndpoint } from './drive-webhooks.ts';
import { registeredType } from './scenario-webhooks.ts';
import { readDeliveries, readEndpoint } from './topology/webhook-endpoints.ts';

export type VerifyWebhooksInput = {
  /** Of the service. */
  readonly url: string;
  readonly webhooks: Pick<DrivenWebhooks, 'endpoints' | 'arrivals'>;
  readonly audit: WebhookAuditInput;
  readonly view: Pick<LiveView, 'progress'>;
  /** The run was ended by its user, who does not want to wait. */
  readonly signal: AbortSignal;
};

const arriveMsMax = 60_000;
const arriveMsMaxStopped = 3000;
/** A service that has much to tell may have nothing waiting while it tells it: only one that is silent too has nothing left. */
const silenceMsMax = 5000;
const pollMs = 500;
const readMsMax = 120_000;

/** Never rejects: what could not be read makes the ledger incomplete, with the reason. */
export async function verifyWebhooks(input: VerifyWebhooksInput): Promise<WebhookLedgerRecord> {
  const startedMs = performance.now();
  let waitedSeconds = 0;
  try {
    await arrived(input, startedMs);
    waitedSeconds = (performance.now() - startedMs) / 1000;
    return { ...auditWebhooks(input.audit, await readAll(input)), waitedSeconds };
  } catch (error) {
    return { receivers: [], examples: [], waitedSeconds, incomplete: messageOf(error) };
  }
}

async function arrived(input: VerifyWebhooksInput, startedMs: number): Promise<void> {
  const { webhooks, view, signal } = input;
  const waitedFor = webhooks.endpoints.filter((endpoint) => endpoint.takesAll && endpoint.types.includes(registeredType));
  let before = Number.POSITIVE_INFINITY;
  let movedMs = startedMs;
  for (;;) {
    const missing = await countMissing(input, waitedFor);
    const nowMs = performance.now();
    if (missing < before) movedMs = nowMs;
    before = missing;
    const leftMs = startedMs + (signal.aborted ? arriveMsMaxStopped : arriveMsMax) - nowMs;
    if (missing === 0 || leftMs <= 0) return;
    if (nowMs - movedMs > silenceMsMax && (await hasNothingWaiting(input, waitedFor))) return;
    view.progress(`waiting for ${missing.toLocaleString('en-US')} webhooks, at most ${Math.ceil(leftMs / 1000)} s more`);
    await sleep(pollMs);
  }
}

async function countMissing({ webhooks, audit }: VerifyWebhooksInput, waitedFor: readonly RunEndpoint[]): Promise<number> {
  const arrivals = await webhooks.arrivals(waitedFor);
  return waitedFor.reduce(
    (sum, { accountIndex, takesAll }, i) => sum + missingAt(audit, { account: accountIndex, takesAll, arrivals: arrivals[i] as EndpointArrivals }).length,
    0,
  );
}

/** Then what is still missing will not come, however long one waits. */
async function hasNothingWaiting({ url }: VerifyWebhooksInput, waitedFor: readonly RunEndpoint[]): Promise<boolean> {
  for (const endpoint of waitedFor) if ((await readEndpoint(url, endpoint)).waiting > 0) return false;
  return true;
}

type Said = Pick<AuditedEndpoint, 'listed' | 'dropped' | 'isDisabled'>;

/** What the service says first: what it calls delivered by then has been accepted by then. */
async function readAll({ url, webhooks }: VerifyWebhooksInput): Promise<readonly AuditedEndpoint[]> {
  const endMs = performance.now() + readMsMax;
  const asked = webhooks.endpoints.filter(({ types }) => types.includes(registeredType));
  const said: Said[] = [];
  for (const endpoint of asked) said.push(await readOne(url, endpoint, endMs));
  const arrivals = await webhooks.arrivals(asked);
  return asked.map(({ receiver, accountIndex, takesAll }, i) => ({
    receiver,
    account: accountIndex,
    takesAll,
    arrivals: arrivals[i] as EndpointArrivals,
    ...(said[i] as Said),
  }));
}

async function readOne(url: string, endpoint: RunEndpoint, endMs: number): Promise<Said> {
  const { state, dropped } = await readEndpoint(url, endpoint);
  return { listed: await readDeliveries(url, endpoint, { type: registeredType, endMs }), dropped, isDisabled: state === 'disabled' };
}
