import { defineScenario } from '#harness/scenario.ts';

// As small as smoke: does everything of streams work together? Loose on time, exact on counts.
export default defineScenario({
  name: 'streams-smoke',
  description: '200 streams of 20 users, changes, deletes and shares for some seconds: does everything work together?',
  fleet: { accounts: 2, devices: 100, connection: { kind: 'per-device-group', connections: 10 }, timeoutMs: 10_000 },
  streams: { users: 20, watchPresence: true, readers: [{ name: 'devices', way: { kind: 'stream', heartbeatMs: 1000 } }] },
  chains: { change: ['put-item'], passing: ['put-once', 'delete-once'], shared: ['put-once', 'share-once'] },
  phases: [
    {
      name: 'open',
      measured: false,
      durationSeconds: 20,
      untilSettled: true,
      rate: { kind: 'constant', ratePerSecond: 0 },
      population: [{ reader: 'devices', target: 200, perSecond: 200 }],
    },
    {
      name: 'hold',
      measured: true,
      durationSeconds: 6,
      rate: { kind: 'constant', ratePerSecond: 40 },
      traffic: [
        { chain: 'change', weight: 6 },
        { chain: 'passing', weight: 2 },
        { chain: 'shared', weight: 2 },
      ],
    },
  ],
  thresholds: [
    { metric: 'streams_held{phase:hold}', expression: 'min>=200' },
    { metric: 'streams_lost', expression: 'count==0' },
    { metric: 'delivery_lag_ms', expression: 'p(50)<2000' },
    { metric: 'changes_lost', expression: 'count==0' },
    { metric: 'changes_duplicated', expression: 'count==0' },
    { metric: 'changes_reordered', expression: 'count==0' },
    { metric: 'changes_leaked', expression: 'count==0' },
    { metric: 'failed', expression: 'rate<0.01' },
  ],
});
