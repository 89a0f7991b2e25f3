/**
 * Ingest without the framework, for requests that are plain: the same credentials, lane, quotas, judgement and store.
 * What is accepted is answered from here, and so is what finds the lane full: a connection that goes to the framework stays
 * there, so a crowd that went there for its refusals would be dear from then on. Everything else (a credential, a body or a
 * quota that is not right, a store in trouble) goes to the framework whole, which answers it as it answers everybody.
 */
import type { Server } from 'node:http';
import type { Accounts, Caller } from './accounts/accounts.ts';
import type { Admission } from './admission/admission.ts';
import { laneOf } from './admission/lanes.ts';
import { limitText } from './admission/quotas.ts';
import { laneShed } from './admission/refusal.ts';
import type { Clock } from './clock.ts';
import type { FrontOptions, PlainAnswer } from './edge/front.ts';
import { type PlainRequest, readPlainRequest, startsPlainly } from './edge/plain-request.ts';
import type { Accept, ReadBatch } from './ingest/accept.ts';
import { parseBatch } from './ingest/validate.ts';
import type { Counts } from './telemetry/counts.ts';

export const ingestAnswerType = 'application/json; charset=utf-8';

export type PlainIngestOptions = {
  readonly identify: (authorization: string) => ReturnType<Accounts['identify']>;
  readonly admission: Pick<Admission, 'add' | 'admit' | 'hold' | 'spend' | 'retryAfterSeconds'>;
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

/** Its client has gone. */
const unheard: PlainAnswer = { text: '', isLast: true };

export function createPlainIngest(options: PlainIngestOptions): FrontOptions['answer'] {
  const { admission, counts, isClosing } = options;
  const refused = <T>(answer: T): T => {
    counts?.record(ingestLane.name, 503, 0);
    return answer;
  };
  const begin = (bytes: Buffer, isGone: () => boolean): Promise<PlainAnswer | undefined> | undefined => {
    const asked = readAsked(options, bytes);
    if (asked === undefined) return undefined;
    const leave = admission.admit(ingestLane);
    if (leave !== undefined) return answer(options, asked).finally(leave);
    return new Promise((resolve) => {
      admission.hold((isLast) => resolve(refused(isGone() ? unheard : refusal(options, asked.request, isLast))));
    });
  };
  return (bytes, isGone) => {
    if (isClosing() || !startsPlainly(bytes)) return undefined;
    return new Promise((resolve) =>
      admission.add(ingestLane, {
        isGone,
        run: () => resolve(begin(bytes, isGone)),
        drop: () => resolve(refused(unheard)),
        refuse: () => {
          const request = readPlainRequest(bytes);
          resolve(request && refused(refusal(options, request)));
        },
      }),
    );
  };
}

/** Undefined where it is not plain, or has to be refused by the framework. */
function readAsked({ identify }: PlainIngestOptions, bytes: Buffer): Asked | undefined {
  const request = readPlainRequest(bytes);
  if (request === undefined) return undefined;
  const caller = identify(request.authorization);
  if (caller === undefined || caller instanceof Promise || caller.kind !== 'device') return undefined;
  const batch = parseBatch(request.body);
  return batch.kind === 'batch' && batch.events.length > 0 ? { request, caller, batch } : undefined;
}

/** Undefined where the quota is exceeded. */
async function answer(options: PlainIngestOptions, { request, caller, batch }: Asked): Promise<PlainAnswer | undefined> {
  const { admission, accept, clock, counts, onCall } = options;
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
  const head = `HTTP/1.1 202 Accepted\r\n${quotas}content-type: ${ingestAnswerType}\r\nx-request-id: ${request.requestId ?? options.newRequestId()}`;
  // The text is ASCII but for what stands in ids of rejected events.
  const length = Buffer.byteLength(text);
  const sent = length === text.length ? text : Buffer.from(text).toString('latin1');
  return finished(options, `${head}\r\ncontent-length: ${length}`, sent);
}

/** With the headers that the HTTP server puts behind all others. */
function finished({ isClosing, server }: PlainIngestOptions, head: string, body: string, isLast = isClosing()): PlainAnswer {
  const kept = isLast ? 'Connection: close' : `Connection: keep-alive\r\nKeep-Alive: timeout=${Math.floor(server.keepAliveTimeout / 1000)}`;
  return { text: `${head}\r\nDate: ${httpDate()}\r\n${kept}\r\n\r\n${body}`, isLast };
}

function refusal(options: PlainIngestOptions, { requestId = options.newRequestId() }: PlainRequest, isLast = false): PlainAnswer {
  const retryAfter = options.admission.retryAfterSeconds(0);
  const { headers, body } = laneShed({ lane: ingestLane.name, instance: '/v1/events', requestId, retryAfter });
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  return finished(options, ['HTTP/1.1 503 Service Unavailable', ...lines].join('\r\n'), body, isLast || options.isClosing());
}

let dated = { second: -1, text: '' };

/** As the HTTP server writes it, once a second. */
function httpDate(): string {
  const second = Math.floor(Date.now() / 1000);
  if (second !== dated.second) dated = { second, text: new Date(second * 1000).toUTCString() };
  return dated.text;
}
