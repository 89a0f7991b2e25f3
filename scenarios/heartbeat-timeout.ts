import { defineScenario } from '#harness/scenario.ts';

/**
 * The balancer that ends what is silent for 60 s. The control asks for no heartbeat in that time and has to die, or the balancer would have proved nothing.
 * The service is told of a balancer that waits for an hour, since it would refuse the control's wish otherwise. The last phase closes some devices'
 * streams: each has to turn offline after two minutes, and none before.
 */
export default defineScenario({
  name: 'heartbeat-timeout',
  description:
    'Ten idle minutes behind a 60 s balancer, on a clock 25 times as fast: streams live by their heartbeats, the control dies at 60 s, silent devices turn offline on time.',
  clock: { scale: 25 },
  fleet: { accounts: 2, devices: 600, connection: { kind: 'per-device-group', connections: 4 }, timeoutMs: 10_000 },
  system: {
    workers: 1,
    balancer: { kind: 'model', preset: 'classic-elb', idleTimeoutMs: 60_000 },
    settings: { 'balancer-idle-timeout-ms': 3_600_000, 'presence-timeout-ms': 120_000, 'stream-age-ms': 3_600_000 },
  },
  streams: {
    users: 100,
    watchPresence: true,
    readers: [
      { name: 'beating', way: { kind: 'stream', heartbeatMs: 25_000 } },
      { name: 'control', way: { kind: 'stream', heartbeatMs: 1_200_000 } },
      { name: 'leaving', way: { kind: 'stream', heartbeatMs: 25_000 } },
    ],
  },
  chains: { change: ['put-item'] },
  phases: [
    {
      name: 'open',
      measured: false,
      durationSeconds: 300,
      untilSettled: true,
      rate: { kind: 'constant', ratePerSecond: 0 },
      population: [
        { reader: 'beating', target: 200, perSecond: 200 },
        { reader: 'leaving', target: 600, perSecond: 200 },
      ],
    },
    {
      name: 'idle',
      measured: true,
      durationSeconds: 600,
      rate: { kind: 'constant', ratePerSecond: 0 },
      population: [{ reader: 'control', target: 100, perSecond: 200 }],
    },
    {
      name: 'silence',
      measured: true,
      durationSeconds: 240,
      rate: { kind: 'constant', ratePerSecond: 0 },
      population: [
        { reader: 'leaving', target: 200, perSecond: 200 },
        { reader: 'control', target: 0, perSecond: 200 },
      ],
    },
    // What comes after ten minutes of silence has to arrive.
    { name: 'change', measured: true, durationSeconds: 100, rate: { kind: 'constant', ratePerSecond: 50 }, traffic: [{ chain: 'change', weight: 1 }] },
  ],
  thresholds: [
    { metric: 'streams_lost{reader:beating}', expression: 'count==0' },
    { metric: 'streams_lost{phase:idle,reader:control}', expression: 'count>=100' },
    { metric: 'lifetime_seconds{phase:idle,reader:control}', expression: 'min>=59' },
    { metric: 'lifetime_seconds{phase:idle,reader:control}', expression: 'p(90)<=75' },
    { metric: 'offline_after_ms{phase:silence,reader:leaving}', expression: 'min>=120000' },
    { metric: 'offline_after_ms{phase:silence,reader:leaving}', expression: 'p(99)<=150000' },
    { metric: 'changes_lost', expression: 'count==0' },
    { metric: 'changes_duplicated', expression: 'count==0' },
    { metric: 'changes_leaked', expression: 'count==0' },
  ],
});
