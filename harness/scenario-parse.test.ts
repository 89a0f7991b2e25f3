import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { operations } from '#harness/target/operations.ts';
import { defineScenario, type Scenario } from './scenario.ts';
import { loadScenario, scenarioNames } from './scenario-load.ts';
import { applyOverrides } from './scenario-overrides.ts';
import { formatScenarioErrors, parseScenario } from './scenario-parse.ts';

const context = { source: 'mine.ts', operations: ['ingest', 'authenticate', 'put-item', 'flood', 'register-new'] };
const good: Scenario = defineScenario({
  name: 'mine',
  description: '',
  fleet: { accounts: 1, devices: 10, connection: { kind: 'per-device-group', connections: 2 } },
  chains: { launch: ['authenticate', 'ingest'] },
  phases: [
    { name: 'warm-up', measured: false, untilSettled: true, durationSeconds: 5, rate: { kind: 'ramp', fromPerSecond: 1, toPerSecond: 10 } },
    {
      name: 'spike',
      measured: true,
      durationSeconds: 10,
      rate: { kind: 'constant', ratePerSecond: 10 },
      spacing: 'uniform',
      traffic: [
        { chain: 'launch', weight: 1 },
        { chain: 'ingest', weight: 3 },
      ],
    },
  ],
  thresholds: [{ metric: 'response_ms{phase:spike}', expression: 'p(99)<250', abort: true }],
});

const lines = (value: unknown): readonly string[] => {
  const parsed = parseScenario(value, context);
  return parsed.kind === 'ok' ? [] : parsed.errors.map((error) => `${error.path}: ${error.message}`);
};
function overridden(value: unknown, overrides: readonly string[]): unknown {
  const applied = applyOverrides(value, overrides);
  if (applied.kind === 'errors') throw new Error(applied.errors.map((error) => `${error.path}: ${error.message}`).join('\n'));
  return applied.value;
}
const withSet = (...overrides: readonly string[]): unknown => overridden(good, overrides);
/** The good one with accounts of two and one reader, changed. */
function withStreams(changes: object, ...overrides: readonly string[]): unknown {
  const streams = { users: 4, readers: [{ name: 'apps' }], ...changes };
  return withSet('fleet.accounts=2', `streams=${JSON.stringify(streams)}`, ...overrides);
}

/** The good one with receivers of webhooks. */
const withWebhooks = (webhooks: readonly object[], ...overrides: readonly string[]): unknown => ({ ...(withSet(...overrides) as object), webhooks });

const parseableLaunch = (chain: readonly string[]): unknown => ({ ...good, chains: { ...good.chains, new: chain }, webhooks: [{ name: 'good' }] });

test('think times are checked: where they stand, and in themselves', () => {
  const chain = (...steps: readonly unknown[]): readonly string[] => lines({ ...good, chains: { launch: steps } });
  const thought = (thinkTime: object) => ({ operation: 'ingest', thinkTime });
  expect(chain('authenticate', thought({ kind: 'fixed', ms: 500 }), thought({ kind: 'uniform', fromMs: 5, untilMs: 5 }))).toEqual([]);
  expect(chain(thought({ kind: 'fixed', ms: 500 }), 'authenticate')).toEqual([
    expect.stringMatching(/^chains\.launch\[0\]\.thinkTime: stands before .*first step/),
  ]);
  expect(chain('authenticate', thought({ kind: 'uniform', fromMs: 9, untilMs: 5 }))).toEqual([
    'chains.launch[1].thinkTime.untilMs: must not be less than fromMs (9)',
  ]);
  expect(chain('authenticate', thought({ kind: 'uniformly' }))).toEqual([
    expect.stringMatching(/^chains\.launch\[1\]\.thinkTime\.kind: is unknown: .*"uniform"/),
  ]);
  expect(chain('authenticate', thought({ kind: 'fixed', ms: 0 }))).toEqual([expect.stringMatching(/^chains\.launch\[1\]\.thinkTime\.ms: /)]);
  expect(chain('authenticate', { ...thought({ kind: 'fixed', ms: 5 }), operation: 'ingst' })).toEqual([
    expect.stringContaining('there is no operation "ingst"'),
  ]);
  expect(chain('authenticate', 5)).toEqual(['chains.launch[1]: must be a string or object, not 5']);
});

test('receivers of webhooks are checked, and can be named by thresholds', () => {
  const threshold = ['thresholds[0].metric=webhooks_lost{receiver:good}', 'thresholds[0].expression=count==0'];
  expect(lines(withWebhooks([{ name: 'good' }, { name: 'slow', reaction: { kind: 'slow', ms: 500 } }], ...threshold))).toEqual([]);
  expect(lines(withWebhooks([{ name: 'god' }], ...threshold))).toEqual([expect.stringContaining('unknown receiver "good"; did you mean "god"?')]);
  expect(lines(withSet(...threshold))).toEqual([expect.stringContaining('unknown receiver "good"')]);
});

