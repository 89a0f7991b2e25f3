import { defineScenario } from '#harness/scenario.ts';

export default defineScenario({
  name: 'steady',
  description: 'One minute at 2,000 requests/s: an ordinary day, with every ten seconds within their budget.',
  fleet: { accounts: 4, devices: 5000, connection: { kind: 'per-device-group', connections: 256 }, timeoutMs: 10_000 },
  phases: [
    { name: 'warm-up', measured: false, durationSeconds: 15, untilSettled: true, rate: { kind: 'constant', ratePerSecond: 2000 } },
    { name: 'steady', measured: true, durationSeconds: 60, rate: { kind: 'constant', ratePerSecond: 2000 } },
  ],
  thresholds: [
    { metric: 'response_ms{phase:steady,operation:ingest}', expression: 'p(99)<100' },
    { metric: 'response_ms{phase:steady,operation:ingest}', expression: 'p(95)<100 over 10s' },
    { metric: 'failed', expression: 'rate<0.001' },
    { metric: 'shed', expression: 'rate<0.001' },
    { metric: 'events_lost', expression: 'count==0' },
    { metric: 'events_duplicated', expression: 'count==0' },
    { metric: 'events_reordered', expression: 'count==0' },
    { metric: 'conservation_error', expression: 'count==0' },
    { metric: 'pipeline_drain_seconds', expression: 'value<=10' },
  ],
});
