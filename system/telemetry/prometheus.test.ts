import { expect, test } from 'vitest';
import { metricNames } from '#system/protocol/metric-names.ts';
import { createCounts, mergePast, type Snapshot } from './counts.ts';
import { createPrinter } from './prometheus.ts';

const snapshotOf = (worker: number, record: (counts: ReturnType<typeof createCounts>) => void): Snapshot => {
  const counts = createCounts(['ingest', 'read']);
  record(counts);
  const { requests, lanes, appends } = counts;
  const store = {
    accepted: 5,
    duplicate: 1,
    rejected: 2,
    kept: 3,
    filtered: { still: 1 },
    pending: 1,
    lagSeconds: 0.5,
    archive: { events: 2, segments: 1, bytes: 9, lagSeconds: 0 },
  };
  const streams = { held: 1, opened: 2, frames: 3, heartbeats: 4, bytes: 5, catchUps: 6, ended: { age: 1 } };
  const webhooks = { delivered: 1 };
  return {
    worker,
    requests,
    lanes,
    appends,
    webhooks,
    usageSpikes: 1,
    cpuSeconds: 1,
    residentBytes: 2,
    loopDelaySeconds: 3,
    clockOffsetSeconds: 0,
    connections: 4,
    streams,
    store,
  };
};

test('every name of the protocol is printed, with what all workers counted together', async () => {
  const printer = createPrinter();
  const text = await printer.print([
    snapshotOf(1, (counts) => {
      counts.record('ingest', 202, 3);
      counts.recordAppend(2);
    }),
    snapshotOf(2, (counts) => {
      counts.record('ingest', 202, 300);
      counts.recordAppend(40);
    }),
  ]);
  await printer.close();
  for (const name of Object.values(metricNames)) expect(text).toMatch(new RegExp(`^${name}(_count)?[ {]`, 'm'));
  expect(text).toMatch(/^headroom_requests_total\{lane="ingest",outcome="good"\} 2$/m);
  // From 0 on: who reads a counter would not see what it began with.
  for (const outcome of ['good', 'shed', 'failed']) expect(text).toMatch(new RegExp(`^headroom_requests_total\\{lane="read",outcome="${outcome}"\\} 0$`, 'm'));
  expect(text).toMatch(/^headroom_request_duration_seconds_bucket\{lane="ingest",le="0.005"\} 1$/m);
  expect(text).toMatch(/^headroom_store_flush_duration_seconds_bucket\{le="0.05"\} 2$/m);
  expect(text).toMatch(/^headroom_store_flush_duration_seconds_sum 0.042$/m);
  expect(text).toMatch(/^headroom_events_received_total 8$/m);
});

test('what ended workers counted goes on counting, once however many they were; what they held is gone', async () => {
  const counted = (worker: number) => snapshotOf(worker, (counts) => counts.record('ingest', 202, 3));
  const printer = createPrinter();
  const text = await printer.print([counted(3)], [mergePast([mergePast([counted(1)]), counted(2)])]);
  await printer.close();
  expect(text).toMatch(/^headroom_requests_total\{lane="ingest",outcome="good"\} 3$/m);
  expect(text).toMatch(/^headroom_request_duration_seconds_count\{lane="ingest"\} 3$/m);
  expect(text).toMatch(/^headroom_streams_opened_total 6$/m);
  expect(text).toMatch(/^headroom_streams_ended_total\{code="age"\} 3$/m);
  expect(text.match(/^headroom_worker_cpu_seconds_total\{.*$/gm)).toEqual([
    'headroom_worker_cpu_seconds_total{worker="3"} 1',
    'headroom_worker_cpu_seconds_total{worker="ended"} 2',
  ]);
  expect(text.match(/^headroom_(streams|connections)\{.*$/gm)).toEqual(['headroom_connections{worker="3"} 4', 'headroom_streams{worker="3"} 1']);
});
