import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { request } from 'undici';
import { expect, test } from 'vitest';
import { readExport } from '#harness/ledger/read-back.ts';
import { readLogs } from '#harness/ledger/read-logs.ts';
import { askAgain } from './ask-again.ts';

type Answering = (response: ServerResponse, asked: number) => void;
const refusing = (response: ServerResponse, retryAfter?: string): void => {
  response.writeHead(503, retryAfter === undefined ? {} : { 'retry-after': retryAfter }).end('{"code":"lane-shed"}');
};

async function withService<T>(answer: Answering, use: (url: string) => Promise<T>): Promise<{ readonly outcome: T; readonly asked: number }> {
  let asked = 0;
  const server = createServer((_, response) => answer(response, ++asked));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    return { outcome: await use(`http://127.0.0.1:${(server.address() as AddressInfo).port}`), asked };
  } finally {
    server.close();
    server.closeAllConnections();
  }
}

const until = (ms: number): number => performance.now() + ms;

test('who is refused for now comes back when he was told to', async () => {
  const busyTwice: Answering = (response, asked) => (asked <= 2 ? refusing(response, '0') : response.end('here'));
  const { outcome, asked } = await withService(busyTwice, async (url) => (await askAgain(() => request(url), until(60_000))).body.text());
  expect([outcome, asked]).toEqual(['here', 3]);
});

test.each([
  ['does not say when', undefined, 60_000],
  ['says a time that is past the end', '3600', 60_000],
])('and not where the service %s', async (_, retryAfter, ms) => {
  const { outcome, asked } = await withService(
    (response) => refusing(response, retryAfter),
    async (url) => (await askAgain(() => request(url), until(ms))).statusCode,
  );
  expect([outcome, asked]).toEqual([503, 1]);
});

test('an export that is shed is read all the same', async () => {
  const line = '{"id":"e"}\n';
  const busy: Answering = (response, asked) => {
    if (asked % 2 === 1) return refusing(response, '0');
    response.setHeader('export-cursor', `c${asked}`);
    response.end(asked === 2 ? line : '');
  };
  const ids: string[] = [];
  await withService(busy, (url) => readExport({ url, accounts: [{ authorization: 'x' }], budgetMs: 60_000, onLine: (id) => ids.push(id) }));
  expect(ids).toEqual(['e']);
});

test('so are the logs of users', async () => {
  const change = { t: 'put', ch: 'sync:items', k: 'k', c: 'c' };
  const busy: Answering = (response, asked) =>
    asked === 1 ? refusing(response, '0') : void response.end(JSON.stringify({ changes: [change], cursor: 'c', up_to_date: true }));
  const { outcome } = await withService(busy, (url) => readLogs({ url, authorizations: ['x'], users: [0], channels: ['sync:items'], budgetMs: 60_000 }));
  expect(outcome.get(0)).toEqual([change]);
});
