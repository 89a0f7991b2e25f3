import type { Worker } from 'node:cluster';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Past, Snapshot } from '#system/telemetry/counts.ts';
import { createGatherer, type Gathered } from './gather.ts';
import type { ToWorker } from './messages.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const workerOf = (id: number): Worker => ({ id }) as Worker;
const snapshotOf = (worker: number, opened: number): Snapshot => ({
  worker,
  requests: {},
  lanes: {},
  appends: { buckets: [], sumSeconds: 0 },
  usageSpikes: 0,
  cpuSeconds: 0,
  residentBytes: 0,
  loopDelaySeconds: 0,
  clockOffsetSeconds: 0,
  connections: 0,
  streams: { held: 1, opened, frames: 0, heartbeats: 0, bytes: 0, catchUps: 0, ended: {} },
  store: undefined,
});
const opened = ({ present, past }: Gathered): number => [...present, ...past].reduce((sum, { streams }: Past) => sum + streams.opened, 0);

test('a sum goes back neither for a worker that is late nor for one that ended, even between its answer and the sum', async () => {
  const live = new Set([1, 2]);
  let asked: { worker: Worker; id: number }[] = [];
  const gatherer = createGatherer({
    live: () => [...live].map(workerOf),
    send: (worker: Worker, message: ToWorker) => void (message.kind === 'snapshot-wanted' && asked.push({ worker, id: message.id })),
  });
  const gather = (answer: (worker: number) => number | undefined): Promise<Gathered> => {
    asked = [];
    const gathering = gatherer.gather();
    for (const { worker, id } of asked) {
      const count = answer(worker.id);
      if (count !== undefined) gatherer.answered(worker, id, snapshotOf(worker.id, count));
    }
    return gathering;
  };
  expect(opened(await gather((worker) => 10 * worker))).toBe(30);
  const late = gather((worker) => (worker === 1 ? 11 : undefined));
  await vi.advanceTimersByTimeAsync(900);
  expect([opened(await late), (await late).present.length]).toEqual([31, 1]);
  // Worker 1 answers and ends before worker 2 does.
  const ending = gather((worker) => (worker === 1 ? 12 : undefined));
  gatherer.said(workerOf(1), snapshotOf(1, 13));
  live.delete(1);
  gatherer.ended(workerOf(1));
  await vi.advanceTimersByTimeAsync(900);
  expect([opened(await ending), (await ending).present.length]).toEqual([33, 0]);
  expect(opened(await gather(() => 20))).toBe(33);
  // Nobody waits for one that is gone.
  const last = gather(() => undefined);
  live.delete(2);
  gatherer.ended(workerOf(2));
  expect(opened(await last)).toBe(33);
});
