/** A page of another origin in a real browser: what it may ask and read is the browser's own judgement. */
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { requirePart } from '#harness/parts/find.ts';
import { authorizeUser, createAccount } from './accounts.ts';
import { secretAuthorization } from './provision.ts';
import { type Service, startService } from './service-process.ts';

let folder: string;
let pages: Server;
let service: Service;
let browser: Browser;
let named: Page;
let other: Page;
let token: string;
let secret: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'headroom-browser-'));
  pages = createServer((_, response) => void response.setHeader('content-type', 'text/html').end('<!doctype html><title>a page</title>'));
  pages.listen(0, '127.0.0.1');
  await once(pages, 'listening');
  const { port } = pages.address() as AddressInfo;
  // One server under two names is two origins, of which the settings name one.
  const origin = `http://127.0.0.1:${port}`;
  service = await startService({ workers: 1, folder, env: { HEADROOM_CORS_ORIGINS: origin } });
  const account = await createAccount(service.adminUrl, service.adminToken, 'x');
  token = await authorizeUser(service.url, account, 'u');
  secret = secretAuthorization(account);
  browser = await chromium.launch({ executablePath: requirePart('chromium'), headless: true, args: ['--no-sandbox', '--disable-gpu'] });
  named = await browser.newPage();
  await named.goto(origin);
  other = await browser.newPage();
  await other.goto(`http://localhost:${port}`);
});
afterAll(async () => {
  await browser?.close();
  await service?.stop();
  pages?.close();
  rmSync(folder, { recursive: true, force: true });
});

type Asked = {
  readonly path: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly credentials?: 'include';
};
type Read = { readonly status: number; readonly headers: Readonly<Record<string, string>>; readonly text: string } | 'not readable';

/** As the page's own script sees it. */
const ask = (page: Page, { path, ...options }: Asked): Promise<Read> =>
  page.evaluate(
    async ({ url, init }) => {
      try {
        const answer = await fetch(url, init);
        return { status: answer.status, headers: Object.fromEntries(answer.headers), text: await answer.text() };
      } catch {
        return 'not readable' as const;
      }
    },
    { url: `${service.url}${path}`, init: options },
  );

const bearer = () => ({ authorization: token });
const json = () => ({ ...bearer(), 'content-type': 'application/json' });
const item = '/v1/sync/trips/x';

test('it writes under a condition, reads the tag, and reads why it was refused', async () => {
  expect(await ask(named, { path: item, method: 'PUT', headers: { ...json(), 'if-none-match': '*' }, body: '{"n":1}' })).toMatchObject({
    status: 201,
    headers: { etag: '"v1"', 'sync-cursor': expect.any(String), 'x-request-id': expect.any(String) },
  });
  const stale = (await ask(named, { path: item, method: 'PUT', headers: { ...json(), 'if-match': '"v9"' }, body: '{}' })) as Exclude<Read, string>;
  expect([stale.status, stale.headers.etag, JSON.parse(stale.text).code]).toEqual([412, '"v1"', 'precondition-failed']);
  expect(await ask(named, { path: item })).toMatchObject({ status: 401, headers: { 'www-authenticate': expect.stringContaining('Bearer') } });
  expect(await ask(named, { path: item, method: 'DELETE', headers: { ...bearer(), 'if-match': '"v1"' } })).toMatchObject({ status: 204 });
  expect(await ask(named, { path: item, headers: bearer() })).toMatchObject({ status: 404, text: expect.stringContaining('not-found') });
});

test('it reads the limits, and asks by GraphQL', async () => {
  expect(await ask(named, { path: '/v1/limits' })).toMatchObject({ status: 200, text: expect.stringContaining('event_bytes_max') });
  const query = { path: '/graphql', method: 'POST', headers: json(), body: '{"query":"{ __typename }"}' };
  expect(await ask(named, query)).toMatchObject({ status: 200, text: '{"data":{"__typename":"Query"}}' });
});

test('it listens by fetch and by EventSource, and reads why a stream was refused', async () => {
  const address = `${service.url}/v1/stream?ch=sync:trips&hb=1000`;
  const first = await named.evaluate(
    async ({ url, headers }) => {
      const answer = await fetch(url, { headers });
      const { value } = (await answer.body?.getReader().read()) ?? {};
      return { epoch: answer.headers.get('sync-epoch'), text: new TextDecoder().decode(value) };
    },
    { url: address, headers: bearer() },
  );
  expect([typeof first.epoch, JSON.parse(first.text.split('\n', 1)[0] as string).t]).toEqual(['string', 'hello']);
  const listen = (page: Page) =>
    page.evaluate(
      (url) =>
        new Promise((resolve) => {
          const source = new EventSource(url);
          source.addEventListener('hello', () => resolve('hello'));
          source.addEventListener('error', () => resolve('error'));
        }),
      `${address}&access_token=${token.slice('Bearer '.length)}`,
    );
  expect([await listen(named), await listen(other)]).toEqual(['hello', 'error']);
  expect(await ask(named, { path: '/v1/stream?ch=nonsense', headers: bearer() })).toMatchObject({
    status: 400,
    text: expect.stringContaining('There is no channel'),
  });
});

test('a page that is not named reads nothing and changes nothing', async () => {
  expect(await ask(other, { path: '/v1/limits' })).toBe('not readable');
  expect(await ask(other, { path: '/v1/sync/trips/y', method: 'PUT', headers: json(), body: '{}' })).toBe('not readable');
  expect(await ask(named, { path: '/v1/sync/trips/y', headers: bearer() })).toMatchObject({ status: 404 });
});

test('what only the secret opens, and what a cookie would, is for no page', async () => {
  expect(await ask(named, { path: '/v1/devices', headers: { authorization: secret } })).toBe('not readable');
  expect(await ask(named, { path: '/metrics' })).toBe('not readable');
  expect(await ask(named, { path: '/v1/limits', credentials: 'include' })).toBe('not readable');
});
