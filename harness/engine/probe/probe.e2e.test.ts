/** The probe's process against a server that tells the truth: whatever it makes of the answers, nothing may be missed that is there. */
import { afterEach, expect, test } from 'vitest';
import { Audit } from '#harness/ledger/audit.ts';
import { countOf } from '#harness/metrics/histogram.ts';
import { eventIdOf, parseEventId } from '#harness/target/event-ids.ts';
import { startProbe } from './probe.ts';
import type { ProbeOutcome } from './probe-book.ts';
import { startTruthfulServer, type TruthfulOptions, type TruthfulServer } from './truthful-server.ts';

const run = 'aaaaaaaaaaaap';
const device = { deviceId: 'd', token: 't', secret: 's', publishable: 'p' };
let server: TruthfulServer;
afterEach(() => server.stop());

/** Until the server has ended so many requests. */
async function probeUntil(requests: number, options: TruthfulOptions): Promise<ProbeOutcome> {
  server = await startTruthfulServer(options);
  const originNs = process.hrtime.bigint();
  const sinceOriginMs = () => Number(process.hrtime.bigint() - originNs) / 1e6;
  const probe = startProbe({
    run,
    target: { host: '127.0.0.1', port: server.port, pathPrefix: '' },
    operationsModule: '#harness/target/operations.ts',
    operation: 'ingest',
    device,
    eventsPerBatch: 1,
    plan: { seed: 1, ratePerSecond: 20, startMs: 0 },
    timeoutMs: 30_000,
    openMax: 256,
    originNs: String(originNs),
  });
  await server.ended(requests);
  return probe.finish([{ name: 'load', measured: true, startSeconds: 0, endSeconds: sinceOriginMs() / 1000, planned: 0 }]);
}

function auditOf({ states }: ProbeOutcome) {
  const audit = new Audit({
    states,
    devices: 1,
    eventsPerBatch: 1,
    isOrdered: () => true,
    parseEventId: (id) => parseEventId(run, id),
    eventIdOf: (arrival, index) => eventIdOf(run, arrival, index),
  });
  for (const id of server.stored) audit.see(id);
  return audit.finish();
}

test.each([
  ['quick, and cuts every fifth', { delayMs: 60, cutEvery: 5 }],
  ['slow, and cuts every third', { delayMs: 300, cutEvery: 3 }],
  ['slower than the probe hands over', { delayMs: 700, cutEvery: 0 }],
])('a truthful server that is %s loses nothing, and the probe knows of every answer', async (_, options) => {
  const outcome = await probeUntil(45, options);
  const { acknowledged, unknownFound, ...counts } = auditOf(outcome);
  expect(counts).toMatchObject({ lost: 0, duplicated: 0, reordered: 0, foreign: 0 });
  expect([acknowledged, unknownFound]).toEqual([server.stored.length, 0]);
  expect(outcome.record.trouble).toBeUndefined();
  expect(outcome.record.seconds.reduce((sum, { service }) => sum + countOf(service), 0)).toBeGreaterThan(0);
});
