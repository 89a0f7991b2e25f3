import { defineScenario } from '#harness/scenario.ts';

/** A tunnel ends: devices that were away for four hours send fifty events each, the newest first, while the others go on in batches of their own. */
export default defineScenario({
  name: 'offline-flush',
  description: '2,000 devices come back with four hours of backlog, newest first, 50 events a request: nothing is lost, and the pipeline keeps up.',
  fleet: { accounts: 4, devices: 2000, connection: { kind: 'per-device-group', connections: 128 }, eventsPerBatch: 50, timeoutMs: 10_000 },
  chains: { flush: ['flush'] },
  phases: [
    { name: 'warm-up', measured: false, durationSeconds: 8, rate: { kind: 'constant', ratePerSecond: 50 } },
    { name: 'quiet', measured: true, durationSeconds: 10, rate: { kind: 'constant', ratePerSecond: 20 } },
    {
      name: 'flush',
      measured: true,
      durationSeconds: 20,
      rate: { kind: 'constant', ratePerSecond: 120 },
      traffic: [
        { chain: 'flush', weight: 100 },
        { chain: 'ingest', weight: 20 },
      ],
    },
    { name: 'quiet-again', measured: true, beginsInBacklog: true, durationSeconds: 20, rate: { kind: 'constant', ratePerSecond: 20 } },
  ],
  thresholds: [
    { metric: 'response_ms{phase:flush,operation:ingest}', expression: 'p(99)<500' },
    { metric: 'failed', expression: 'rate<0.001' },
    { metric: 'recovery_seconds{phase:flush,baseline:quiet,operation:ingest}', expression: 'value<=15' },
    { metric: 'pipeline_drain_seconds', expression: 'value<=30' },
    { metric: 'events_lost', expression: 'count==0' },
    { metric: 'events_duplicated', expression: 'count==0' },
    { metric: 'events_reordered', expression: 'count==0' },
    { metric: 'conservation_error', expression: 'count==0' },
  ],
});