test('a right scenario comes back with its thresholds parsed', () => {
  const parsed = parseScenario(good, context);
  expect(parsed).toMatchObject({ kind: 'ok', scenario: good, thresholds: [{ limit: 250, abort: true, selector: { phase: 'spike' } }] });
});

describe('what is wrong is said with its place', () => {
  test.each<[string, unknown, string]>([
    ['no object', 5, ': must be an object, not 5'],
    ['a typo in a property', { ...good, flet: {} }, 'flet: is unknown; did you mean "fleet"?'],
    ['a missing property', { ...good, name: undefined }, 'name: is missing'],
    ['a bad name', { ...good, name: 'My Scenario' }, 'name: must match pattern'],
    ['an unknown kind', withSet('phases[1].rate={"kind":"constnt","ratePerSecond":1}'), 'phases[1].rate.kind: is unknown: "constnt"; did you mean "constant"?'],
    ['no kind', withSet('phases[1].rate={}'), 'phases[1].rate.kind: is missing: one of constant, ramp, step, spike'],
    ['a branch with a missing property', withSet('phases[1].rate={"kind":"ramp","fromPerSecond":1}'), 'phases[1].rate.toPerSecond: is missing'],
    ['a word of a list', withSet('phases.spike.spacing=even'), 'phases[1].spacing: must be one of poisson, uniform, not "even"'],
    ['a text for a number', withSet('fleet.devices=many'), 'fleet.devices: must be integer, not "many"'],
    ['a number out of its range', withSet('fleet.devices=0'), 'fleet.devices: must be >= 1, not 0'],
    ['no number', { ...good, phases: [{ ...good.phases[1], durationSeconds: Number.NaN }] }, 'phases[0].durationSeconds: must be a finite number'],
    ['an empty list', { ...good, thresholds: [] }, 'thresholds: must have at least 1'],
    ['no list', { ...good, phases: {} }, 'phases: must be a list, not {}'],
    ['an unknown operation', withSet('chains.launch=["autenticate"]'), 'chains.launch[0]: there is no operation "autenticate"; did you mean "authenticate"?'],
    ['an unknown chain', withSet('phases.spike.traffic[0].chain=lunch'), 'phases[1].traffic[0].chain: there is no chain "lunch"; did you mean "launch"?'],
    ['a phase twice', withSet('phases[0].name=spike'), 'phases[1].name: "spike" is the name of phases[0] too'],
    ['untilSettled and measured', withSet('phases.spike.untilSettled=true'), 'phases[1].untilSettled: is only for unmeasured phases'],
    ['nothing measured', withSet('phases.spike.measured=false'), 'phases: none is measured'],
    [
      'a spike outside',
      withSet('phases.spike.rate={"kind":"spike","basePerSecond":1,"peakPerSecond":2,"fromSeconds":2,"untilSeconds":11}'),
      'phases[1].rate.untilSeconds: must lie inside',
    ],
    [
      'a spike that ends first',
      withSet('phases.spike.rate={"kind":"spike","basePerSecond":1,"peakPerSecond":2,"fromSeconds":5,"untilSeconds":4}'),
      'phases[1].rate.untilSeconds: must be after',
    ],
    [
      'steps in disorder',
      withSet('phases.spike.rate={"kind":"step","steps":[{"atSeconds":3,"ratePerSecond":1},{"atSeconds":2,"ratePerSecond":1}]}'),
      'phases[1].rate.steps[1].atSeconds: must be after',
    ],
    ['too many arrivals', withSet('phases.spike.durationSeconds=1001', 'phases.spike.rate.ratePerSecond=100000'), 'phases: they plan 100,100,028 arrivals'],
    ['more accounts than devices', withSet('fleet.accounts=11'), 'fleet.accounts: must not be more'],
    [
      'a flood and nobody loud',
      withSet('chains={"noise":["flood"]}', 'phases.spike.traffic=[{"chain":"noise","weight":1}]'),
      'chains.noise: "flood" sends as a loud',
    ],
    ['somebody loud and no flood', withSet('fleet.loud={"devices":5}'), 'fleet.loud: is there, and no chain has "flood"'],
    ['a flood within a chain', withSet('fleet.loud={"devices":5}', 'chains.launch=["authenticate","flood"]'), 'chains.launch: "flood" has to be alone'],
    ['more than all devices moving', withSet('fleet.motion={"walking":0.7,"still":0.5}'), 'fleet.motion: walking and still are shares'],
    ['good later than given up', withSet('fleet.timeoutMs=100', 'fleet.goodWithinMs=200'), 'fleet.goodWithinMs: must not be more'],
    [
      'good later than given up where nothing is said',
      withSet('fleet.goodWithinMs=10001'),
      'fleet.goodWithinMs: must not be more than fleet.timeoutMs (10000)',
    ],
    [
      'a threshold on a phase that is not there',
      withSet('thresholds[0].metric=response_ms{phase:spiek}'),
      'thresholds[0].metric: \nresponse_ms{phase:spiek}\n                  ^ unknown phase',
    ],
    [
      'a baseline that is not there',
      withSet('thresholds[0].metric=recovery_seconds{phase:spike,baseline:clam}', 'thresholds[0].expression=value<5'),
      'thresholds[0].metric: \n',
    ],
    ['items without users', withSet('chains.change=["put-item"]'), 'chains.change: writes items, and items belong to users'],
    [
      'a fault in a phase that is not there',
      withSet('faults=[{"kind":"kill-worker","phase":"spiek","atSeconds":1}]'),
      'faults[0].phase: there is no phase "spiek"',
    ],
    ['a fault behind the end', withSet('faults=[{"kind":"kill-worker","phase":"spike","atSeconds":9999}]'), 'faults[0].atSeconds: must lie inside'],
    ['a drop without a balancer', withSet('faults=[{"kind":"drop-connections","how":"rst","phase":"spike","atSeconds":1}]'), 'faults: '],
    [
      'a setting that is no value',
      withSet('system={"settings":{"drain-window-ms":[1]}}'),
      'system.settings.drain-window-ms: must be a string or number or boolean',
    ],
    [
      'a population of nobody',
      withSet('phases.spike.population=[{"reader":"apps","target":1,"perSecond":1}]'),
      'phases[1].population[0].reader: there is no reader "apps"',
    ],
    ['two receivers of a name', withWebhooks([{ name: 'good' }, { name: 'good' }]), 'webhooks[1].name: "good" is the name of webhooks[0] too'],
    [
      'events of which nobody is told',
      withWebhooks([{ name: 'good', events: ['device.registered', 'device.registred'] }]),
      'webhooks[0].events[1]: nobody is told of "device.registred"; did you mean "device.registered"?',
    ],
    [
      'more endpoints than an account has',
      withWebhooks([
        { name: 'good', endpointsPerAccount: 12 },
        { name: 'slow', endpointsPerAccount: 9 },
      ]),
      'webhooks: an account has at most 20 endpoints, and these would be 21',
    ],
    ['a reaction that is none', withWebhooks([{ name: 'good', reaction: { kind: 'hangs' } }]), 'webhooks[0].reaction.kind: is unknown: "hangs"'],
    ['a good answer by its status', withWebhooks([{ name: 'good', reaction: { kind: 'status', status: 200 } }]), 'webhooks[0].reaction.status: must be >= 300'],
    [
      'a launch that goes on',
      parseableLaunch(['register-new', 'ingest']),
      'chains.new: registers a device and does more: whether its webhook is due is known of "register-new" alone',
    ],
    ['users that are not whole', withStreams({ users: 3 }), 'streams.users: must be a multiple of fleet.accounts (2)'],
    ['more users than devices', withStreams({ users: 2000 }), 'streams.users: must not be more than fleet.devices'],
    ['presence of whom', withStreams({ credential: 'user', watchPresence: true }), 'streams.watchPresence: needs credential "device"'],
    [
      'two readers of one name',
      withStreams({ readers: [{ name: 'apps' }, { name: 'apps' }] }),
      'streams.readers[1].name: "apps" is the name of readers[0] too',
    ],
    [
      'a poll of two channels',
      withStreams({ readers: [{ name: 'apps', way: { kind: 'poll', everySeconds: 5 }, channels: ['sync:a', 'inbox'] }] }),
      'streams.readers[0].channels: a poll asks for one collection',
    ],
    [
      'a threshold on a reader that is not there',
      withStreams({}, 'thresholds[0].metric=streams_lost{reader:aps}', 'thresholds[0].expression=count==0'),
      'unknown reader "aps"; did you mean "apps"?',
    ],
    ['a threshold that cannot be read', withSet('thresholds[0].expression=p(99)'), 'thresholds[0].expression: \np(99)\n     ^ expected one of'],
  ])('%s', (_, value, expected) => {
    expect(lines(value).join('\n')).toContain(expected);
    expect(lines(value).length).toBe(1);
  });

  test('several at once, printed under the name of the file', () => {
    const parsed = parseScenario(withSet('fleet.devices=0', 'fleet.accounts=0'), context);
    expect(parsed.kind === 'errors' && formatScenarioErrors(parsed)).toBe(
      'mine.ts is not a scenario that can be run:\n  fleet.accounts: must be >= 1, not 0\n  fleet.devices: must be >= 1, not 0',
    );
  });

  test('any value is answered, never thrown at', () => {
    fc.assert(fc.property(fc.jsonValue(), (value) => lines(value).length > 0));
    fc.assert(fc.property(fc.constantFrom(...Object.keys(good)), fc.jsonValue(), (key, value) => Array.isArray(lines({ ...good, [key]: value }))));
  });
});

