import { defineScenario } from '#harness/scenario.ts';

/**
 * A process may open fewer than 20,000 descriptors, so there are six on each side. A destination has 28,232 ports, and Linux looks for a free one among every second of them
 * first: beyond 14,116 each connect searches those in vain (the last 30,000 streams took two cores a minute and a half), so there are eight addresses. Streams are opened with their
 * users' tokens: of 100,000 registrations one would learn nothing here.
 */
export default defineScenario({
  name: 'streams-100k',
  description: '100,000 streams of 10,000 users on one machine, held for five minutes with heartbeats and a trickle of changes.',
  fleet: { accounts: 10, devices: 10_000, connection: { kind: 'per-device-group', connections: 16 }, timeoutMs: 10_000 },
  system: { workers: 6, addresses: 8 },
  streams: { users: 10_000, credential: 'user', processes: 6, readers: [{ name: 'apps', way: { kind: 'stream', heartbeatMs: 25_000 } }] },
  chains: { change: ['put-item'], shared: ['put-once', 'share-once'] },
  phases: [
    {
      name: 'open',
      measured: false,
      durationSeconds: 300,
      untilSettled: true,
      rate: { kind: 'constant', ratePerSecond: 0 },
      population: [{ reader: 'apps', target: 100_000, perSecond: 1000 }],
    },
    {
      name: 'hold',
      measured: true,
      durationSeconds: 300,
      rate: { kind: 'constant', ratePerSecond: 20 },
      traffic: [
        { chain: 'change', weight: 9 },
        { chain: 'shared', weight: 1 },
      ],
    },
  ],
  thresholds: [
    { metric: 'streams_held{phase:hold}', expression: 'min>=100000' },
    { metric: 'streams_lost', expression: 'count==0' },
    { metric: 'heartbeats_missed', expression: 'count==0' },
    { metric: 'delivery_lag_ms', expression: 'p(99)<5000' },
    { metric: 'changes_lost', expression: 'count==0' },
    { metric: 'changes_duplicated', expression: 'count==0' },
    { metric: 'changes_reordered', expression: 'count==0' },
    { metric: 'changes_leaked', expression: 'count==0' },
    { metric: 'failed', expression: 'rate<0.001' },
  ],
});
