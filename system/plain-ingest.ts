/**
 * Ingest without the framework, for requests that are plain: the same credentials, lane, quotas, judgement and store.
 * Only what is accepted is answered from here. Everything else (a credential, a body or a quota that is not right, a
 * store in trouble) goes to the framework whole, which answers it as it answers everybody.
 */
import type { Server } from 'node:http';
import type { Accounts, Caller } from './accounts/accounts.ts';
import type { Admission } from './admission/admission.ts';
import { laneOf } from './admission/lanes.ts';
import { limitText } from './admission/quotas.ts';
import type { Clock } from './clock.ts';
import type { PlainAnswer } from './edge/front.ts';
import { type PlainRequest, readPlainRequest } from './edge/plain-request.ts';
import type { Accept, ReadBatch } from './ingest/accept.ts';
import { parseBatch } from './ingest/validate.ts';
import type { Counts } from './telemetry/counts.ts';

export const ingestAnswerType = 'application/json; charset=utf-8';

export type PlainIngestOptions = {
  readonly identify: (authorization: string) => ReturnType<Accounts['identify']>;
  readonly admission: Pick<Admission, 'admit' | 'spend'>;
  readonly accept: Accept;
  readonly clock: Clock;
  readonly counts: Counts | undefined;
  readonly onCall: (account: string) => void;
  readonly isClosing: () => boolean;
  readonly newRequestId: () => string;
  /** Says for how long a connection is kept. */
  readonly server: Pick<Server, 'keepAliveTimeout'>;
};

type Device = Extract<Caller, { readonly kind: 'device' }>;
type Asked = { readonly request: PlainRequest; readonly caller: Device; readonly batch: ReadBatch };

const ingestLane = laneOf('ingest');

export function createPlainIngest(options: PlainIngestOptions): (bytes: Buffer) => Promise<PlainAnswer | undefined> | undefined {
  const { identify, admission, isClosing } = options;
  return (bytes) => {
    const request = isClosing() ? undefined : readPlainRequest(bytes);
    if (request === undefined) return undefined;
    const caller = identify(request.authorization);
    if (caller === undefined || caller instanceof Promise || caller.kind !== 'device') return undefined;
    const batch = parseBatch(request.body);
    if (batch.kind !== 'batch' || batch.events.length === 0) return undefined;
    const leave = admission.admit(ingestLane);
    return leave === undefined ? undefined : answer(options, { request, caller, batch }).finally(leave);
  };
}

/** Undefined where the quota is exceeded. */
async function answer(options: PlainIngestOptions, { request, caller, batch }: Asked): Promise<PlainAnswer | undefined> {
  const { admission, accept, clock, counts, onCall, isClosing } = options;
  const begunMs = clock.monotonicMs();
  const { account, device } = caller;
  const spending = admission.spend({ lane: 'ingest', account, device });
  const metered = spending instanceof Promise ? await spending : spending;
  if (metered?.tightest.kind === 'exceeded') return undefined;
  const { body, idempotencyKey } = request;
  const text = await accept({ device: caller, body, batch, idempotencyKey });
  counts?.record(ingestLane.name, 202, clock.monotonicMs() - begunMs);
  onCall(account);
  const quotas = metered === undefined ? '' : `ratelimit-policy: ${metered.policies}\r\nratelimit: ${limitText(metered.tightest)}\r\n`;
  const isLast = isClosing();
  const kept = isLast ? 'Connection: close' : `Connection: keep-alive\r\nKeep-Alive: timeout=${Math.floor(options.server.keepAliveTimeout / 1000)}`;
  const head = `HTTP/1.1 202 Accepted\r\n${quotas}content-type: ${ingestAnswerType}\r\nx-request-id: ${request.requestId ?? options.newRequestId()}`;
  // The text is ASCII but for what stands in ids of rejected events.
  const length = Buffer.byteLength(text);
  const sent = length === text.length ? text : Buffer.from(text).toString('latin1');
  return { text: `${head}\r\ncontent-length: ${length}\r\nDate: ${httpDate()}\r\n${kept}\r\n\r\n${sent}`, isLast };
}

let dated = { second: -1, text: '' };

/** As the HTTP server writes it, once a second. */
function httpDate(): string {
  const second = Math.floor(Date.now() / 1000);
  if (second !== dated.second) dated = { second, text: new Date(second * 1000).toUTCString() };
  return dated.text;
}
