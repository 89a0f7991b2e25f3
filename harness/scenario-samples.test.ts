import { describe, expect, test } from 'vitest';
import { operations } from '#harness/target/operations.ts';
import type { Scenario } from './scenario.ts';
import { loadScenario, scenarioNames } from './scenario-load.ts';
import { parseScenario } from './scenario-parse.ts';

const context = { source: 'mine.ts', operations: operations.map(({ name }) => name) };
const constant = (ratePerSecond: number) => ({ kind: 'constant', ratePerSecond }) as const;
const launch = [{ chain: 'launch', weight: 1 }];

const requests: Scenario = {
  name: 'mine',
  description: '',
  fleet: { accounts: 1, devices: 10, connection: { kind: 'per-device-group', connections: 2 } },
  chains: { launch: ['authenticate', 'ingest'], idle: ['location'] },
  phases: [
    { name: 'calm', measured: true, durationSeconds: 5, rate: constant(10) },
    { name: 'launch', measured: true, durationSeconds: 5, rate: constant(10), traffic: launch },
    { name: 'silence', measured: true, durationSeconds: 5, rate: constant(0) },
  ],
  thresholds: [],
};
const streams: Scenario = {
  ...requests,
  streams: { users: 2, readers: [{ name: 'apps' }, { name: 'nobody' }] },
  phases: requests.phases.map((phase) => ({ ...phase, population: [{ reader: 'apps', target: 5, perSecond: 5 }] })),
};

function complaintsOf(scenario: Scenario, metric: string, expression: string): readonly string[] {
  const parsed = parseScenario({ ...scenario, thresholds: [{ metric, expression }] }, context);
  return parsed.kind === 'ok' ? [] : parsed.errors.map(({ path, message }) => `${path}: ${message}`);
}

describe('a threshold that could never have a sample is refused before the run', () => {
  test.each<[string, Scenario, string, string, string]>([
    ['an operation of no chain', requests, 'failed{operation:put-item}', 'rate<0.1', 'no chain that is driven in the measured phases has "put-item"'],
    ['one of a chain without traffic', requests, 'service_ms{operation:location}', 'p(99)<9', 'has "location"'],
    [
      'one of another phase',
      requests,
      'service_ms{phase:calm,operation:authenticate}',
      'p(99)<9',
      'no chain that is driven in the phase "calm" has "authenticate"',
    ],
    ['the response of a later step', requests, 'response_ms{phase:launch,operation:ingest}', 'p(99)<9', 'never the first of a chain'],
    ['a phase without arrivals', requests, 'failed{phase:silence}', 'rate<0.1', 'no arrival is planned in the phase "silence"'],
    ['recovery after it', requests, 'recovery_seconds{phase:silence,baseline:calm}', 'value<=9', 'no arrival is planned'],
    ['recovery to it', requests, 'recovery_seconds{phase:launch,baseline:silence}', 'value<=9', 'no arrival is planned'],
    ['processor time of it', requests, 'cpu_micros_per_request{process:system,phase:silence}', 'value<9', 'no arrival is planned'],
    ['streams where there are none', requests, 'streams_lost', 'count==0', 'the scenario has no streams'],
    ['changes where nobody reads', requests, 'changes_lost', 'count==0', 'the scenario has no streams'],
    ['processor time a frame without streams', requests, 'cpu_micros_per_frame{process:system}', 'value<9', 'the scenario has no streams'],
    ['a reader of whom there are none', streams, 'hello_ms{reader:nobody}', 'p(99)<9', 'no phase has a population of "nobody"'],
    ['webhooks without receivers', requests, 'webhook_delay_ms', 'p(99)<9', 'the scenario has no receivers of webhooks'],
  ])('%s', (_, scenario, metric, expression, reason) => {
    expect(complaintsOf(scenario, metric, expression)).toEqual([expect.stringContaining(reason)]);
    expect(complaintsOf(scenario, metric, expression)[0]).toMatch(/^thresholds\[0\]\.metric: /);
  });

  test('a rate of 0 throughout', () => {
    const silent = { ...requests, phases: requests.phases.map((phase) => ({ ...phase, rate: constant(0) })) };
    expect(complaintsOf(silent, 'failed', 'rate<0.1')).toEqual([expect.stringContaining('no arrival is planned in the measured phases')]);
  });
});

test.each([
  [requests, 'failed', 'rate<0.1'],
  [requests, 'response_ms{operation:ingest}', 'p(99)<9'],
  [requests, 'service_ms{phase:launch,operation:ingest}', 'p(99)<9'],
  [requests, 'chain_ms{phase:launch,operation:ingest}', 'p(99)<9'],
  [requests, 'events_lost', 'count==0'],
  [requests, 'system:headroom_events_pending', 'last==0'],
  [streams, 'hello_ms', 'p(99)<9'],
  [streams, 'streams_held{phase:silence,reader:apps}', 'min>=5'],
] as const)('%# what can have samples is not refused', (scenario, metric, expression) => {
  expect(complaintsOf(scenario, metric, expression)).toEqual([]);
});

test.each(scenarioNames())('%s asks for nothing that it cannot measure', async (name) => {
  const loaded = await loadScenario(name);
  const parsed = parseScenario(loaded.kind === 'ok' ? loaded.value : undefined, context);
  expect(parsed.kind === 'ok' ? [] : parsed.errors).toEqual([]);
});
