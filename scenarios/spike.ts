import { defineScenario } from '#harness/scenario.ts';

/**
 * The launch that ended in 10,000 requests/s. The warm-up climbs to the spike's own rate, because a compiler that meets the rate
 * for the first time owns the p99 of the first second, and because a machine that does not hold it is told before anything is measured; no step is long enough to count as settled but the last. The phase after the spike is longer than the 15 s in which it has to have
 * recovered by the three seconds that recovery has to last, so that a late recovery is seen and not guessed.
 */
export default defineScenario({
  name: 'spike',
  description: '10,000 devices, one event a request: calm at 1,000/s, 30 s at 10,000/s, and back to calm.',
  fleet: {
    accounts: 10,
    devices: 10_000,
    connection: { kind: 'per-device-group', connections: 1000 },
    eventsPerBatch: 1,
    timeoutMs: 10_000,
  },
  phases: [
    {
      name: 'warm-up',
      measured: false,
      durationSeconds: 20,
      untilSettled: true,
      rate: {
        kind: 'step',
        steps: [
          { atSeconds: 0, ratePerSecond: 1000 },
          { atSeconds: 2, ratePerSecond: 3000 },
          { atSeconds: 4, ratePerSecond: 6000 },
          { atSeconds: 6, ratePerSecond: 10_000 },
        ],
      },
    },
    { name: 'calm', measured: true, durationSeconds: 10, rate: { kind: 'constant', ratePerSecond: 1000 } },
    { name: 'spike', measured: true, durationSeconds: 30, rate: { kind: 'constant', ratePerSecond: 10_000 } },
    { name: 'calm-again', measured: true, beginsInBacklog: true, durationSeconds: 20, rate: { kind: 'constant', ratePerSecond: 1000 } },
  ],
  thresholds: [
    { metric: 'response_ms{phase:spike,operation:ingest}', expression: 'p(99)<250' },
    { metric: 'failed', expression: 'rate<0.001' },
    { metric: 'events_lost', expression: 'count==0' },
    { metric: 'events_duplicated', expression: 'count==0' },
    { metric: 'events_reordered', expression: 'count==0' },
    { metric: 'conservation_error', expression: 'count==0' },
    { metric: 'recovery_seconds{phase:spike,baseline:calm}', expression: 'value<=15' },
    { metric: 'pipeline_drain_seconds', expression: 'value<=10' },
  ],
});
