import { defineScenario } from '#harness/scenario.ts';

// Loose on time and exact on counts: it runs where the machine is shared, and asks whether everything works together.
export default defineScenario({
  name: 'smoke',
  description: 'A few seconds at 200 requests/s: does everything work together?',
  fleet: { accounts: 2, devices: 100, connection: { kind: 'per-device-group', connections: 20 }, timeoutMs: 10_000 },
  phases: [
    { name: 'warm-up', measured: false, durationSeconds: 2, rate: { kind: 'constant', ratePerSecond: 100 } },
    { name: 'load', measured: true, durationSeconds: 4, rate: { kind: 'constant', ratePerSecond: 200 } },
  ],
  thresholds: [
    { metric: 'response_ms{phase:load,operation:ingest}', expression: 'p(90)<1000' },
    { metric: 'failed', expression: 'rate<0.01' },
    { metric: 'events_lost', expression: 'count==0' },
    { metric: 'events_duplicated', expression: 'count==0' },
    { metric: 'events_reordered', expression: 'count==0' },
    { metric: 'conservation_error', expression: 'count==0' },
    { metric: 'pipeline_drain_seconds', expression: 'value<=10' },
  ],
});
