import { expect, test } from 'vitest';
import { systemClock } from '#system/clock.ts';
import { createMemoryStore } from '#system/store/memory/memory-store.ts';
import { endpointsPerAccountMax } from '#system/store/store.ts';
import { createGuard } from './guard.ts';
import { webhookDefaults } from './settings.ts';
import { createWebhooks } from './webhooks.ts';

test('no name is looked up for an endpoint that there is no room for, nor for one that is not there', async () => {
  const looked: string[] = [];
  const resolve = async (host: string) => {
    looked.push(host);
    return ['1.1.1.1'];
  };
  const webhooks = createWebhooks({ store: createMemoryStore(), clock: systemClock, settings: webhookDefaults, guard: createGuard([]), resolve });
  const reached = { baseUrl: 'https://service.test' };
  const create = (i: number) => webhooks.create('a', { url: `https://${i}.test/`, types: ['device.registered'] }, reached);
  for (let i = 0; i < endpointsPerAccountMax; i++) expect((await create(i)).kind).toBe('stored');
  expect(looked).toHaveLength(endpointsPerAccountMax);
  expect(await create(endpointsPerAccountMax)).toEqual({ kind: 'full' });
  expect(await webhooks.change({ account: 'a', endpoint: 'none' }, { url: 'https://x.test/' }, reached)).toEqual({ kind: 'missing' });
  expect(looked).toHaveLength(endpointsPerAccountMax);
});

test('one address in five spellings is one webhook, also where it was stored in another spelling before', async () => {
  const store = createMemoryStore();
  const resolve = async () => ['1.1.1.1'];
  const webhooks = createWebhooks({ store, clock: systemClock, settings: webhookDefaults, guard: createGuard([]), resolve });
  const reached = { baseUrl: 'https://service.test' };
  const create = (url: string) => webhooks.create('a', { url, types: ['device.registered'] }, reached);
  const made = await create('HTTPS://Exam%70le.test:443/a/../hook?x=1#here');
  expect(made).toMatchObject({ kind: 'stored', row: { url: 'https://example.test/hook?x=1' } });
  const others = ['https://example.test/hook?x=1', 'https://EXAMPLE.test/hook?x=1', 'https://example.test:443/./hook?x=1', 'https://example.test/hook?x=1#'];
  for (const url of others) expect([url, (await create(url)).kind]).toEqual([url, 'duplicate-url']);
  for (const url of ['https://example.test/Hook?x=1', 'https://example.test/hook?x=2', 'https://example.test:444/hook?x=1'])
    expect([url, (await create(url)).kind]).toEqual([url, 'stored']);
  if (made.kind !== 'stored') throw new Error(made.kind);
  const key = { account: 'a', endpoint: made.row.id };
  const row = { ...made.row, version: 2, url: 'https://EXAMPLE.test:443/hook?x=1', state: { kind: 'active', sinceMs: 0 } } as const;
  await store.putEndpoint({ expected: 1, row, nowMs: 0 });
  expect((await create('https://example.test/hook?x=1')).kind).toBe('duplicate-url');
  expect((await webhooks.change(key, { url: 'https://example.test/hook?x=2' }, reached)).kind).toBe('duplicate-url');
  expect(await webhooks.change(key, { url: 'https://example.test/hook?x=1#there' }, reached)).toMatchObject({ row: { state: { kind: 'active' } } });
  expect(await webhooks.change(key, { description: 'x' }, reached)).toMatchObject({ row: { url: 'https://example.test/hook?x=1', state: { kind: 'active' } } });
  expect((await create('no url')).kind).toBe('forbidden-url');
});
