/**
 * Streams as data, for tests of what shows runs: 2,000 listeners are opened, held, dropped all at once and come back, and give way to as many
 * that poll. Seeded, so it is the same to the byte. `writes`: changes come from requests of the run; without them nothing but streams is
 * driven. `troubled`: some never come back, a change is lost, and the process that holds the streams stands still in one second.
 */
import { exampleRun, histogramOfMs, thresholdOf } from '#harness/gates/example-run.ts';
import { exampleStreamCell } from '#harness/gates/example-streams.ts';
import { judge } from '#harness/gates/judge.ts';
import { sumStreams } from '#harness/gates/stream-samples.ts';
import type { ParsedThreshold } from '#harness/gates/threshold.ts';
import { noCounts } from '#harness/metrics/fold.ts';
import { createRandom } from '#harness/pacing/random.ts';
import type { Cell, ItemLedgerRecord, ProcessRecord, RunResult, StreamCell, TimeHistograms, Verdict } from '#harness/run-result.ts';
import type { Scenario } from '#harness/scenario.ts';

const held = 2000;
const writesPerSecond = 200;
const backSeconds = 20;
const heartbeatSeconds = 55;
const pollSeconds = 15;
const troubledSecond = 25;
const kinds = [
  ['opening', false, 10],
  ['calm', true, 15],
  ['storm', true, 30],
  ['asking', true, 15],
] as const;
/** The storm is in its sixth second, the change of ways with the last phase. */
const droppedSecond = 30;
const askingFrom = 55;

const scenarioOf = (writes: boolean): Scenario => ({
  name: 'storm',
  description: '2,000 listeners, dropped all at once by the balancer, and as many that poll.',
  fleet: { accounts: 10, devices: held, connection: { kind: 'per-device-group', connections: 100 }, timeoutMs: 10_000 },
  streams: { users: 1000, readers: [{ name: 'maps' }, { name: 'asking', way: { kind: 'poll', everySeconds: pollSeconds } }] },
  faults: [{ kind: 'drop-connections', how: 'rst', phase: 'storm', atSeconds: 5 }],
  phases: kinds.map(([name, measured, durationSeconds]) => ({
    name,
    measured,
    durationSeconds,
    rate: { kind: 'constant', ratePerSecond: writes ? writesPerSecond : 0 },
  })),
  thresholds: [
    { metric: 'streams_held{phase:calm}', expression: 'min>=2000' },
    { metric: 'delivery_lag_ms{reader:maps}', expression: 'p(99)<250' },
    { metric: 'resume_ms{phase:storm}', expression: 'p(99)<30000' },
    { metric: 'heartbeats_missed', expression: 'count==0' },
    { metric: 'changes_lost', expression: 'count==0' },
  ],
});

type Chance = () => number;
type Pairs = readonly (readonly [ms: number, times: number])[];

const normal = (chance: Chance): number => Math.sqrt(-2 * Math.log(chance())) * Math.cos(2 * Math.PI * chance());
const sampled = (samples: number, value: () => number): Pairs => Array.from({ length: samples }, () => [value(), 1] as const);

const phaseAt = (second: number): number => {
  const ends = kinds.map((_, index) => kinds.slice(0, index + 1).reduce((sum, [, , seconds]) => sum + seconds, 0));
  return ends.findIndex((end) => second < end);
};

/** Of the herd: how many are still away at the end of a second. */
const awayAt = (second: number, never: number): number =>
  second < droppedSecond ? 0 : Math.max(never, Math.round(held * (1 - (second - droppedSecond) / backSeconds)));

function listeningCell(second: number, chance: Chance, troubled: boolean): StreamCell {
  const never = troubled ? 30 : 0;
  const away = awayAt(second, never);
  const before = second < droppedSecond ? 0 : second === droppedSecond ? held : awayAt(second - 1, never);
  const opened = second < 10 ? held / 10 : before - away;
  const live = second < 10 ? (second + 1) * (held / 10) : held - away;
  const dropped = second === droppedSecond;
  const changes = Math.round((writesPerSecond * 2 * live) / held);
  const heartbeats = Math.round(live / heartbeatSeconds);
  const touched = troubled && second === troubledSecond;
  const lags = sampled(Math.round(changes / 4), () => 4 * Math.exp(0.7 * normal(chance)) + (touched ? 200 * chance() : 0));
  return exampleStreamCell({
    second,
    phase: phaseAt(second),
    reader: 'maps',
    counts: {
      dialled: opened,
      opened,
      resumed: second < 10 ? 0 : opened,
      lost: dropped ? held : 0,
      frames: opened + changes + heartbeats,
      changes,
      heartbeats,
      bytesIn: 220 * changes + 40 * heartbeats + 500 * opened,
      bytesOut: 400 * opened,
    },
    clean: {
      hello: sampled(opened / 10, () => 8 * Math.exp(0.5 * normal(chance))),
      frame_gap: sampled(Math.round(changes / 10), () => Math.min(heartbeatSeconds, 10 * Math.exp(normal(chance))) * 1000),
      ...(touched ? {} : { delivery_lag: lags }),
      ...(dropped ? { resume: sampled(held - never, () => 100 + chance() * backSeconds * 1000), lifetime: [[(droppedSecond - 5) * 1000, held]] as const } : {}),
    },
    ...(touched ? { touched: { delivery_lag: lags } } : {}),
    reasons: dropped ? { 'cut rst </script><b>': held } : {},
    held: { live, waiting: away },
  });
}

