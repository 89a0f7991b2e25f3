/** Webhooks after the load: those who take everything get time to, then what came is compared with what was acknowledged, and with what the service says of the rest. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { ArrivalTimes } from '#harness/ledger/arrival-times.ts';
import {
  type AuditedEndpoint,
  auditWebhooks,
  missingAt,
  type WebhookAudited,
  type WebhookAuditInput,
  type WebhookSuspect,
} from '#harness/ledger/webhook-audit.ts';
import { type WebhookEvidence, webhookEvidenceOf } from '#harness/ledger/webhook-evidence.ts';
import { bothSayings } from '#harness/ledger/webhook-witness.ts';
import type { LiveView } from '#harness/live/live.ts';
import { messageOf } from '#harness/message-of.ts';
import type { WebhookLedgerRecord } from '#harness/run-result.ts';
import { launchOfDevice } from '#harness/target/storm-operations.ts';
import type { EndpointArrivals } from '#harness/webhooks/receiver-book.ts';
import type { DrivenWebhooks, RunEndpoint } from './drive-webhooks.ts';
import { registeredType } from './scenario-webhooks.ts';
import { readDeliveries, readDevice, readEndpoint } from './topology/webhook-endpoints.ts';

export type VerifyWebhooksInput = {
  /** Of the service. */
  readonly url: string;
  readonly webhooks: Pick<DrivenWebhooks, 'endpoints' | 'arrivals'>;
  readonly audit: WebhookAuditInput;
  readonly view: Pick<LiveView, 'progress'>;
  /** So long receivers that take all are waited for; missing: a minute. */
  readonly arriveMsMax?: number;
  /** Between the two readings. */
  readonly pauseMs: number;
  readonly timesOf: (arrival: number) => ArrivalTimes;
  /** The run was ended by its user, who does not want to wait. */
  readonly signal: AbortSignal;
};

const arriveMsMaxDefault = 60_000;
const arriveMsMaxStopped = 3000;
/** A service that has much to tell may have nothing waiting while it tells it: only one that is silent too has nothing left. */
const silenceMsMax = 5000;
const pollMs = 500;
const readMsMax = 120_000;

export type WebhooksVerified = { readonly ledger: WebhookLedgerRecord; readonly evidence: readonly WebhookEvidence[] };

/** Never rejects: what could not be read makes the ledger incomplete, with the reason. */
export async function verifyWebhooks(input: VerifyWebhooksInput): Promise<WebhooksVerified> {
  const startedMs = performance.now();
  let waitedSeconds = 0;
  try {
    await arrived(input, startedMs);
    waitedSeconds = (performance.now() - startedMs) / 1000;
    const { suspects, readings, ...audited } = await hearTwice(input);
    return { ledger: { ...audited, waitedSeconds }, evidence: await evidenceOf(input, suspects, readings) };
  } catch (error) {
    return { ledger: { receivers: [], examples: [], waitedSeconds, incomplete: messageOf(error) }, evidence: [] };
  }
}

type Heard = WebhookAudited & { readonly readings: readonly (readonly ReadEndpoint[])[] };

/** Before anybody is accused everything is read once more. */
async function hearTwice(input: VerifyWebhooksInput): Promise<Heard> {
  const first = await readAll(input);
  const audited = auditWebhooks(input.audit, first);
  if (audited.suspects.length === 0) return { ...audited, readings: [first] };
  await sleep(input.pauseMs);
  const second = await readAll(input);
  const both = second.map((endpoint, i) => bothSayings(first[i] as AuditedEndpoint, endpoint));
  return { ...auditWebhooks(input.audit, both), readings: [first, second] };
}

function evidenceOf(
  { url, webhooks, audit, timesOf }: VerifyWebhooksInput,
  suspects: readonly WebhookSuspect[],
  readings: Heard['readings'],
): Promise<readonly WebhookEvidence[]> {
  const isOf =
    ({ receiver, account }: WebhookSuspect) =>
    (one: ReadEndpoint): boolean =>
      one.receiver === receiver && one.account === account;
  return webhookEvidenceOf({
    suspects,
    pagesOf: (suspect) => readings.map((reading) => reading.find(isOf(suspect))?.pages ?? []),
    timesOf: ({ deviceId }) => {
      const arrival = deviceId === undefined ? undefined : launchOfDevice(audit.run, deviceId);
      return arrival === undefined || arrival >= audit.states.length ? {} : timesOf(arrival);
    },
    deviceOf: async ({ account, deviceId }) => {
      const endpoint = webhooks.endpoints.find(({ accountIndex }) => accountIndex === account);
      return deviceId === undefined || endpoint === undefined ? undefined : readDevice(url, endpoint.account, deviceId);
    },
  });
}

async function arrived(input: VerifyWebhooksInput, startedMs: number): Promise<void> {
  const { webhooks, view, signal, arriveMsMax = arriveMsMaxDefault } = input;
  const waitedFor = webhooks.endpoints.filter((endpoint) => endpoint.takesAll && endpoint.types.includes(registeredType));
  let before = Number.POSITIVE_INFINITY;
  let movedMs = startedMs;
  for (;;) {
    const missing = await countMissing(input, waitedFor);
    const nowMs = performance.now();
    if (missing < before) movedMs = nowMs;
    before = missing;
    const leftMs = startedMs + Math.min(arriveMsMax, signal.aborted ? arriveMsMaxStopped : arriveMsMax) - nowMs;
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

type ReadEndpoint = AuditedEndpoint & { readonly pages: readonly string[] };
type Said = Pick<ReadEndpoint, 'listed' | 'pages' | 'dropped' | 'isDisabled'>;

/** What the service says first: what it calls delivered by then has been accepted by then. */
async function readAll({ url, webhooks }: VerifyWebhooksInput): Promise<readonly ReadEndpoint[]> {
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
  return { ...(await readDeliveries(url, endpoint, { type: registeredType, endMs })), dropped, isDisabled: state === 'disabled' };
}
