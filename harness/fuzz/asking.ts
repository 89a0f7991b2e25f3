/** Sends one case and reads what comes, for a moment where it would not end. */
import { Agent, request } from 'undici';
import { type AccountCredentials, basic, publishableAuthorization, secretAuthorization } from '#harness/topology/provision.ts';
import type { CredentialKind, FuzzCase } from './cases.ts';
import type { FuzzAnswer } from './expectations.ts';
import type { Known } from './known.ts';

export type Authorizations = Readonly<Record<CredentialKind, string | undefined>>;

const json = { 'content-type': 'application/json' };
const answerMsMax = 15_000;
const streamMsMax = 150;
/** A long poll that waits as it was asked to. */
const waitedLong: FuzzAnswer = { status: 204, contentType: undefined, text: '', isPart: true };

type Preparing = { readonly account: AccountCredentials; readonly stranger: AccountCredentials; readonly known: Known };

/** Devices and a user that the cases know by name; two devices are registered for it. */
export async function prepare(base: string, { account, stranger, known }: Preparing): Promise<Authorizations> {
  const post = async (path: string, authorization: string, body: object): Promise<Record<string, unknown>> => {
    const answer = await request(`${base}${path}`, { method: 'POST', headers: { ...json, authorization }, body: JSON.stringify(body) });
    return (await answer.body.json()) as Record<string, unknown>;
  };
  const mark = Math.random().toString(36).slice(2);
  const device = await post('/v1/authenticate', publishableAuthorization(account), { device_id: `fuzzer-${mark}` });
  const user = await post('/v1/tokens', secretAuthorization(account), { user: 'fuzzer', scopes: ['ch:*'], expires_in: 86_400 });
  if (typeof device.access_token !== 'string' || typeof user.access_token !== 'string')
    throw new Error(`the service gave no tokens: ${JSON.stringify([device, user])}`);
  known.tell('device_id', `fuzzer-${mark}`);
  known.tell('user_token', user.access_token);
  known.learn([device, user]);
  known.tell('collection', 'trips');
  known.tell('item', 't-1');
  return {
    none: undefined,
    secret: secretAuthorization(account),
    publishable: publishableAuthorization(account),
    'bare-key': `Basic ${Buffer.from(account.publishable_key).toString('base64')}`,
    device: `Bearer ${device.access_token}`,
    user: `Bearer ${user.access_token}`,
    stranger: secretAuthorization(stranger),
    rubbish: 'Bearer %%%.\u00ff.x',
    forged: basic(account.account_id, 'x'),
  };
}

export const createAgent = (connections: number): Agent => new Agent({ connections, headersTimeout: answerMsMax, bodyTimeout: answerMsMax });

/** A sentence where no answer came. */
export async function askCase(
  one: FuzzCase,
  { base, agent, authorizations, known }: { readonly base: string; readonly agent: Agent; readonly authorizations: Authorizations; readonly known: Known },
): Promise<FuzzAnswer | string> {
  const authorization = authorizations[one.credential];
  const isStream = one.route.path === '/v1/stream';
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(), isStream ? streamMsMax : answerMsMax);
  try {
    const answer = await request(`${base}${known.fill(one.url, encodeURIComponent)}`, {
      method: one.method as 'GET',
      headers: { ...one.headers, ...(authorization === undefined ? {} : { authorization }) },
      dispatcher: agent,
      signal: stop.signal,
      ...(one.body === undefined ? {} : { body: Buffer.from(known.fill(one.body.toString('latin1')), 'latin1') }),
    });
    const given = answer.headers['content-type'];
    const head = { status: answer.statusCode, contentType: Array.isArray(given) ? given[0] : given };
    if (isStream && answer.statusCode === 200) {
      answer.body.on('error', () => undefined).destroy();
      return { ...head, text: '', isPart: true };
    }
    const text = await answer.body.text();
    if (answer.statusCode < 300) known.learn(jsonOf(text));
    return { ...head, text, isPart: false };
  } catch (error) {
    if (isStream && stop.signal.aborted) return waitedLong;
    const { code, message } = error as { code?: string; message: string };
    return `no answer: ${code ?? ''} ${message}`;
  } finally {
    clearTimeout(timer);
  }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
