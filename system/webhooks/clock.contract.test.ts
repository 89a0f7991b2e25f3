/** What is due follows real time, wherever the wall clock is put meanwhile. */
import { expect, test, vi } from 'vitest';
import { createMemoryStore } from '#system/store/memory/memory-store.ts';
import { type Endpoint, outwardEvent } from '#system/store/store.ts';
import { noWebhookCounts, startDispatcher } from './dispatcher.ts';
import { webhookDefaults } from './settings.ts';
import { newSecret } from './signature.ts';

const hourMs = 3_600_000;

test.each([-72, -1, 1, 72])('a wall clock that is put by %d hours moves no attempt', async (hours) => {
  const clocks = { wallMs: 1e12, storeMs: 1e12 };
  const clock = { wallMs: () => clocks.wallMs, storeMs: () => clocks.storeMs, monotonicMs: () => performance.now() };
  const store = createMemoryStore({ clock });
  const handshake = { challenge: 'c', tokenDigest: 't', expiresAtMs: 2e12, used: true };
  const state = { kind: 'active', sinceMs: 1e12 } as const;
  const bare = { version: 1, account: 'a', id: 'wh_1', url: 'https://x.test/', types: ['device.online'], createdAtMs: 1e12 };
  const row: Endpoint = { ...bare, secrets: [{ secret: newSecret() }], state, handshake };
  await store.putEndpoint({ expected: undefined, row, nowMs: clocks.storeMs });
  const stamps: number[] = [];
  const dispatcher = startDispatcher({
    store,
    clock,
    settings: { ...webhookDefaults, scheduleMs: [0, 60_000, 60_000] },
    send: async ({ headers }) => {
      stamps.push(Number(headers['webhook-timestamp']) * 1000);
      return { kind: 'answered', status: 500, retryAfter: undefined, body: '' };
    },
    webhooks: { confirmEcho: async () => false },
    counts: noWebhookCounts(),
    onTrouble: (error) => {
      throw error;
    },
    random: () => 1,
  });
  clocks.wallMs += hours * hourMs;
  const event = outwardEvent({ account: 'a', type: 'device.online', source: 's', atMs: clocks.wallMs, data: {} });
  await store.enqueueOutward({ account: 'a', event, nowMs: clocks.storeMs });
  await vi.waitFor(() => expect(stamps).toHaveLength(1));
  clocks.wallMs -= hours * hourMs;
  clocks.storeMs += 59_000;
  await new Promise((resolve) => setTimeout(resolve, 200));
  expect(stamps).toEqual([1e12 + hours * hourMs]);
  clocks.storeMs += 1000;
  await vi.waitFor(() => expect(stamps).toEqual([1e12 + hours * hourMs, 1e12]));
  await dispatcher.stop();
});
