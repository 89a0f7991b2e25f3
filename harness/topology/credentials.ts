/** A file of accounts, as `npm run system -- account NAME > FILE` and other people's tools write it. */
import { readFileSync } from 'node:fs';
import { messageOf } from '#harness/message-of.ts';
import { UsageError } from '#harness/usage-error.ts';
import type { AccountCredentials } from './provision.ts';

/** One account or an array of them: `{"account_id": …, "secret": …, "publishable_key": …}`. Throws a sentence that names the file. */
export function readCredentials(file: string): readonly AccountCredentials[] {
  let parsed: unknown;
  try {
    parsed = JSON.parse(withoutBanner(decoded(readFileSync(file))));
  } catch (error) {
    throw new UsageError(`the credentials file ${file} cannot be read: ${messageOf(error)}`);
  }
  const accounts = Array.isArray(parsed) ? parsed : [parsed];
  if (accounts.length === 0) throw new UsageError(`the credentials file ${file} holds no account`);
  for (const [i, account] of accounts.entries()) {
    for (const field of ['account_id', 'secret', 'publishable_key']) {
      if (typeof (account as Record<string, unknown> | null)?.[field] !== 'string')
        throw new UsageError(`the credentials file ${file}, account ${i + 1}: "${field}" has to be a text`);
    }
  }
  return accounts as AccountCredentials[];
}

/** By its byte order mark: a `>` of Windows PowerShell writes UTF-16. The decoder takes the mark away. */
const decoded = (bytes: Uint8Array): string => new TextDecoder(bytes[0] === 0xff && bytes[1] === 0xfe ? 'utf-16le' : 'utf-8').decode(bytes);

/** `npm run` says what it runs on stdout, in lines that begin with a `>`. */
const withoutBanner = (text: string): string => text.replaceAll(/^> .*$/gm, '');
