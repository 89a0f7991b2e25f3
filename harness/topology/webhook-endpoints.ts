/** Webhooks of a run's accounts: made through the public API, confirmed by an echo or by a visit, and dropped again. */
import { setTimeout as sleep } from 'node:timers/promises';
import { request } from 'undici';
import { messageOf } from '#harness/message-of.ts';
import { askAgain } from './ask-again.ts';
import { type AccountCredentials, secretAuthorization } from './provision.ts';

export type WantedEndpoint = {
  readonly account: AccountCredentials;
  /** Where it listens. */
  readonly url: string;
  readonly types: readonly string[];
};
export type MadeEndpoint = WantedEndpoint & { readonly id: string };

export type EndpointsInput = {
  /** Of the service. */
  readonly url: string;
  readonly wanted: readonly WantedEndpoint[];
  /** Before its handshake is done: every attempt from then on is signed with it. */
  readonly onSecret: (endpoint: WantedEndpoint, secret: string) => void;
  readonly onProgress: (confirmed: number) => void;
  readonly signal: AbortSignal;
};

const confirmedMsMax = 30_000;
const pollMs = 100;
const askMsMax = 10_000;
const deviceBytesMax = 3000;

type Asking = { readonly method: 'GET' | 'POST' | 'DELETE'; readonly url: string; readonly account: AccountCredentials; readonly body?: unknown };
type Answer = { readonly status: number; readonly text: string };

async function ask({ method, url, account, body }: Asking): Promise<Answer> {
  const headers = { authorization: secretAuthorization(account), ...(body === undefined ? {} : { 'content-type': 'application/json' }) };
  const options = { method, headers, headersTimeout: askMsMax, bodyTimeout: askMsMax, ...(body === undefined ? {} : { body: JSON.stringify(body) }) };
  const answer = await askAgain(() => request(url, options), performance.now() + confirmedMsMax);
  return { status: answer.statusCode, text: await answer.body.text() };
}

/** Rejects with a sentence where one cannot be made, or is not confirmed in time. Resolves early where the run was stopped. */
export async function makeEndpoints(input: EndpointsInput): Promise<readonly MadeEndpoint[]> {
  const made: MadeEndpoint[] = [];
  for (const wanted of input.wanted) {
    if (input.signal.aborted) return made;
    made.push(await makeEndpoint(input, wanted));
  }
  await confirmed(input, made);
  return made;
}

async function makeEndpoint({ url, onSecret }: EndpointsInput, wanted: WantedEndpoint): Promise<MadeEndpoint> {
  const { account, types } = wanted;
  const { status, text } = await ask({ method: 'POST', url: `${url}/v1/webhooks`, account, body: { url: wanted.url, types } });
  if (status === 422)
    throw new Error(
      `the service does not tell ${wanted.url}: it is told to by --webhook-allow-networks=${new URL(wanted.url).hostname}/32 (${text.slice(0, 200)})`,
    );
  if (status !== 201) throw new Error(`a webhook could not be made: ${url}/v1/webhooks answered ${status}: ${text.slice(0, 300)}`);
  const { webhook_id: id, secret } = JSON.parse(text) as { webhook_id?: unknown; secret?: unknown };
  if (typeof id !== 'string' || typeof secret !== 'string') throw new Error(`a webhook came without its id or secret: ${text.slice(0, 300)}`);
  onSecret(wanted, secret);
  return { ...wanted, id };
}

async function confirmed({ url, onProgress, signal }: EndpointsInput, made: readonly MadeEndpoint[]): Promise<void> {
  const endMs = performance.now() + confirmedMsMax;
  for (const [index, endpoint] of made.entries()) {
    for (;;) {
      const { state } = await readEndpoint(url, endpoint);
      if (state === 'active' || signal.aborted) break;
      if (performance.now() > endMs) throw new Error(`the webhook at ${endpoint.url} was not confirmed within ${confirmedMsMax / 1000} s: it is ${state}`);
      await sleep(pollMs);
    }
    onProgress(index + 1);
  }
}

export type EndpointState = { readonly state: string; readonly dropped: number; readonly waiting: number };

export async function readEndpoint(url: string, { account, id }: Pick<MadeEndpoint, 'account' | 'id'>): Promise<EndpointState> {
  const { status, text } = await ask({ method: 'GET', url: `${url}/v1/webhooks/${id}`, account });
  if (status !== 200) throw new Error(`${url}/v1/webhooks/${id} answered ${status}: ${text.slice(0, 300)}`);
  const { state, dropped, waiting } = JSON.parse(text) as { state?: unknown; dropped?: unknown; waiting?: unknown };
  return { state: String(state), dropped: Number(dropped ?? 0), waiting: Number(waiting ?? 0) };
}

/** The confirmation of who reads the address in a handshake. */
export async function visit(url: string): Promise<void> {
  const answer = await request(url, { headersTimeout: askMsMax, bodyTimeout: askMsMax });
  await answer.body.dump();
}

/** Of a service that stays: nobody answers there any more. */
export async function dropEndpoints(url: string, made: readonly MadeEndpoint[]): Promise<void> {
  await Promise.allSettled(made.map(({ account, id }) => ask({ method: 'DELETE', url: `${url}/v1/webhooks/${id}`, account })));
}

export type ListedDelivery = { readonly eventId: string; readonly state: string };
/** `pages`: the answers' own bytes. */
export type DeliveriesRead = { readonly listed: readonly ListedDelivery[]; readonly pages: readonly string[] };
const pageMax = 100;

/** Of one type, the youngest first. Rejects with a sentence where not all of them could be read. */
export async function readDeliveries(
  url: string,
  { account, id }: MadeEndpoint,
  { type, endMs }: { readonly type: string; readonly endMs: number },
): Promise<DeliveriesRead> {
  const listed: ListedDelivery[] = [];
  const pages: string[] = [];
  for (let token: string | undefined = ''; token !== undefined; ) {
    if (performance.now() > endMs) throw new Error(`the deliveries of ${url}/v1/webhooks/${id} were not read in time`);
    const page = `${url}/v1/webhooks/${id}/deliveries?limit=${pageMax}${token === '' ? '' : `&pagination_token=${token}`}`;
    const { status, text } = await ask({ method: 'GET', url: page, account });
    if (status !== 200) throw new Error(`${page} answered ${status}: ${text.slice(0, 300)}`);
    const { deliveries, pagination_token: next } = JSON.parse(text) as {
      readonly deliveries: readonly { readonly event_id: string; readonly type: string; readonly state: string }[];
      readonly pagination_token?: string;
    };
    listed.push(...deliveries.filter((one) => one.type === type).map(({ event_id: eventId, state }) => ({ eventId, state })));
    pages.push(text);
    token = next;
  }
  return { listed, pages };
}

/** What the service says of a device, as bytes and whatever the status: another route to a registration. Never rejects. */
export async function readDevice(url: string, account: AccountCredentials, deviceId: string): Promise<string> {
  try {
    const { status, text } = await ask({ method: 'GET', url: `${url}/v1/devices/${deviceId}`, account });
    return `${status} ${text.slice(0, deviceBytesMax)}`;
  } catch (error) {
    return `no answer: ${messageOf(error)}`;
  }
}
