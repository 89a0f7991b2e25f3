/** Brings a fleet into being through the public routes, before anything is measured: every device gets its token. */

import { setTimeout as sleep } from 'node:timers/promises';
import { type Dispatcher, Pool } from 'undici';
import { deviceNameOf, userNameOf, userOfDevice } from '#harness/target/item-laws.ts';
import type { DeviceCredentials } from '#harness/target/operation.ts';
import { retryAfterSeconds } from '#harness/target/retry-after.ts';

export type AccountCredentials = { readonly account_id: string; readonly secret: string; readonly publishable_key: string };

export const basic = (user: string, password: string): string => `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
export const publishableAuthorization = (account: AccountCredentials): string => basic(account.publishable_key, '');
export const secretAuthorization = (account: AccountCredentials): string => basic(account.account_id, account.secret);

export type ProvisionInput = {
  readonly url: string;
  readonly accounts: readonly AccountCredentials[];
  readonly run: string;
  readonly devices: number;
  /** Devices that register themselves within a chain get no token here. */
  readonly withTokens: boolean;
  /** Every device is one of a user's; a multiple of the accounts. Without it devices belong to nobody. */
  readonly users?: number;
  readonly onProgress: (done: number) => void;
  readonly signal: AbortSignal;
};

// Few connections: registration is not what is measured, and must not become a storm before the storm.
const connections = 16;
const progressStep = 500;
/** Longer than any run. */
const userTokenSeconds = 14_400;

/** Device `i` belongs to account `i mod accounts`. Rejects with a sentence on the first answer that is not a token. */
export function provisionFleet(input: ProvisionInput): Promise<readonly DeviceCredentials[]> {
  const { accounts, devices, run, users, withTokens } = input;
  const authorizations = accounts.map(publishableAuthorization);
  return bringForth<DeviceCredentials>({ ...input, count: devices }, async (i, { pool, path }) => {
    const publishable = authorizations[i % accounts.length] as string;
    const deviceId = deviceNameOf(run, i);
    const account = accounts[i % accounts.length] as AccountCredentials;
    const user = users === undefined ? undefined : userNameOf(run, userOfDevice(i, { users }));
    const secret = user === undefined ? undefined : await join({ pool, path: `${path}/v1/devices/${deviceId}`, account, user });
    const asking = { pool, path: `${path}/v1/authenticate`, publishable, deviceId, secret };
    const learned = withTokens ? await authenticate(asking) : { token: '', secret: secret ?? '' };
    return { deviceId, publishable, ...learned };
  });
}

type Service = { readonly pool: Pool; readonly path: string };
type Bringing = Pick<ProvisionInput, 'url' | 'onProgress' | 'signal'> & { readonly count: number };

/** One after the other over a few connections, by index; says how many are done now and then, and in the end. */
async function bringForth<T>({ url, count, onProgress, signal }: Bringing, one: (i: number, service: Service) => Promise<T>): Promise<readonly T[]> {
  const all: T[] = new Array(count);
  const service = poolOf(url);
  let next = 0;
  let done = 0;
  const work = async () => {
    while (next < count && !signal.aborted) {
      const i = next++;
      all[i] = await one(i, service);
      done++;
      if (done % progressStep === 0) onProgress(done);
    }
  };
  try {
    await Promise.all(Array.from({ length: connections }, work));
  } finally {
    await service.pool.close();
  }
  onProgress(done);
  return all;
}

function poolOf(url: string): Service {
  const pool = new Pool(new URL(url).origin, { connections, pipelining: 1, headersTimeout: 10_000, bodyTimeout: 10_000 });
  return { pool, path: new URL(url).pathname.replace(/\/$/, '') };
}

const attemptsMax = 5;

/** A service that has too much to do says when to come back, and a fleet is in no hurry. */
async function ask(pool: Pool, asked: Dispatcher.RequestOptions): Promise<Dispatcher.ResponseData> {
  for (let attempt = 1; ; attempt++) {
    const answer = await pool.request(asked);
    const waitSeconds = retryAfterSeconds((name) => String(answer.headers[name] ?? ''));
    if ((answer.statusCode !== 429 && answer.statusCode !== 503) || attempt === attemptsMax || waitSeconds === undefined) return answer;
    await answer.body.dump();
    await sleep(waitSeconds * 1000);
  }
}

type Joining = { readonly pool: Pool; readonly path: string; readonly account: AccountCredentials; readonly user: string };

/** Registers a device as one of a user's, by the account's secret. Gives the device's secret. */
async function join({ pool, path, account, user }: Joining): Promise<string> {
  const body = JSON.stringify({ user, platform: 'android', app_version: '7.4.1' });
  const headers = { authorization: secretAuthorization(account), 'content-type': 'application/json' };
  const answer = await ask(pool, { path, method: 'PUT', headers, body });
  const text = await answer.body.text();
  const secret = answer.statusCode === 201 ? (JSON.parse(text) as { device_secret?: unknown }).device_secret : undefined;
  if (typeof secret !== 'string') throw new Error(`a device could not join ${user}: ${path} answered ${answer.statusCode}: ${text.slice(0, 300)}`);
  return secret;
}

export type MintInput = Pick<ProvisionInput, 'url' | 'accounts' | 'run' | 'onProgress' | 'signal'> & { readonly users: number };

/** Authorization headers of a run's users by their index: user `u` is of account `u mod accounts`, and may use every channel of their own. */
export function mintUserTokens(input: MintInput): Promise<readonly string[]> {
  const { accounts, run, users } = input;
  return bringForth({ ...input, count: users }, (u, { pool, path }) =>
    mint({ pool, path: `${path}/v1/tokens`, account: accounts[u % accounts.length] as AccountCredentials, user: userNameOf(run, u) }),
  );
}

async function mint({ pool, path, account, user }: Joining): Promise<string> {
  const body = JSON.stringify({ user, scopes: ['ch:*'], expires_in: userTokenSeconds });
  const headers = { authorization: secretAuthorization(account), 'content-type': 'application/json' };
  const answer = await ask(pool, { path, method: 'POST', headers, body });
  const text = await answer.body.text();
  if (answer.statusCode !== 201) throw new Error(`user ${user} got no token: ${path} answered ${answer.statusCode}: ${text.slice(0, 300)}`);
  return `Bearer ${(JSON.parse(text) as { access_token: string }).access_token}`;
}

type Asking = { readonly pool: Pool; readonly path: string; readonly publishable: string; readonly deviceId: string; readonly secret: string | undefined };

async function authenticate({ pool, path, publishable, deviceId, secret }: Asking): Promise<{ token: string; secret: string }> {
  const body = JSON.stringify({ device_id: deviceId, ...(secret === undefined ? {} : { device_secret: secret }) });
  const answer = await ask(pool, { path, method: 'POST', headers: { authorization: publishable, 'content-type': 'application/json' }, body });
  const text = await answer.body.text();
  if (answer.statusCode !== 200) throw new Error(`device ${deviceId} could not be registered: ${path} answered ${answer.statusCode}: ${text.slice(0, 300)}`);
  const { access_token, device_secret } = JSON.parse(text) as { access_token?: unknown; device_secret?: unknown };
  if (typeof access_token !== 'string') throw new Error(`device ${deviceId} got no access_token from ${path}: ${text.slice(0, 300)}`);
  return { token: access_token, secret: typeof device_secret === 'string' ? device_secret : (secret ?? '') };
}
