import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createNumbering, type Numbered } from '#harness/engine/message-row.ts';
import { sumStreams } from '#harness/gates/stream-samples.ts';
import { StreamFold } from '#harness/metrics/fold-streams.ts';
import type { StreamDelta } from '#harness/run-result.ts';
import { HolderMessages } from './holder-messages.ts';
import type { FromHolder } from './messages.ts';

const lag = { worker: 0, second: 0, loopDelayMaxMs: 0, stopMsTotal: 0, gcMsTotal: 0, gcMsMax: 0, utilisation: 0 };
const deltaOf = (counts: StreamDelta['cells'][number]['counts']): FromHolder => ({
  kind: 'delta',
  delta: { cells: [{ second: 1, phase: 0, reader: 'all', counts, spoiled: {}, times: {}, reasons: {} }], lag },
  now: { wanted: 1, live: 1, opening: 0, waiting: 0 },
});

/** Three changes in order, of which one came twice: a cursor that did not grow, and one duplicate in the comparison. */
const said: readonly FromHolder[] = [
  { kind: 'ready' },
  deltaOf({ changes: 2 }),
  deltaOf({ changes: 2, reordered: 1 }),
  deltaOf({ frames: 1 }),
  { kind: 'compared', comparison: { readers: 1, expected: 3, seen: 4, lost: 0, duplicated: 1, examples: [], accused: [] } },
  { kind: 'finished' },
];

test('whatever is lost, doubled or late of what a holder says, nothing is out of order or leaked that was not, and a hole is known', async () => {
  const fates = fc.array(fc.record({ times: fc.nat(3), place: fc.nat(50) }), { minLength: said.length, maxLength: said.length });
  await fc.assert(
    fc.asyncProperty(fates, async (fate) => {
      const fold = new StreamFold();
      const messages = new HolderMessages((message) => {
        if (message.kind === 'delta') fold.add(message.delta);
      });
      const compared = messages.next('compared').then(
        ({ comparison }) => comparison.duplicated,
        () => undefined,
      );
      const sent: Numbered<FromHolder>[] = [];
      const say = createNumbering<FromHolder>((one) => sent.push(one));
      for (const message of said) say(message);
      const came = sent.flatMap((one, i) => Array.from({ length: fate[i]?.times ?? 0 }, () => ({ one, place: fate[i]?.place ?? 0 })));
      for (const { one } of came.toSorted((a, b) => a.place - b.place)) messages.hear(one);
      messages.fail('nothing more will come');
      const duplicated = await compared;
      const cells = fold.cells();
      expect(sumStreams(cells, 'reordered')).toBeLessThanOrEqual(1);
      expect([sumStreams(cells, 'leaked'), sumStreams(cells, 'lost')]).toEqual([0, 0]);
      const isWhole = fate.every(({ times }) => times > 0);
      if (isWhole) expect([messages.missing, duplicated, sumStreams(cells, 'changes')]).toEqual([0, 1, 4]);
      // Without the last message nobody knows of a hole but that it never came, which is waited for.
      if (!isWhole && (fate.at(-1)?.times ?? 0) > 0) expect(messages.missing).toBeGreaterThan(0);
      expect(duplicated === undefined).toBe(fate[4]?.times === 0);
    }),
  );
});
