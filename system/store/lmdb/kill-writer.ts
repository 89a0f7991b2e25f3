/** A process of the kill test: appends under load and steps, and says what was acknowledged; the test kills it, or tells it to exit. */
import { partitionCount } from '#system/store/store.ts';
import { openLmdbStore } from './lmdb-store.ts';

const [folder = '', name = ''] = process.argv.slice(2);
const store = await openLmdbStore({ folder, flushTimeoutMs: 5000, dedupeHours: 24, durability: 'fsync' });
let made = 0;

async function write(device: string): Promise<never> {
  for (;;) {
    const ids = [`${name}-${made++}`, `${name}-${made++}`];
    const result = await store.append({
      account: 'a',
      device,
      receivedAtMs: Date.now(),
      rejectedCount: 0,
      events: ids.map((id) => ({ id, bytes: Buffer.from(`"${id}"`) })),
    });
    if (result.kind === 'appended' && result.accepted === 2) process.send?.(ids);
  }
}

async function process64(): Promise<never> {
  for (;;) {
    for (let partition = 0; partition < partitionCount; partition++) {
      const held = await store.lease({ partition, owner: name, nowMs: Date.now(), ttlMs: 20 });
      if (held.kind !== 'held') continue;
      const { events } = await store.readLog({ partitions: [partition], after: { [partition]: held.checkpoint }, limitEvents: 200 });
      const last = events.at(-1);
      if (!last) continue;
      const devices = [...new Set(events.map(({ device }) => device))].map((device) => {
        const own = events.filter((event) => event.device === device);
        const kept = own.map(({ position }) => position);
        const newest = own.reduce((best, event) => (event.receivedAtMs >= best.receivedAtMs ? event : best), own[0] ?? last);
        return {
          account: 'a',
          device,
          kept,
          filtered: [],
          latest: { recordedAtMs: newest.receivedAtMs, id: newest.id, position: newest.position, bytes: newest.bytes },
        };
      });
      await store.step({ partition, fence: held.fence, from: held.checkpoint, to: last.position, devices });
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
}

process.once('message', () => process.exit(1));
process.send?.('ready');
await Promise.all([...Array.from({ length: 8 }, (_, i) => write(`d${i}`)), process64()]);