describe('overrides', () => {
  test('by name, by index, as JSON, as text, and into what was left out; the original stays', () => {
    const before = structuredClone(good);
    expect(
      withSet('phases.spike.rate.ratePerSecond=500', 'phases[0].durationSeconds=1', 'thresholds.0.expression=p(50)<5', 'system.workers=2', 'name=other'),
    ).toMatchObject({
      name: 'other',
      system: { workers: 2 },
      phases: [{ durationSeconds: 1 }, { rate: { kind: 'constant', ratePerSecond: 500 } }],
      thresholds: [{ expression: 'p(50)<5' }],
    });
    expect(good).toEqual(before);
    expect(lines(withSet('fleet.timeoutMs=500'))).toEqual([]);
  });

  test.each([
    ['fleet.devises=5', 'fleet.devises: there is no fleet.devises; did you mean "devices"?'],
    ['flet.devices=5', 'flet.devices: there is no flet; did you mean "fleet"?'],
    ['phases.spik.measured=true', 'phases.spik.measured: there is no phases.spik; did you mean "spike"?'],
    ['phases[7].measured=true', 'phases[7].measured: there is no phases.7; there is warm-up, spike'],
    ['phases.spike.rate.toPerSecond=5', 'phases.spike.rate.toPerSecond: there is no phases.spike.rate.toPerSecond; did you mean "ratePerSecond"?'],
    ['fleet.devices.max=5', 'fleet.devices.max: there is no fleet.devices.max'],
    ['chains.__proto__=5', 'chains.__proto__: there is no chains.__proto__'],
    ['fleet.devices', 'fleet.devices: an override is written place=value'],
    ['=5', '=5: an override is written place=value'],
  ])('%s', (override, expected) => {
    const applied = applyOverrides(good, [override]);
    expect(applied.kind === 'errors' && applied.errors.map((error) => `${error.path}: ${error.message}`).join()).toContain(expected);
  });
});

