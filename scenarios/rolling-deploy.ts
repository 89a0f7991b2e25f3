import { defineScenario } from '#harness/scenario.ts';

/** Each worker says its goodbyes over five seconds, so a deploy of two moves 2,000 streams at about 200 a second, and no second may see a herd. */
export default defineScenario({
  name: 'rolling-deploy',
  description: 'Two workers are drained and replaced one after another under load: nothing is lost, no stream is cut, and nobody comes back as a herd.',
  fleet: { accounts: 4, devices: 2000, connection: { kind: 'per-device-group', connections: 32 }, timeoutMs: 10_000 },
  system: { workers: 2, settings: { 'drain-window-ms': 5000 } },
  streams: { users: 200, readers: [{ name: 'devices', way: { kind: 'stream', heartbeatMs: 5000 } }] },
  chains: { change: ['put-item'], shared: ['put-once', 'share-once'] },
  faults: [{ kind: 'restart-workers', phase: 'deploy', atSeconds: 5 }],
  phases: [
    {
      name: 'open',
      measured: false,
      durationSeconds: 60,
      untilSettled: true,
      rate: { kind: 'constant', ratePerSecond: 0 },
      population: [{ reader: 'devices', target: 2000, perSecond: 500 }],
    },
    {
      name: 'deploy',
      measured: true,
      durationSeconds: 45,
      rate: { kind: 'constant', ratePerSecond: 100 },
      traffic: [
        { chain: 'change', weight: 9 },
        { chain: 'shared', weight: 1 },
      ],
    },
  ],
  thresholds: [
    { metric: 'failed', expression: 'count==0' },
    { metric: 'streams_lost', expression: 'count==0' },
    { metric: 'streams_ended', expression: 'count>=2000' },
    { metric: 'streams_dialled{phase:deploy}', expression: 'max<=600' },
    { metric: 'resume_ms', expression: 'p(99)<10000' },
    { metric: 'changes_lost', expression: 'count==0' },
    { metric: 'changes_duplicated', expression: 'count==0' },
    { metric: 'changes_reordered', expression: 'count==0' },
    { metric: 'changes_leaked', expression: 'count==0' },
  ],
});
