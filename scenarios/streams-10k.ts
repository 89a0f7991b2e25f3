import { defineScenario } from '#harness/scenario.ts';

/**
 * Ten devices a user. A user's items change every ten seconds on average and a heartbeat is asked for after five, so that both flow:
 * about 1,000 changes and as many heartbeats a second.
 */
export default defineScenario({
  name: 'streams-10k',
  description: '10,000 streams of 1,000 users held for a minute while items change, go and are shared, and heartbeats are kept.',
  fleet: { accounts: 10, devices: 10_000, connection: { kind: 'per-device-group', connections: 64 }, timeoutMs: 10_000 },
  streams: { users: 1000, readers: [{ name: 'devices', way: { kind: 'stream', heartbeatMs: 5000 } }] },
  chains: { change: ['put-item'], passing: ['put-once', 'delete-once'], shared: ['put-once', 'share-once'] },
  phases: [
    {
      name: 'open',
      measured: false,
      durationSeconds: 90,
      untilSettled: true,
      rate: { kind: 'constant', ratePerSecond: 0 },
      population: [{ reader: 'devices', target: 10_000, perSecond: 1000 }],
    },
    {
      name: 'hold',
      measured: true,
      durationSeconds: 60,
      rate: { kind: 'constant', ratePerSecond: 100 },
      traffic: [
        { chain: 'change', weight: 8 },
        { chain: 'passing', weight: 1 },
        { chain: 'shared', weight: 1 },
      ],
    },
  ],
  thresholds: [
    { metric: 'streams_held{phase:hold}', expression: 'min>=10000' },
    { metric: 'streams_lost', expression: 'count==0' },
    { metric: 'heartbeats_missed', expression: 'count==0' },
    { metric: 'delivery_lag_ms', expression: 'p(99)<1000' },
    { metric: 'hello_ms{phase:open}', expression: 'p(99)<1000' },
    { metric: 'changes_lost', expression: 'count==0' },
    { metric: 'changes_duplicated', expression: 'count==0' },
    { metric: 'changes_reordered', expression: 'count==0' },
    { metric: 'changes_leaked', expression: 'count==0' },
    { metric: 'failed', expression: 'rate<0.001' },
  ],
});
