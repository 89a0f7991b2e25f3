/** Topics alone, over the memory store: who is told when the store failed, went back, or began anew. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { systemClock } from '#system/clock.ts';
import { createMemoryStore } from '#system/store/memory/memory-store.ts';
import type { ChangePosition, Store } from '#system/store/store.ts';
import { filterOf, type Subscriber } from './subscriber.ts';
import { createTopics, type Topics } from './topics.ts';

const log = { account: 'a', principal: 'user:u' };
let store: Store;
let topics: Topics;
let told: Subscriber[];
let troubles: unknown[];

beforeEach(() => {
  store = createMemoryStore();
  told = [];
  troubles = [];
  topics = createTopics({
    store,
    push: (subscriber) => void told.push(subscriber),
    restart: (subscriber, page) => void Object.assign(subscriber, { epoch: page.epoch, position: page.position }),
    onTrouble: (error) => void troubles.push(error),
  });
});
afterEach(() => void vi.useRealTimers());

const subscriberAt = (epoch: string, position: ChangePosition): Subscriber =>
  ({ log, epoch, position, filter: filterOf(['sync:trips']), form: 'ndjson' }) as unknown as Subscriber;
const put = (key: string) =>
  store.change({ ...log, channel: 'sync:trips', key, atMs: systemClock.wallMs(), bytes: Buffer.from('{}'), condition: { kind: 'any' } });
const atHead = async (): Promise<Subscriber> => {
  const { epoch, heads } = await store.readHeads([log]);
  return subscriberAt(epoch, heads[0] as ChangePosition);
};

test('a read that failed is tried again for those who are left, and takes nothing from those who came after', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout'] });
  const first = await atHead();
  topics.join(first, log);
  const { readChanges } = store;
  Object.assign(store, { readChanges: () => Promise.reject(new Error('late')) });
  topics.poke([log]);
  await vi.waitFor(() => expect(troubles).toHaveLength(1));
  Object.assign(store, { readChanges });
  topics.leave(first);
  const second = await atHead();
  topics.join(second, log);
  await vi.runAllTimersAsync();
  await put('t');
  topics.poke([log]);
  await expect.poll(() => told).toEqual([second]);
});

test.each(['another epoch', 'a head that went back'])('%s is seen by whoever comes, without a poke and before the next position check', async (what) => {
  await put('t');
  const { epoch, position } = await atHead();
  const isBack = what === 'a head that went back';
  topics.join(subscriberAt(epoch, isBack ? `${'0'.repeat(15)}9${'0'.repeat(16)}` : position), log);
  if (!isBack) await store.renewEpoch({ expected: epoch });
  const late = await atHead();
  expect(topics.join(late, log)).toBe(false);
  await expect.poll(async () => topics.join(await atHead(), log)).toBe(true);
});

test('a wait that is over before it began leaves nothing behind', async () => {
  const { epoch, position } = await atHead();
  await topics.wait({ log, epoch, position }, AbortSignal.abort());
  await put('t');
  expect(await topics.check()).toBe(0);
});
