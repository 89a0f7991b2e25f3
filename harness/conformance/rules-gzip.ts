/** R8: bodies that are packed. */
import { gzipSync } from 'node:zlib';
import type { Client } from './client.ts';
import { readMetrics } from './reading.ts';
import { hold, type Rule } from './rule.ts';
import { eventOf } from './rules-ingest.ts';
import { smallHeap } from './small-heap.ts';
import { eventually } from './user.ts';

const gzip = { 'content-encoding': 'gzip' };
const bombBytes = 64 * 2 ** 20;
const bombs = 5;
const growthBytesMax = 16 * 2 ** 20;

async function throwBombs(client: Client, authorization: string): Promise<void> {
  const bomb = gzipSync(`[${' '.repeat(bombBytes)}]`);
  for (let i = 0; i < bombs; i++) {
    const { status, json, text } = await client.send(authorization, bomb, gzip);
    hold(status === 413 && json?.code === 'body-too-large', '413 body-too-large', `${status} ${text}`);
  }
}

/** Asked again where the worker was too late to be in the answer. */
async function readResident(client: Client): Promise<number> {
  let bytes: number | undefined;
  await eventually('headroom_worker_resident_bytes', async () => {
    bytes = (await readMetrics(client))('headroom_worker_resident_bytes');
    return bytes !== undefined;
  });
  return bytes as number;
}

/** The most that the service's memory stood above where it was before `work`, in bytes, as often as it can be asked meanwhile. */
async function growthDuring(client: Client, work: () => Promise<void>): Promise<number> {
  const before = await readResident(client);
  let most = before;
  let isOver = false;
  const watch = async (): Promise<void> => {
    while (!isOver) most = Math.max(most, await readResident(client));
  };
  const end = (): void => {
    isOver = true;
  };
  await Promise.all([watch(), work().finally(end)]);
  return Math.max(most, await readResident(client)) - before;
}

const gzipBomb: Rule = {
  id: 'R8',
  title: 'gzip is taken; a gzip bomb is 413 and costs less than 16 MiB of memory',
  proves: [
    'A body may be sent as gzip, and its limit counts what it unpacks to.',
    'A small body that unpacks to far more is refused with 413, again and again, and the memory of the service grows by less than 16 MiB meanwhile.',
  ],
  how: [
    'A packed batch of one event has to be accepted.',
    'Then 64 MiB of spaces, packed to about 64 KB, is sent five times, and each time has to be answered with 413 body-too-large.',
    'Where the service is our own to start, one with a small heap gets the same twice, and its resident memory is read all the time of the second',
    'round. A service at a --target is not asked for its memory.',
  ],
  redBy: ['blurs-sizes', 'keeps-bombs'],
  needs: [],
  check: async ({ client, account, name, service }) => {
    const authorization = await client.device(account, name('device'));
    const packed = await client.send(authorization, gzipSync(JSON.stringify([eventOf(name('z'))])), gzip);
    hold(packed.status === 202 && packed.json?.accepted === 1, '202 with 1 accepted for a packed batch', `${packed.status} ${packed.text}`);
    await throwBombs(client, authorization);
    await service?.withService({ env: smallHeap }, async (own) => {
      const sender = await own.client.device(own.account, name('device'));
      // The first ones find a process that has not unpacked anything yet.
      await throwBombs(own.client, sender);
      const growthBytes = await growthDuring(own.client, () => throwBombs(own.client, sender));
      hold(growthBytes < growthBytesMax, `less than ${growthBytesMax} bytes more memory`, growthBytes);
    });
  },
};

export const gzipRules: readonly Rule[] = [gzipBomb];