describe('loading', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'headroom-scenarios-'));
    writeFileSync(join(folder, 'right.ts'), `export default ${JSON.stringify(good)};`);
    writeFileSync(join(folder, 'right.json'), JSON.stringify(good));
    writeFileSync(join(folder, 'broken.json'), '{"name": ');
    writeFileSync(join(folder, 'named.ts'), 'export const scenario = {};');
    writeFileSync(join(folder, 'notes.txt'), '');
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  test('by name or by file', async () => {
    expect(scenarioNames(folder)).toEqual(['named', 'right']);
    for (const name of ['right', join(folder, 'right.ts'), join(folder, 'right.json')])
      expect(await loadScenario(name, folder)).toMatchObject({ kind: 'ok', value: good });
  });

  test.each([
    ['rigth', 'there is no scenario "rigth"; did you mean "right"?'],
    ['./nowhere/x.ts', 'there is no file ./nowhere/x.ts'],
    ['named', 'named cannot be read: it has no default export'],
  ])('%s', async (name, message) => {
    const loaded = await loadScenario(name, folder);
    expect(loaded.kind === 'error' && loaded.message).toContain(message);
  });

  test('a file that cannot be read says why', async () => {
    for (const [file, message] of [
      ['broken.json', 'cannot be read: '],
      ['notes.txt', 'neither'],
    ] as const) {
      const loaded = await loadScenario(join(folder, file), folder);
      expect(loaded.kind === 'error' && loaded.message).toContain(message);
    }
  });
});

test('every scenario of the house can be run, on its clock and on the real one', async () => {
  expect(scenarioNames()).toEqual(expect.arrayContaining(['smoke', 'spike', 'steady']));
  for (const name of scenarioNames()) {
    const loaded = await loadScenario(name);
    if (loaded.kind !== 'ok') throw new Error(`${name}: ${loaded.kind}`);
    for (const value of [loaded.value, 'clock' in (loaded.value as object) ? overridden(loaded.value, ['clock.scale=1']) : loaded.value])
      expect(parseScenario(value, { source: name, operations: operations.map((one) => one.name) })).toMatchObject({ kind: 'ok', scenario: { name } });
  }
});
