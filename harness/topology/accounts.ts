import { request } from 'undici';
import { askAgain } from './ask-again.ts';
import { type AccountCredentials, secretAuthorization } from './provision.ts';

const askedAgainMsMax = 30_000;

type Admin = { readonly adminUrl: string; readonly adminToken: string };

/** Asks the admin listener. Rejects with the answer where it is not what was `expected`. */
export async function askAdmin(
  { adminUrl, adminToken }: Admin,
  asking: { readonly path: string; readonly body?: unknown; readonly expected: number },
): Promise<unknown> {
  const answer = await request(`${adminUrl}${asking.path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${adminToken}`, ...(asking.body === undefined ? {} : { 'content-type': 'application/json' }) },
    ...(asking.body === undefined ? {} : { body: JSON.stringify(asking.body) }),
  });
  const text = await answer.body.text();
  if (answer.statusCode !== asking.expected) throw new Error(`${adminUrl}${asking.path} answered ${answer.statusCode}: ${text.slice(0, 300)}`);
  return text === '' ? undefined : (JSON.parse(text) as unknown);
}

export async function createAccount(
  adminUrl: string,
  adminToken: string,
  name: string,
  quotas: Readonly<Record<string, number>> = {},
): Promise<AccountCredentials> {
  const asking = { path: '/admin/v1/accounts', body: { name, quotas }, expected: 201 };
  return (await askAdmin({ adminUrl, adminToken }, asking)) as AccountCredentials;
}

/** The Authorization of a user who may use every channel of their own. */
export async function authorizeUser(url: string, account: AccountCredentials, user: string): Promise<string> {
  const asking = {
    method: 'POST' as const,
    headers: { authorization: secretAuthorization(account), 'content-type': 'application/json' },
    body: JSON.stringify({ user, scopes: ['ch:*'] }),
  };
  const answer = await askAgain(() => request(`${url}/v1/tokens`, asking), performance.now() + askedAgainMsMax);
  const text = await answer.body.text();
  if (answer.statusCode !== 201) throw new Error(`${url}/v1/tokens answered ${answer.statusCode}: ${text.slice(0, 300)}`);
  return `Bearer ${(JSON.parse(text) as { access_token: string }).access_token}`;
}
