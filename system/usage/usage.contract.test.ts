import type { FastifyInstance } from 'fastify';
import { beforeEach, expect, test } from 'vitest';
import { createAccounts } from '#system/accounts/accounts.ts';
import { buildApp } from '#system/app.ts';
import { depsAlone } from '#system/deps-alone.ts';
import { dayMs } from '#system/store/store.ts';

const midnight = Date.parse('2026-11-25T00:00:00Z');
let nowMs: number;
let app: FastifyInstance;
let authorization: string;
let publishable: string;
const clock = { wallMs: () => nowMs, monotonicMs: () => nowMs };
const basic = (user: string, password = ''): string => `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;

beforeEach(async () => {
  nowMs = midnight - 1000;
  const deps = depsAlone({ clock });
  app = await buildApp(deps);
  const keys = await createAccounts(deps).create({ name: 'x', quotas: {} });
  authorization = basic(keys.account_id, keys.secret);
  publishable = basic(keys.publishable_key);
});

const read = (query: string, as = authorization) => app.inject({ url: `/v1/usage${query}`, headers: { authorization: as } });
const none = { events: 0, calls: 0, registrations: 0, stream_minutes: 0, active_devices: 0 };

test('each day has its own, over midnight, and days without use stand there with nothing', async () => {
  const token = await app.inject({ method: 'POST', url: '/v1/authenticate', headers: { authorization: publishable }, payload: { device_id: 'd' } });
  const send = (id: string) =>
    app.inject({
      method: 'POST',
      url: '/v1/events',
      headers: { authorization: `Bearer ${token.json().access_token}` },
      payload: [{ id, type: 'battery', recorded_at: '2026-01-01T00:00:00Z', data: {} }],
    });
  await send('1');
  nowMs += 1000;
  await send('1');
  await send('2');
  // Refused for what it is, and a call all the same; without a credential nobody's.
  await read('?from=nonsense');
  await app.inject({ url: '/v1/usage' });
  const { days } = (await read('?from=2026-11-23&to=2026-11-25')).json();
  expect(days).toEqual([
    { ...none, date: '2026-11-23' },
    { ...none, date: '2026-11-24', events: 1, calls: 2, registrations: 1, active_devices: 1 },
    { ...none, date: '2026-11-25', events: 1, calls: 3, active_devices: 1 },
  ]);
  expect((await read('')).json().days).toHaveLength(30);
});

test.each([
  ['?from=2026-11-25&to=2026-11-24', 'bad-range'],
  ['?from=2026-02-30', 'bad-range'],
  ['?from=2020-01-01&to=2026-01-01', 'bad-range'],
  ['?from=yesterday', 'bad-request'],
  ['?days=3', 'bad-request'],
])('%s is %s', async (query, code) => {
  const answer = await read(query);
  expect([answer.statusCode, answer.json().code]).toEqual([400, code]);
});

test('only the account’s secret reads it', async () => {
  expect((await read('', publishable)).statusCode).toBe(403);
  expect((await read('', basic('acc0', 'x'))).statusCode).toBe(401);
});

test('what streams are held goes on over midnight', async () => {
  const { account_id: account } = { account_id: Buffer.from(authorization.slice(6), 'base64').toString().split(':')[0] as string };
  app.metering.streamOpened(account);
  nowMs += dayMs + 31_000;
  app.metering.streamEnded(account);
  const minutes = (await read('?from=2026-11-24&to=2026-11-26')).json().days.map(({ stream_minutes }: { stream_minutes: number }) => stream_minutes);
  expect(minutes).toEqual([0.017, 1440, 0.5]);
});
