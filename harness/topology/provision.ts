/** Brings a fleet into being through the public routes, before anything is measured: every device gets its token. */
import { Pool } from 'undici';
import type { DeviceCredentials } from '#harness/target/operation.ts';

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
  readonly onProgress: (done: number) => void;
  readonly signal: AbortSignal;
};

// Few connections: registration is not what is measured, and must not become a storm before the storm.
const connections = 16;

/** Device `i` belongs to account `i mod accounts`. Rejects with a sentence on the first answer that is not a token. */
export async function provisionFleet(input: ProvisionInput): Promise<readonly DeviceCredentials[]> {
  const { accounts, devices, run } = input;
  const fleet: DeviceCredentials[] = new Array(devices);
  const authorizations = accounts.map(publishableAuthorization);
  const pool = new Pool(new URL(input.url).origin, { connections, pipelining: 1, headersTimeout: 10_000, bodyTimeout: 10_000 });
  const path = new URL(input.url).pathname.replace(/\/$/, '');
  let next = 0;
  let done = 0;
  const work = async () => {
    while (next < devices && !input.signal.aborted) {
      const i = next++;
      const publishable = authorizations[i % accounts.length] as string;
      const deviceId = `d-${run}-${i}`;
      const learned = input.withTokens ? await authenticate({ pool, path: `${path}/v1/authenticate`, publishable, deviceId }) : { token: '', secret: '' };
      fleet[i] = { deviceId, publishable, ...learned };
      done++;
      if (done % 500 === 0) input.onProgress(done);
    }
  };
  try {
    await Promise.all(Array.from({ length: connections }, work));
  } finally {
    await pool.close();
  }
  input.onProgress(done);
  return fleet;
}

type Asking = { readonly pool: Pool; readonly path: string; readonly publishable: string; readonly deviceId: string };

async function authenticate({ pool, path, publishable, deviceId }: Asking): Promise<{ token: string; secret: string }> {
  const body = JSON.stringify({ device_id: deviceId });
  const answer = await pool.request({ path, method: 'POST', headers: { authorization: publishable, 'content-type': 'application/json' }, body });
  const text = await answer.body.text();
  if (answer.statusCode !== 200) throw new Error(`device ${deviceId} could not be registered: ${path} answered ${answer.statusCode}: ${text.slice(0, 300)}`);
  const { access_token, device_secret } = JSON.parse(text) as { access_token?: unknown; device_secret?: unknown };
  if (typeof access_token !== 'string') throw new Error(`device ${deviceId} got no access_token from ${path}: ${text.slice(0, 300)}`);
  return { token: access_token, secret: typeof device_secret === 'string' ? device_secret : '' };
}
