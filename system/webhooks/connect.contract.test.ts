import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createGuard } from './guard.ts';
import type { Resolve } from './resolve.ts';
import { createSend } from './send.ts';

let server: Server;
let port: number;
const asked: string[] = [];
beforeAll(async () => {
  server = createServer((request, response) => {
    asked.push(`${request.headers.host} ${request.url}`);
    if (request.url === '/away') response.writeHead(307, { location: `http://127.0.0.1:${port}/inside`, 'retry-after': '9' }).end();
    else if (request.url === '/endless') setInterval(() => response.write('x'.repeat(10_000)), 1);
    else if (request.url === '/open') response.write('{"a":1}');
    else if (request.url === '/broken') response.write('{"a":1}', () => request.socket.destroy());
    else if (request.url !== '/hang') response.end('{"a":1}');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  port = (server.address() as AddressInfo).port;
});
afterAll(() => void server.closeAllConnections());

const names: Record<string, readonly string[][]> = {
  'good.test': [['127.0.0.1']],
  'mixed.test': [['127.0.0.1', '127.0.0.9']],
  'rebound.test': [['127.0.0.1'], ['127.0.0.9']],
};
let lookups = 0;
const resolve: Resolve = async (host) => {
  const answers = names[host];
  if (answers === undefined) throw new Error(`${host} is unknown`);
  return answers[Math.min(lookups++, answers.length - 1)] ?? [];
};
const send = (path: string, host: string, allowed = ['127.0.0.1/32']) => {
  lookups = 0;
  return createSend({ guard: createGuard(allowed), resolve, timeoutMs: 500 })({ url: `http://${host}:${port}${path}`, headers: {}, body: '{}' });
};

test.each(['/open', '/broken'])('%s: the status decides, whatever becomes of the body', async (path) => {
  expect(await send(path, 'good.test')).toEqual({ kind: 'answered', status: 200, retryAfter: undefined, body: '{"a":1}' });
});

test('what was judged is what is connected to, resolved once', async () => {
  expect(await send('/a', 'good.test')).toEqual({ kind: 'answered', status: 200, retryAfter: undefined, body: '{"a":1}' });
  expect(lookups).toBe(1);
  expect((await send('/b', 'rebound.test')).kind).toBe('answered');
  expect(lookups).toBe(1);
});

test.each(['127.0.0.1', '[::ffff:127.0.0.1]', '2130706433', '0x7f.1', 'mixed.test', 'good.test'])('%s is refused before a byte is sent', async (host) => {
  const before = asked.length;
  const answer = await send('/refused', host, host === 'mixed.test' ? ['127.0.0.1/32'] : []);
  expect(answer).toEqual({ kind: 'unanswered', error: expect.stringContaining('ForbiddenAddress') });
  expect(asked.length).toBe(before);
});

test('a redirect is an answer, and nobody goes where it leads', async () => {
  expect(await send('/away', 'good.test')).toEqual({ kind: 'answered', status: 307, retryAfter: '9', body: '' });
  expect(asked.some((one) => one.includes('/inside'))).toBe(false);
});

test('who hangs, or never ends, is given up', async () => {
  expect(await send('/hang', 'good.test')).toEqual({ kind: 'unanswered', error: 'no answer within 500 ms' });
  const endless = await send('/endless', 'good.test');
  expect(endless.kind === 'answered' && endless.body.length).toBe(64 * 1024);
  expect((await send('/x', 'unknown.test')).kind).toBe('unanswered');
});
