import { expect, test } from 'vitest';
import type { LogEvent } from '#system/store/store.ts';
import { createHistory } from './history.ts';
import { manifestKey, packManifest, packSlice } from './segment.ts';

const midnightMs = Date.parse('2026-11-25T00:00:00Z');
const eventOf = (position: number, atMs: number): LogEvent => ({
  partition: 0,
  position: String(position),
  account: 'a',
  device: 'd',
  id: `e${position}`,
  receivedAtMs: midnightMs + atMs,
  bytes: Buffer.from('{}'),
});

test.each([1, 2, 3, 4, 10])('days that interleave in a run are in order, whatever stands behind the run: pages of %i', async (limit) => {
  // One worker's clock is behind the other's, so the second event is of the day before.
  const slice = { bucket: 0, from: '', to: '4', name: 'x', events: [eventOf(1, 5), eventOf(2, -5), eventOf(3, 6), eventOf(4, 7)] };
  const packed = packSlice(slice, 1e6);
  expect(packed).toHaveLength(2);
  const manifest = packManifest({ version: 1, bucket: 0, from: '', to: '4', segments: packed.map(({ segment }) => segment) });
  const objects = new Map<string, Uint8Array>([[manifestKey(slice), manifest], ...packed.map(({ segment, bytes }) => [segment.key, bytes] as const)]);
  const runs = [
    { from: '', to: '4', key: manifestKey(slice) },
    { from: '4', to: '6', key: 'not to be read' },
  ];
  const history = createHistory({
    vault: { get: async (key) => objects.get(key), put: async () => undefined, close: () => undefined },
    store: {
      readHistory: async () => ({ events: [], atEnd: true, floor: '4' }),
      readArchivedRuns: async ({ after }) => runs.filter(({ to }) => to > after),
    },
  });
  const ids: string[] = [];
  for (let after = ''; ; ) {
    const page = await history.read({ account: 'a', device: 'd', after, limit, include: 'kept' });
    ids.push(...page.events.map(({ id }) => id));
    if (page.atEnd) break;
    after = page.next ?? (page.events.at(-1) as LogEvent).position;
  }
  expect(ids).toEqual(['e1', 'e2', 'e3']);
});
