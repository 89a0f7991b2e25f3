import { defineScenario } from '#harness/scenario.ts';

const change = [{ chain: 'change', weight: 1 }];

/** The same drop twice: once on a herd that follows the reference client's law, once on one that waits without jitter and comes back as one. */
export default defineScenario({
  name: 'reconnect-storm',
  description: 'The balancer resets 4,000 streams at once, twice: the herd comes back with jitter, then without, and no change is lost.',
  fleet: { accounts: 4, devices: 4000, connection: { kind: 'per-device-group', connections: 16 }, timeoutMs: 10_000 },
  system: { workers: 1, balancer: { kind: 'model', preset: 'classic-elb' } },
  streams: {
    users: 400,
    readers: [
      { name: 'jittered', way: { kind: 'stream', heartbeatMs: 5000 } },
      { name: 'unjittered', way: { kind: 'stream', heartbeatMs: 5000 }, reconnect: { jitter: 'none' } },
    ],
  },
  chains: { change: ['put-item'] },
  faults: [
    { kind: 'drop-connections', how: 'rst', phase: 'storm', atSeconds: 3 },
    { kind: 'drop-connections', how: 'rst', phase: 'storm-without-jitter', atSeconds: 3 },
  ],
  phases: [
    {
      name: 'open',
      measured: false,
      durationSeconds: 60,
      untilSettled: true,
      rate: { kind: 'constant', ratePerSecond: 0 },
      population: [{ reader: 'jittered', target: 4000, perSecond: 800 }],
    },
    { name: 'storm', measured: true, durationSeconds: 30, rate: { kind: 'constant', ratePerSecond: 40 }, traffic: change },
    {
      name: 'change-herds',
      measured: false,
      durationSeconds: 60,
      untilSettled: true,
      rate: { kind: 'constant', ratePerSecond: 0 },
      population: [
        { reader: 'jittered', target: 0, perSecond: 2000 },
        { reader: 'unjittered', target: 4000, perSecond: 800 },
      ],
    },
    { name: 'storm-without-jitter', measured: true, durationSeconds: 30, rate: { kind: 'constant', ratePerSecond: 40 }, traffic: change },
  ],
  thresholds: [
    { metric: 'resume_ms{phase:storm}', expression: 'p(99)<15000' },
    { metric: 'resume_ms{phase:storm-without-jitter}', expression: 'p(99)<30000' },
    { metric: 'streams_lost{phase:storm}', expression: 'count>=4000' },
    { metric: 'changes_lost', expression: 'count==0' },
    { metric: 'changes_duplicated', expression: 'count==0' },
    { metric: 'changes_reordered', expression: 'count==0' },
    { metric: 'changes_leaked', expression: 'count==0' },
  ],
});
