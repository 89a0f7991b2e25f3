import { type IncomingMessage, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import fc from 'fast-check';
import Fastify, { type FastifyInstance } from 'fastify';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createRouteTable } from './routes.ts';

const lanes: Readonly<Record<string, string>> = {
  '/': 'read',
  '/healthz': 'health',
  '/v1/export': 'export',
  '/v1/stream': 'stream',
  '/v1/devices/:id': 'registration',
  '/v1/devices/:id/location': 'read',
  '/v1/sync/:collection/:item': 'sync',
  '/v1/sync/:collection/snapshot': 'export',
  '/v1/webhooks/:id': 'read',
  '/v1/webhooks/confirm': 'token',
};
const none = { url: 'none', lane: 'read' };

const table = createRouteTable();
let app: FastifyInstance;
let port: number;

beforeAll(async () => {
  app = Fastify({ frameworkErrors: (_, __, reply) => reply.send(none as never) });
  app.addHook('onRoute', ({ method, url, config }) => {
    for (const each of [method].flat()) table.add({ method: each, url, lane: config?.lane, cors: 'open' });
  });
  app.setNotFoundHandler(() => none);
  for (const [url, lane] of Object.entries(lanes)) app.get(url, { config: { lane } }, ({ routeOptions }) => ({ url: routeOptions.url, lane }));
  await app.listen({ host: '127.0.0.1', port: 0 });
  port = (app.server.address() as AddressInfo).port;
});
afterAll(() => app.close());

async function routed(path: string): Promise<unknown> {
  const response = await new Promise<IncomingMessage>((resolve, reject) => void request({ port, path }, resolve).on('error', reject).end());
  return JSON.parse(await text(response));
}

const found = (path: string): unknown => {
  const { url, lane } = table.find('GET', path);
  return { url, lane: lane.name };
};

test.each([
  ['/v1/exp%6frt', '/v1/export'],
  ['/%76%31/export?since=now', '/v1/export'],
  ['/v1/export#there', '/v1/export'],
  ['http://127.0.0.1/v1/export', '/v1/export'],
  ['/v1/export/', 'none'],
  ['/V1/export', 'none'],
  ['/v1%2Fexport', 'none'],
  ['/v1/exp%256frt', 'none'],
  ['/v1/exp%ffrt', 'none'],
  ['/v1/devices/a%2Fb', '/v1/devices/:id'],
  ['/v1/devices/a%2541/loc%61tion', '/v1/devices/:id/location'],
  ['/v1/devices/', '/v1/devices/:id'],
  ['/v1/sync/notes/snapshot', '/v1/sync/:collection/snapshot'],
  ['/v1/webhooks/%63onfirm', '/v1/webhooks/confirm'],
])('%s is %s', async (path, url) => {
  expect([found(path), found(path)]).toMatchObject([{ url }, await routed(path)]);
});

const spelled = fc
  .tuple(
    fc.constantFrom('', 'http://a', 'https://a:80'),
    fc.constantFrom(...Object.keys(lanes).map((url) => url.replace(':collection', 'notes').replace(/:\w+/, 'a1'))),
    fc.array(fc.nat(40), { maxLength: 4 }),
    fc.constantFrom('', '/', '?', '?a=%6f/b', '#c', ';d', '//', '%', '%41', '%2f', '%25', '%C3%BC', '%c3'),
  )
  .map(([host, url, encoded, end]) => {
    const path = Array.from(url, (char, i) => (i > 0 && encoded.includes(i) ? `%${char.charCodeAt(0).toString(16)}` : char)).join('');
    return `${host}${path}${end}`;
  });

test('however an address is spelled, the lane is of the route that answers', async () => {
  const property = fc.asyncProperty(spelled, async (path) => {
    expect(found(path)).toEqual(await routed(path));
  });
  await fc.assert(property, { numRuns: 400 });
});
