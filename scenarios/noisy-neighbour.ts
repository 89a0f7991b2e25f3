import { defineScenario } from '#harness/scenario.ts';

const share = (flood: number) => [
  { chain: 'ingest', weight: 400 },
  { chain: 'neighbour', weight: flood },
];

/**
 * A partner's import sends six times what its account may, on the connections that others use too. The others must not feel it, and the partner must get what it is promised and hear when to come back:
 * 500 of its 3,000 a second.
 */
export default defineScenario({
  name: 'noisy-neighbour',
  description: 'One account sends six times its quota for 30 s: it is held to the quota, the others keep their latency, and nobody of theirs is refused.',
  fleet: {
    accounts: 4,
    devices: 2000,
    loud: { devices: 200 },
    connection: { kind: 'per-device-group', connections: 128 },
    timeoutMs: 10_000,
  },
  system: { settings: { 'account-quotas': 'ingest=500' } },
  chains: { neighbour: ['flood'] },
  phases: [
    { name: 'warm-up', measured: false, durationSeconds: 15, untilSettled: true, rate: { kind: 'constant', ratePerSecond: 400 } },
    { name: 'quiet', measured: true, durationSeconds: 15, rate: { kind: 'constant', ratePerSecond: 400 } },
    { name: 'noise', measured: true, durationSeconds: 30, rate: { kind: 'constant', ratePerSecond: 3400 }, traffic: share(3000) },
    { name: 'quiet-again', measured: true, beginsInBacklog: true, durationSeconds: 15, rate: { kind: 'constant', ratePerSecond: 400 } },
  ],
  thresholds: [
    { metric: 'response_ms{phase:noise,operation:ingest}', expression: 'p(99)<250' },
    { metric: 'failed{operation:ingest}', expression: 'rate<0.001' },
    { metric: 'shed{operation:ingest}', expression: 'rate<0.001' },
    // Held to the quota: of 90,000 arrivals 15,000 and the burst of a second or two are let in.
    { metric: 'shed{phase:noise,operation:flood}', expression: 'rate>0.8' },
    { metric: 'shed{phase:noise,operation:flood}', expression: 'rate<0.86' },
    { metric: 'recovery_seconds{phase:noise,baseline:quiet,operation:ingest}', expression: 'value<=5' },
    { metric: 'pipeline_drain_seconds', expression: 'value<=15' },
    { metric: 'events_lost', expression: 'count==0' },
    { metric: 'events_duplicated', expression: 'count==0' },
    { metric: 'events_reordered', expression: 'count==0' },
    { metric: 'conservation_error', expression: 'count==0' },
  ],
});