function askingCell(second: number, chance: Chance): StreamCell {
  const asked = Math.round(held / pollSeconds);
  const changes = writesPerSecond * 2;
  return exampleStreamCell({
    second,
    phase: phaseAt(second),
    reader: 'asking',
    counts: { dialled: asked, opened: second === askingFrom ? held : 0, changes, bytesIn: 700 * asked + 200 * changes, bytesOut: 400 * asked },
    clean: { delivery_lag: sampled(changes / 4, () => chance() * pollSeconds * 1000) },
    held: { live: held },
  });
}

function writtenCell(second: number, chance: Chance): Cell {
  const times = (aroundMs: number): TimeHistograms => ({
    clean: histogramOfMs(sampled(writesPerSecond, () => aroundMs * Math.exp(0.4 * normal(chance)))),
    spoiled: histogramOfMs([]),
  });
  const response = times(3);
  const counts = { ...noCounts, planned: writesPerSecond, fired: writesPerSecond, answered: writesPerSecond, good: writesPerSecond };
  const place = { second, phase: phaseAt(second), operation: 'put-item' };
  return { ...place, counts, times: { dispatch_delay: times(0.1), service: response, response, chain: response }, reasons: {} };
}

function processOf(role: ProcessRecord['role'], microsAt: (second: number) => number, seconds: number, chance: Chance): ProcessRecord {
  return {
    name: role,
    role,
    pid: 1000,
    seconds: Array.from({ length: seconds }, (_, second) => ({
      second,
      cpuMicros: Math.round(microsAt(second) * (0.95 + 0.1 * chance())),
      residentBytes: 90e6 + Math.min(second, 10) * 1.5e6,
      runQueueWaitMs: 1,
      descriptors: 40 + held,
    })),
  };
}

function itemsOf(cells: readonly StreamCell[], troubled: boolean): ItemLedgerRecord {
  const expected = sumStreams(cells, 'changes') + (troubled ? 1 : 0);
  return {
    acknowledged: Math.ceil(expected / 2),
    unknown: 0,
    unknownFound: 0,
    lostFromLog: 0,
    logLength: Math.ceil(expected / 2),
    readers: 2 * held,
    expected,
    seen: expected - (troubled ? 1 : 0),
    lost: troubled ? 1 : 0,
    duplicated: 0,
    reordered: 0,
    leaked: 0,
    readSeconds: 2.5,
    examples: troubled ? [{ kind: 'lost', text: 'reader 7 of user 3 did not see trip-4 at 812' }] : [],
  };
}

const phaseRecords = (writes: boolean): RunResult['phases'] =>
  kinds.map(([name, measured, seconds], index) => {
    const startSeconds = kinds.slice(0, index).reduce((sum, kind) => sum + kind[2], 0);
    return { name, measured, startSeconds, endSeconds: startSeconds + seconds, planned: writes ? writesPerSecond * seconds : 0 };
  });

export type ExampleStreams = { readonly result: RunResult; readonly thresholds: readonly ParsedThreshold[]; readonly verdict: Verdict };
type Options = { readonly seed?: number; readonly writes?: boolean; readonly troubled?: boolean };

export function exampleStorm({ seed = 1, writes = false, troubled = false }: Options = {}): ExampleStreams {
  const chance = createRandom(seed, 0);
  const phases = phaseRecords(writes);
  const seconds = Array.from({ length: phases.at(-1)?.endSeconds ?? 0 }, (_, second) => second);
  const cells = seconds.map((second) => (second < askingFrom ? listeningCell(second, chance, troubled) : askingCell(second, chance)));
  const lag = { worker: 0, loopDelayMaxMs: 2, stopMsTotal: 0, gcMsTotal: 1, gcMsMax: 1, utilisation: 0.2 };
  const scenario = scenarioOf(writes);
  const result = exampleRun(
    {
      phases,
      cells: writes ? seconds.map((second) => writtenCell(second, chance)) : [],
      evenness: writes ? phases.map(({ name }) => ({ phase: name, binMs: 1, planned: 1, fired: 1.1 })) : [],
      ledger: undefined,
      items: itemsOf(cells, troubled),
      streams: {
        cells,
        processes: seconds.map((second) => ({ ...lag, second, ...(troubled && second === troubledSecond ? { loopDelayMaxMs: 240, stopMsTotal: 240 } : {}) })),
      },
      faults: [{ kind: 'drop-connections', phase: 'storm', startSeconds: droppedSecond + 0.1, endSeconds: droppedSecond + 0.4 }],
      processes: [
        processOf('generator', () => 150_000, seconds.length, chance),
        processOf('system', (second) => (second >= askingFrom ? 320_000 : second === droppedSecond ? 700_000 : 120_000), seconds.length, chance),
      ],
      scrapes: [],
    },
    scenario,
  );
  const thresholds = scenario.thresholds.map(({ metric, expression }) => thresholdOf(metric, expression, scenario));
  return { result, thresholds, verdict: judge(result, thresholds) };
}
