import { defineScenario } from '#harness/scenario.ts';

/** The bug of that morning: the same devices register again at each launch of the app, and nothing has changed. It may cost a request and nothing else. */
export default defineScenario({
  name: 'launch-bug',
  description: '2,000 devices register again and again as they are: each is one row, ingest does not feel it, and no event comes of it.',
  fleet: { accounts: 4, devices: 2000, connection: { kind: 'per-device-group', connections: 256 }, timeoutMs: 10_000 },
  chains: { launch: ['register'] },
  phases: [
    {
      name: 'first-launch',
      measured: false,
      durationSeconds: 12,
      rate: { kind: 'constant', ratePerSecond: 400 },
      traffic: [
        { chain: 'ingest', weight: 1 },
        { chain: 'launch', weight: 1 },
      ],
    },
    { name: 'quiet', measured: true, durationSeconds: 10, rate: { kind: 'constant', ratePerSecond: 200 } },
    {
      name: 'launches',
      measured: true,
      durationSeconds: 20,
      rate: { kind: 'constant', ratePerSecond: 2200 },
      traffic: [
        { chain: 'ingest', weight: 200 },
        { chain: 'launch', weight: 2000 },
      ],
    },
    { name: 'quiet-again', measured: true, beginsInBacklog: true, durationSeconds: 15, rate: { kind: 'constant', ratePerSecond: 200 } },
  ],
  thresholds: [
    { metric: 'response_ms{phase:launches,operation:ingest}', expression: 'p(99)<250' },
    { metric: 'failed', expression: 'rate<0.001' },
    { metric: 'shed{operation:ingest}', expression: 'rate<0.001' },
    { metric: 'recovery_seconds{phase:launches,baseline:quiet,operation:ingest}', expression: 'value<=10' },
    { metric: 'events_lost', expression: 'count==0' },
    { metric: 'events_duplicated', expression: 'count==0' },
    { metric: 'conservation_error', expression: 'count==0' },
  ],
});
