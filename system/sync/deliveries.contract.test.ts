import { expect, test } from 'vitest';
import { systemClock } from '#system/clock.ts';
import { createMemoryStore } from '#system/store/memory/memory-store.ts';
import { startDeliveries } from './deliveries.ts';

const log = { account: 'a', principal: 'user:u' };
const key = { ...log, channel: 'sync:trips', key: 'i' };

test('what does not fit into an inbox is dropped and said, once for its share', async () => {
  const memory = createMemoryStore();
  const put = (text: string) => memory.change({ ...key, atMs: 1, condition: { kind: 'any' }, bytes: Buffer.from(text) });
  await put('0');
  await memory.share({ ...log, share: { id: 's1', channel: key.channel, key: key.key, to: 'user:v', atMs: 1 } });
  let refused = 0;
  const store: typeof memory = {
    ...memory,
    change: async (command) => {
      if (command.channel !== 'inbox') return memory.change(command);
      refused++;
      return { kind: 'full' };
    },
  };
  const troubles: string[] = [];
  const deliveries = startDeliveries({ store, clock: systemClock, poke: () => undefined, onTrouble: (error) => troubles.push(String(error)) });
  for (let given = 1; given <= 3; given++) {
    await expect.poll(() => refused).toBe(given);
    await put(`${given}`);
  }
  await deliveries.stop();
  expect(troubles).toEqual([expect.stringContaining('s1')]);
});
