/** R69: what a stream costs while it is there, and what is left when it is gone. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from './client.ts';
import { openMany } from './many-streams.ts';
import { readMetrics } from './reading.ts';
import { hold, type Rule } from './rule.ts';
import { smallHeap } from './small-heap.ts';
import { eventually, newUser } from './user.ts';

const streams = 2000;
const rounds = 6;
const bytesPerStreamMax = 20 * 1024;
/** Over the rounds after the first: 1.6 KB of each stream that came and went. */
const growthBytesMax = 16 * 2 ** 20;
const settleMs = 500;

type Held = { readonly residentBytes: number; readonly streams: number; readonly connections: number };

async function readHeld(client: Client): Promise<Held> {
  const metrics = await readMetrics(client);
  const of = (name: string): number => metrics(name) ?? Number.NaN;
  return { residentBytes: of('headroom_worker_resident_bytes'), streams: of('headroom_streams'), connections: of('headroom_connections') };
}

const memory: Rule = {
  id: 'R69',
  title: `a stream costs at most ${bytesPerStreamMax / 1024} KB of resident memory, and one that is gone nothing`,
  proves: ['A stream costs at most 20 KB of resident memory while it is there.', 'One that is gone leaves nothing behind, whether it said goodbye or not.'],
  how: [
    'Six times 2,000 streams are opened at a service with a small heap, and closed, every second one by a reset.',
    'In the first round the memory that was added is divided by the streams; after the last it may be at most 16 MiB more than after the first.',
    'Between the rounds the gauges have to say that no stream and no further connection is held.',
  ],
  redBy: ['keeps-what-ended', 'lavish'],
  needs: ['own service'],
  check: async ({ service, name }) => {
    await service?.withService({ env: smallHeap }, async ({ client, account }) => {
      const { authorization } = await newUser(client, account, name('user'));
      const url = `${client.base()}/v1/stream?ch=sync:trips`;
      const before = await readHeld(client);
      let first: Held | undefined;
      for (let round = 0; round < rounds; round++) {
        const readers = await openMany({ url, authorization }, streams);
        await sleep(settleMs);
        const held = await readHeld(client);
        hold(held.streams === streams, `${streams} streams in the metric`, held.streams);
        const bytesPerStream = Math.round((held.residentBytes - before.residentBytes) / streams);
        hold(round > 0 || bytesPerStream <= bytesPerStreamMax, `at most ${bytesPerStreamMax} bytes a stream`, bytesPerStream);
        // Half of them without a word.
        for (const [i, reader] of readers.entries()) i % 2 === 0 ? reader.close() : reader.socket.resetAndDestroy();
        await eventually('nothing held any more', async () => {
          const left = await readHeld(client);
          return left.streams === 0 && left.connections <= before.connections;
        });
        await sleep(settleMs);
        first ??= await readHeld(client);
      }
      const growthBytes = (await readHeld(client)).residentBytes - (first?.residentBytes ?? 0);
      hold(growthBytes <= growthBytesMax, `at most ${growthBytesMax} bytes more after ${rounds} rounds than after the first`, growthBytes);
    });
  },
};

export const memoryRules: readonly Rule[] = [memory];
