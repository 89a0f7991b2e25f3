import { defineScenario } from '#harness/scenario.ts';

const lanes = (perSecond: number) => [
  { chain: 'ingest', weight: 100 },
  { chain: 'launch', weight: perSecond },
];

/**
 * Every registration is told to nine endpoints of its account: two that take it, and seven that answer late, hang, reset, refuse or come back in the middle of the storm. In the
 * storm there are a hundred times the registrations of the quiet phase. An attempt at who hangs takes as long as the service lets it, so each of them could take a place for ever;
 * what is judged is that those who take their events feel nothing of it, and that nothing of the others is silently gone.
 */
export default defineScenario({
  name: 'webhook-storm',
  description:
    '100 times the registrations, told to endpoints of which most hang, reset, refuse or are slow: the others are told in time, and nothing is lost.',
  fleet: {
    accounts: 6,
    devices: 600,
    connection: { kind: 'per-device-group', connections: 100 },
    timeoutMs: 10_000,
    retry: { kind: 'honour', triesMax: 50 },
  },
  system: {
    settings: {
      'webhook-endpoint-attempts-max': 4,
      'webhook-timeout-ms': 5000,
      'webhook-schedule-ms': '0,2000,4000,8000,8000,8000,8000,8000',
      'webhook-breaker-failures': 10,
      'webhook-breaker-ms': 1000,
    },
  },
  chains: { launch: ['register-new'] },
  webhooks: [
    { name: 'good', endpointsPerAccount: 2 },
    { name: 'slow', reaction: { kind: 'slow', ms: 1500 } },
    { name: 'hangs', endpointsPerAccount: 3, reaction: { kind: 'hang' } },
    { name: 'resets', reaction: { kind: 'cut' } },
    { name: 'refuses', reaction: { kind: 'status', status: 503, retryAfterSeconds: 2 } },
    { name: 'recovers', reaction: { kind: 'recovers', afterSeconds: 40 } },
  ],
  phases: [
    { name: 'warm-up', measured: false, durationSeconds: 8, rate: { kind: 'constant', ratePerSecond: 103 }, traffic: lanes(3) },
    { name: 'quiet', measured: true, durationSeconds: 15, rate: { kind: 'constant', ratePerSecond: 103 }, traffic: lanes(3) },
    { name: 'storm', measured: true, durationSeconds: 20, rate: { kind: 'constant', ratePerSecond: 400 }, traffic: lanes(300) },
    { name: 'aftermath', measured: true, beginsInBacklog: true, durationSeconds: 25, rate: { kind: 'constant', ratePerSecond: 103 }, traffic: lanes(3) },
  ],
  thresholds: [
    { metric: 'webhook_delay_ms{phase:storm,receiver:good}', expression: 'p(99)<1000' },
    { metric: 'webhook_delay_ms{phase:quiet,receiver:good}', expression: 'med<250' },
    { metric: 'webhooks_lost', expression: 'count==0' },
    { metric: 'webhooks_duplicated', expression: 'count==0' },
    { metric: 'webhooks_leaked', expression: 'count==0' },
    { metric: 'webhooks_unsigned', expression: 'count==0' },
    { metric: 'webhook_open_max', expression: 'max<=4' },
    { metric: 'response_ms{phase:storm,operation:ingest}', expression: 'p(99)<250' },
    { metric: 'response_ms{phase:storm,operation:register-new}', expression: 'p(99)<1000' },
    { metric: 'failed', expression: 'rate<0.001' },
    { metric: 'given_up', expression: 'count==0' },
    { metric: 'events_lost', expression: 'count==0' },
  ],
});
