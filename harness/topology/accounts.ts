import { request } from 'undici';
import type { AccountCredentials } from './provision.ts';

/** Through the admin listener. Rejects with the answer where it is not a new account. */
export async function createAccount(adminUrl: string, adminToken: string, name: string): Promise<AccountCredentials> {
  const answer = await request(`${adminUrl}/admin/v1/accounts`, {
    method: 'POST',
    headers: { authorization: `Bearer ${adminToken}`, 'content-type': 'application/json' },
    body: JSON.stringify({ name }),
  });
  const text = await answer.body.text();
  if (answer.statusCode !== 201) throw new Error(`the account ${name} could not be made: ${adminUrl} answered ${answer.statusCode}: ${text.slice(0, 300)}`);
  return JSON.parse(text) as AccountCredentials;
}
