import { beforeEach, expect, test } from 'vitest';
import { createMemoryStore } from '#system/store/memory/memory-store.ts';
import { dayMs, type Store } from '#system/store/store.ts';
import { createSpikes, type UsageSpike } from './spikes.ts';

const day = 20_000;
let nowMs = day * dayMs;
let store: Store;
let told: UsageSpike[];
const clock = { wallMs: () => nowMs, monotonicMs: () => nowMs };
const calls = (source: string, count: number) => store.putMetered({ account: 'a', day: Math.floor(nowMs / dayMs), source, calls: count, streamMs: 0 });
const spikesOf = (source: string, tell = async (spike: UsageSpike) => void told.push(spike)) => createSpikes({ store, clock, source, factor: 100, tell });

beforeEach(() => {
  nowMs = day * dayMs;
  store = createMemoryStore();
  told = [];
});

test('a day that is no more than a hundred times the one before is no spike; one call more is, once over all processes', async () => {
  await calls('w', 200);
  nowMs += dayMs;
  const [one, other] = [spikesOf('one'), spikesOf('other')];
  await calls('w', 20_000);
  await one.look(['a']);
  expect(told).toEqual([]);
  await calls('w', 20_001);
  for (const spikes of [one, other, one]) await spikes.look(['a']);
  expect(told).toEqual([
    {
      id: 'usage.spike-a-2024-10-05-calls',
      type: 'usage.spike',
      account: 'a',
      at: '2024-10-05T00:00:00.000Z',
      data: { date: '2024-10-05', measure: 'calls', today: 20_001, day_before: 200, factor: 100 },
    },
  ]);
  nowMs += dayMs;
  await calls('w', 200_000);
  await one.look(['a']);
  expect(told).toHaveLength(1);
});

test('a first day is no spike until it would be one after a day of a hundred', async () => {
  const spikes = spikesOf('one');
  await calls('w', 10_000);
  await spikes.look(['a']);
  expect(told).toEqual([]);
  await calls('w', 10_001);
  await spikes.look(['a']);
  expect(told).toHaveLength(1);
});

test('what could not be told is told again, though the account calls no more', async () => {
  let fails = true;
  const spikes = spikesOf('one', async (spike) => {
    if (fails) throw new Error('no outbox');
    told.push(spike);
  });
  await calls('w', 10_001);
  await expect(spikes.look(['a'])).rejects.toThrow('no outbox');
  fails = false;
  await spikes.look([]);
  await spikes.look(['a']);
  expect(told).toHaveLength(1);
});
