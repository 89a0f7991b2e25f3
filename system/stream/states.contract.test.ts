/** State channels over a store that answers as the test says, and subscribers that are lists. */

import { Writable } from 'node:stream';
import { beforeEach, expect, test, vi } from 'vitest';
import { systemClock } from '#system/clock.ts';
import type { DeviceRef, LatestLocation, Store } from '#system/store/store.ts';
import { createStates, type States, watchingOf } from './states.ts';
import type { Subscriber } from './subscriber.ts';

const account = 'a';
const devices = Array.from({ length: 200 }, (_, i) => `d${1000 + i}`);
const refsOf = (names: readonly string[]): readonly DeviceRef[] => names.map((device) => ({ account, device }));

let latest: Map<string, number>;
let told: Map<Subscriber, string[]>;
let states: States;
let refusals: number;
let troubles: number;
let pushMs: number;

const locationOf = (lat: number): LatestLocation => {
  const bytes = Buffer.from(JSON.stringify({ recorded_at: '2026-11-25T10:00:00.000Z', data: { lat } }));
  return { recordedAtMs: lat, id: `e${lat}`, position: `${lat}`, bytes };
};

beforeEach(() => {
  [latest, told, refusals, troubles, pushMs] = [new Map(), new Map(), 0, 0, 0];
  const store: Pick<Store, 'readPresence' | 'readLatest' | 'readDevices'> = {
    readPresence: async () => ({ online: true, seenAtMs: 1, sinceMs: 1 }),
    readLatest: async ({ device }) => locationOf(latest.get(device) ?? 0),
    readDevices: async ({ after }) => {
      if (refusals-- > 0) throw new Error('the disk stalls');
      return devices.filter((device) => device > after);
    },
  };
  states = createStates({
    clock: systemClock,
    store: store as Store,
    push: (subscriber, bytes) => {
      const { k, d } = JSON.parse(/\{.*\}/.exec(bytes.toString())?.[0] ?? '') as { k: string; d: { location: { lat: number } } };
      told.get(subscriber)?.push(`${k} ${d.location.lat}`);
      for (const endMs = performance.now() + pushMs; performance.now() < endMs; );
    },
    onWatch: async () => undefined,
    onTrouble: () => void troubles++,
  });
});

async function watch(): Promise<Subscriber> {
  const watching = watchingOf([{ kind: 'devices', name: 'devices' }]);
  const subscriber = { account, watching, form: 'ndjson', undrainedSinceMs: 0, socket: new Writable() } as unknown as Subscriber;
  told.set(subscriber, []);
  await states.watch(subscriber);
  return subscriber;
}
const toldOf = (subscriber: Subscriber, device: string): readonly string[] => (told.get(subscriber) ?? []).filter((one) => one.startsWith(`${device} `));

test('while many are told of many devices, nobody gets an older state behind a younger one', async () => {
  const watchers = await Promise.all(Array.from({ length: 20 }, watch));
  const [last] = devices.slice(-1) as [string];
  latest.set(last, 1);
  // Longer in all than news are gathered for.
  pushMs = 0.05;
  states.news(refsOf(devices));
  const [first] = watchers as [Subscriber];
  await vi.waitFor(() => expect(toldOf(first, devices[0] as string)).toHaveLength(2), { interval: 1, timeout: 60_000 });
  latest.set(last, 2);
  states.news(refsOf([last]));
  const expected = [`${last} 0`, `${last} 1`, `${last} 2`];
  await vi.waitFor(() => expect(toldOf(watchers.at(-1) as Subscriber, last).at(-1)).toBe(`${last} 2`), { timeout: 60_000 });
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(watchers.map((watcher) => toldOf(watcher, last))).toEqual(watchers.map(() => expected));
});

test('what could not be read to be told again is read later', async () => {
  const watcher = await watch();
  latest.set('d1100', 5);
  refusals = 1;
  states.tellAgain();
  await vi.waitFor(() => expect(toldOf(watcher, 'd1100')).toEqual(['d1100 0', 'd1100 5']), { timeout: 60_000 });
  expect(troubles).toBe(1);
});
