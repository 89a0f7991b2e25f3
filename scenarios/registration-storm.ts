import { defineScenario } from '#harness/scenario.ts';

const lanes = (perSecond: number) => [
  { chain: 'ingest', weight: 200 },
  { chain: 'launch', weight: perSecond },
];

/**
 * The morning of a partner's launch: from 25 to 10,000 registrations a second in one step, each from a device that
 * nobody knows and on a connection of its own, beside devices that go on sending. The last phase is as long as the herd
 * of 100,000 may take to be in: a device that was told to wait waits.
 */
export default defineScenario({
  name: 'registration-storm',
  description:
    '400 times the registrations of the day before in one step, each on a new connection: ingest keeps its budget, and everybody is registered in the end.',
  fleet: {
    accounts: 4,
    devices: 2000,
    connection: { kind: 'per-request', openMax: 8000 },
    timeoutMs: 10_000,
    retry: { kind: 'honour', triesMax: 100 },
  },
  chains: { launch: ['register-new'] },
  phases: [
    { name: 'warm-up', measured: false, durationSeconds: 10, rate: { kind: 'constant', ratePerSecond: 225 }, traffic: lanes(25) },
    { name: 'quiet', measured: true, durationSeconds: 15, rate: { kind: 'constant', ratePerSecond: 225 }, traffic: lanes(25) },
    { name: 'storm', measured: true, durationSeconds: 10, rate: { kind: 'constant', ratePerSecond: 10_200 }, traffic: lanes(10_000) },
    { name: 'aftermath', measured: true, beginsInBacklog: true, durationSeconds: 90, rate: { kind: 'constant', ratePerSecond: 225 }, traffic: lanes(25) },
  ],
  thresholds: [
    { metric: 'response_ms{phase:storm,operation:ingest}', expression: 'p(99)<250' },
    { metric: 'failed{operation:ingest}', expression: 'rate<0.001' },
    { metric: 'shed{operation:ingest}', expression: 'rate<0.001' },
    { metric: 'given_up{operation:register-new}', expression: 'count==0' },
    { metric: 'recovery_seconds{phase:storm,baseline:quiet,operation:ingest}', expression: 'value<=30' },
    { metric: 'events_lost', expression: 'count==0' },
    { metric: 'events_duplicated', expression: 'count==0' },
    { metric: 'conservation_error', expression: 'count==0' },
  ],
});
