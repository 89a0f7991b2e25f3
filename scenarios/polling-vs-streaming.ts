import { defineScenario } from '#harness/scenario.ts';

const change = [{ chain: 'change', weight: 1 }];
const rate = { kind: 'constant', ratePerSecond: 50 } as const;

/** The same devices and the same rate of changes, first listening and then asking every five seconds: the comparison of 2014 made again. */
export default defineScenario({
  name: 'polling-vs-streaming',
  description: '1,000 devices learn of the same changes by streams, and then by asking every 5 s: requests, bytes, processor time and delay side by side.',
  fleet: { accounts: 2, devices: 1000, connection: { kind: 'per-device-group', connections: 16 }, timeoutMs: 10_000 },
  system: { workers: 1 },
  streams: {
    users: 500,
    readers: [
      { name: 'streaming', channels: ['sync:trips'], way: { kind: 'stream', heartbeatMs: 25_000 } },
      { name: 'polling', channels: ['sync:trips'], way: { kind: 'poll', everySeconds: 5 } },
    ],
  },
  chains: { change: ['put-item'] },
  phases: [
    {
      name: 'open-streams',
      measured: false,
      durationSeconds: 30,
      untilSettled: true,
      rate: { kind: 'constant', ratePerSecond: 0 },
      population: [{ reader: 'streaming', target: 1000, perSecond: 500 }],
    },
    { name: 'streams', measured: true, durationSeconds: 30, rate, traffic: change },
    {
      name: 'open-polls',
      measured: false,
      durationSeconds: 30,
      untilSettled: true,
      rate: { kind: 'constant', ratePerSecond: 0 },
      population: [
        { reader: 'streaming', target: 0, perSecond: 1000 },
        { reader: 'polling', target: 1000, perSecond: 200 },
      ],
    },
    { name: 'polls', measured: true, durationSeconds: 30, rate, traffic: change },
  ],
  thresholds: [
    { metric: 'delivery_lag_ms{phase:streams}', expression: 'p(99)<1000' },
    { metric: 'delivery_lag_ms{phase:polls}', expression: 'p(99)<6000' },
    { metric: 'streams_lost{reader:streaming}', expression: 'count==0' },
    { metric: 'changes_lost', expression: 'count==0' },
    { metric: 'changes_duplicated', expression: 'count==0' },
    { metric: 'changes_leaked', expression: 'count==0' },
    { metric: 'failed', expression: 'rate<0.001' },
  ],
});
