import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { readCredentials } from './credentials.ts';

const folder = mkdtempSync(join(tmpdir(), 'headroom-credentials-'));
afterAll(() => rmSync(folder, { recursive: true }));

const account = { account_id: 'a', secret: 's', publishable_key: 'p' };
const text = JSON.stringify(account, undefined, 2);

function read(content: string | Uint8Array): unknown {
  const file = join(folder, 'account.json');
  writeFileSync(file, content);
  return readCredentials(file);
}

test.each<[string, string | Uint8Array]>([
  ['as it is', text],
  ['behind a byte order mark', `\ufeff${text}`],
  ['as Windows PowerShell writes it', Buffer.from(`\ufeff${text}`, 'utf16le')],
  ['behind the banner of npm', `\n> headroom@0.1.0 system\n> node system/main.ts account x\n\n${text}\n`],
  ['as a list', `[${text}]`],
])('%s', (_, content) => {
  expect(read(content)).toEqual([account]);
});

test('what is no account is a sentence that names the file and the field', () => {
  expect(() => read('{"account_id":"a"}')).toThrow(/account\.json, account 1: "secret" has to be a text/);
  expect(() => read('> {}')).toThrow(/account\.json cannot be read/);
});
