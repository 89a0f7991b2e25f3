import { defineScenario } from '#harness/scenario.ts';

// As small as smoke: does everything of webhooks work together? Loose on time, exact on counts.
export default defineScenario({
  name: 'webhooks-smoke',
  description: 'Some hundred registrations are told to endpoints that answer, hang, refuse and recover: does everything work together?',
  fleet: { accounts: 2, devices: 20, connection: { kind: 'per-device-group', connections: 10 }, timeoutMs: 10_000, retry: { kind: 'honour', triesMax: 20 } },
  system: {
    settings: {
      'webhook-timeout-ms': 1000,
      'webhook-schedule-ms': '0,500,500,500,500,500,500,500',
      'webhook-breaker-failures': 5,
      'webhook-breaker-ms': 1000,
    },
  },
  chains: { launch: ['register-new'] },
  webhooks: [
    { name: 'good' },
    { name: 'recovers', reaction: { kind: 'recovers', afterSeconds: 3 } },
    { name: 'hangs', reaction: { kind: 'hang' } },
    { name: 'refuses', reaction: { kind: 'status', status: 500 } },
  ],
  phases: [
    {
      name: 'load',
      measured: true,
      durationSeconds: 6,
      rate: { kind: 'constant', ratePerSecond: 40 },
      traffic: [{ chain: 'launch', weight: 1 }],
    },
  ],
  thresholds: [
    { metric: 'webhook_delay_ms{receiver:good}', expression: 'p(90)<3000' },
    { metric: 'webhooks_lost', expression: 'count==0' },
    { metric: 'webhooks_duplicated', expression: 'count==0' },
    { metric: 'webhooks_leaked', expression: 'count==0' },
    { metric: 'webhooks_unsigned', expression: 'count==0' },
    { metric: 'webhook_open_max', expression: 'max<=4' },
    { metric: 'webhook_repeats{receiver:recovers}', expression: 'count>=1' },
    { metric: 'failed', expression: 'rate<0.01' },
    { metric: 'given_up', expression: 'count==0' },
  ],
});
