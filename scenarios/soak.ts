import { defineScenario } from '#harness/scenario.ts';

/** What an ordinary hour mixes: batches of devices that move, walk and stand, some with a wrong clock; look-ups, new registrations and old ones, items that listeners follow. */
const mixed = [
  { chain: 'ingest', weight: 150 },
  { chain: 'look', weight: 60 },
  { chain: 'again', weight: 15 },
  { chain: 'launch', weight: 5 },
  { chain: 'change', weight: 40 },
  { chain: 'passing', weight: 10 },
  { chain: 'shared', weight: 10 },
];

/** Four hours of the scenario in ten minutes: heartbeats, timeouts and pauses pass 24 times as fast, rates stay. `--full-time` takes the four hours. */
export default defineScenario({
  name: 'soak',
  description: 'Everything at once, long: memory and descriptors stay where they are, nothing is lost, and the last minutes are as fast as the first.',
  clock: { scale: 24 },
  fleet: {
    accounts: 4,
    devices: 1200,
    connection: { kind: 'per-device-group', connections: 64 },
    eventsPerBatch: 3,
    timeoutMs: 10_000,
    motion: { walking: 0.25, still: 0.2 },
    clock: { wrong: 0.05, aheadMs: 7_200_000 },
  },
  streams: {
    users: 1200,
    readers: [
      { name: 'devices', way: { kind: 'stream', heartbeatMs: 240_000 } },
      { name: 'pages', way: { kind: 'stream', heartbeatMs: 240_000, as: 'sse' } },
      { name: 'subscribers', way: { kind: 'stream', heartbeatMs: 240_000, as: 'graphql' } },
    ],
  },
  chains: {
    look: ['location'],
    again: ['register'],
    launch: ['register-new'],
    change: ['put-item'],
    passing: ['put-once', 'delete-once'],
    shared: ['put-once', 'share-once'],
  },
  phases: [
    {
      name: 'open',
      measured: false,
      durationSeconds: 720,
      rate: { kind: 'constant', ratePerSecond: 290 },
      traffic: mixed,
      population: [
        { reader: 'devices', target: 400, perSecond: 60 },
        { reader: 'pages', target: 100, perSecond: 20 },
        { reader: 'subscribers', target: 100, perSecond: 20 },
      ],
    },
    { name: 'day', measured: true, durationSeconds: 14_400, rate: { kind: 'constant', ratePerSecond: 290 }, traffic: mixed },
  ],
  thresholds: [
    { metric: 'memory_growth{process:system}', expression: 'value<=1.25' },
    { metric: 'descriptors_growth{process:system}', expression: 'value<=1.1' },
    { metric: 'memory_growth{process:generator}', expression: 'value<=1.5' },
    { metric: 'descriptors_growth{process:generator}', expression: 'value<=1.1' },
    { metric: 'response_ms', expression: 'p(99)<250 over 60s' },
    { metric: 'failed', expression: 'rate<0.001' },
    // From its tenth minute on a stream ends by its age, and is back within three seconds: a few of the 600 are always on their way.
    { metric: 'streams_held{phase:day}', expression: 'min>=580' },
    { metric: 'heartbeats_missed', expression: 'count==0' },
    { metric: 'events_lost', expression: 'count==0' },
    { metric: 'events_duplicated', expression: 'count==0' },
    { metric: 'events_reordered', expression: 'count==0' },
    { metric: 'changes_lost', expression: 'count==0' },
    { metric: 'changes_duplicated', expression: 'count==0' },
    { metric: 'changes_leaked', expression: 'count==0' },
    { metric: 'conservation_error', expression: 'count==0' },
  ],
});
