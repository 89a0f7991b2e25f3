import { defineScenario } from '#harness/scenario.ts';

/**
 * The kernel hides about 4 MB of what a stopped reader does not read, so each has to be sent more than 6 MB to be noticed: two items of 40 KB a second for a hundred seconds. Who is slow and still faster than what comes stays.
 */
export default defineScenario({
  name: 'slow-readers',
  description: 'Ten readers stop reading, ten are slow, and a hundred must not feel it; who was cut has everything when it reads again.',
  fleet: { accounts: 2, devices: 40, connection: { kind: 'per-device-group', connections: 8 }, timeoutMs: 10_000 },
  system: { workers: 1 },
  streams: {
    users: 10,
    items: { keysPerUser: 5, bytes: 40_000 },
    readers: [
      { name: 'normal', way: { kind: 'stream', heartbeatMs: 5000 } },
      { name: 'slow', way: { kind: 'stream', heartbeatMs: 5000 }, pace: { kind: 'slow', bytesPerSecond: 200_000 } },
      { name: 'stopped', way: { kind: 'stream', heartbeatMs: 5000 }, pace: { kind: 'stopped' } },
    ],
  },
  chains: { change: ['put-item'] },
  phases: [
    {
      name: 'open',
      measured: false,
      durationSeconds: 30,
      untilSettled: true,
      rate: { kind: 'constant', ratePerSecond: 0 },
      population: [
        { reader: 'normal', target: 100, perSecond: 100 },
        { reader: 'slow', target: 10, perSecond: 100 },
        { reader: 'stopped', target: 10, perSecond: 100 },
      ],
    },
    { name: 'flow', measured: true, durationSeconds: 100, rate: { kind: 'constant', ratePerSecond: 20 }, traffic: [{ chain: 'change', weight: 1 }] },
  ],
  thresholds: [
    { metric: 'delivery_lag_ms{reader:normal}', expression: 'p(99)<1000' },
    { metric: 'streams_ended{reader:normal}', expression: 'count==0' },
    { metric: 'streams_ended{reader:slow}', expression: 'count==0' },
    { metric: 'system:headroom_streams_ended_total{code:slow}', expression: 'last>=10' },
    { metric: 'changes_lost', expression: 'count==0' },
    { metric: 'changes_duplicated', expression: 'count==0' },
    { metric: 'changes_reordered', expression: 'count==0' },
    { metric: 'changes_leaked', expression: 'count==0' },
    { metric: 'failed', expression: 'rate<0.001' },
  ],
});
