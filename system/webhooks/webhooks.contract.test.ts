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
