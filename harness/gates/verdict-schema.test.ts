import { describe, expect, test } from 'vitest';
import type { RunResult, Verdict } from '#harness/run-result.ts';
import { exampleCell, exampleLedger, exampleProcess, exampleRun, exampleScenario, histogramOfMs, thresholdOf } from './example-run.ts';
import { exampleItems, exampleStreamCell, exampleStreams, streamThresholdOf } from './example-streams.ts';
import { exampleWebhookLedger, exampleWebhooks, webhookThresholdOf } from './example-webhooks.ts';
import { judge } from './judge.ts';
import { judgeRepeats } from './repeats.ts';
import { repeatedComplaints, verdictComplaints } from './verdict-complaints.ts';

const thresholds = [
  ...exampleScenario.thresholds.map(({ metric, expression }) => thresholdOf(metric, expression)),
  thresholdOf('response_ms{phase:spike}', 'avg<250'),
  thresholdOf('failed', 'rate<0.001'),
  thresholdOf('events_lost', 'count==0'),
  thresholdOf('recovery_seconds{phase:spike,baseline:calm}', 'value<=15'),
  thresholdOf('pipeline_drain_seconds', 'value<=10'),
  thresholdOf('cpu_micros_per_request{process:system}', 'value<1e9'),
  thresholdOf('system:headroom_events_pending', 'last==0'),
];
const calibration = {
  when: 'before',
  targetRatePerSecond: 2000,
  achievedRatePerSecond: 100,
  secondsDriven: 1,
  addedP50Ms: null,
  addedP99Ms: 1,
  dispatchDelayP99Ms: 1,
} as const;
const lag = { worker: 0, second: 14, loopDelayMaxMs: 600, stopMsTotal: 600, gcMsTotal: 0, gcMsMax: 0, utilisation: 0.2 };

const runs: readonly (readonly [string, Partial<RunResult>])[] = [
  ['pass', {}],
  ['fail', { ledger: { ...exampleLedger, lost: 3 } }],
  ['fail', { cells: [...exampleRun().cells, exampleCell({ second: 12, phase: 2, counts: { failed: 900, timedOut: 900 } })] }],
  ['fail', { pipelineDrainSeconds: undefined }],
  ['pass', { workers: [lag] }],
  ['invalid', { cells: [] }],
  ['invalid', { ledger: undefined, processes: [], scrapes: [] }],
  ['invalid', { interrupted: { kind: 'unmeasured', text: 'nothing answers' }, cells: [], phases: [], scrapes: [], ledger: undefined }],
  ['invalid', { probe: { seconds: [{ second: 12, phase: 2, service: histogramOfMs([[900, 500]]), failed: 0 }] } }],
  ['invalid', { pipelineDrainSeconds: undefined, processes: [exampleProcess('generator', 1_000_000), exampleProcess('system', 1_000_000)] }],
  ['interrupted', { interrupted: { kind: 'user' }, pipelineDrainSeconds: undefined, ledger: undefined }],
  ['pass', { calibration: [{ ...calibration, cpuMicrosPerRequest: undefined }], machine: [] }],
];

test.each(runs)('%s: what the judge gives back keeps the published shape', (kind, changes) => {
  const verdict = judge(exampleRun(changes), thresholds);
  expect(verdict.verdict).toBe(kind);
  expect(verdictComplaints(verdict)).toEqual([]);
});

const herd = exampleStreamCell({ counts: { lost: 10, failed: 1 }, clean: { resume: [[900, 5]], hello: [[20, 5]] } });
test.each<[string, RunResult]>([
  ['pass', exampleStreams()],
  ['fail', exampleStreams([herd])],
  ['fail', exampleStreams([], { items: { ...exampleItems, lost: 1 } })],
  ['invalid', exampleStreams([], { items: { ...exampleItems, incomplete: 'cut' } })],
])('%s: of a run of streams too', (kind, run) => {
  const verdict = judge(run, [streamThresholdOf('streams_lost', 'count==0'), streamThresholdOf('changes_lost', 'count==0')]);
  expect(verdict.verdict).toBe(kind);
  expect(verdictComplaints(verdict)).toEqual([]);
});

test.each<[string, RunResult]>([
  ['pass', exampleWebhooks()],
  ['fail', exampleWebhooks([], exampleWebhookLedger({ lost: 3, missingByPhase: [0, 3, 0, 0] }))],
  ['invalid', exampleWebhooks([], { ...exampleWebhookLedger(), incomplete: 'cut' })],
])('%s: of a run with receivers of webhooks too', (kind, run) => {
  const verdict = judge(run, [webhookThresholdOf('webhooks_lost', 'count==0'), webhookThresholdOf('webhook_delay_ms{receiver:good}', 'p(100)<1000')]);
  expect(verdict.verdict).toBe(kind);
  expect(verdictComplaints(verdict)).toEqual([]);
});

test('of a run that k6 drove too, with all that k6 cannot do said', () => {
  const phases = exampleScenario.phases.map((phase) => ({ ...phase, ...(phase.measured ? {} : { untilSettled: true }) }));
  const { run } = exampleRun();
  const k6 = { droppedIterations: [0, 0, 0, 0], unaccountedIterations: [0, 0, 0, 0], processes: 1 };
  const driven = exampleRun({ run: { ...run, engine: 'k6', scenario: { ...exampleScenario, phases } }, k6 });
  const verdict = judge(driven, thresholds);
  expect(verdict.notes.filter(({ code }) => code.startsWith('k6-')).length).toBeGreaterThan(1);
  expect(verdictComplaints(verdict)).toEqual([]);
});

test('of a run in which much failed, for more reasons than are shown', () => {
  const reasons = Object.fromEntries(Array.from({ length: 15 }, (_, i) => [`status ${500 + i}`, i + 1]));
  const cells = [...exampleRun().cells, { ...exampleCell({ second: 12, phase: 2, counts: { failed: 120 } }), reasons }];
  const verdict = judge(exampleRun({ cells }), thresholds);
  expect(verdict.failures?.length).toBe(10);
  expect(verdictComplaints(verdict)).toEqual([]);
});

describe('the schema is not empty words', () => {
  const verdict = judge(exampleRun(), thresholds);
  test.each<[string, unknown]>([
    ['another version', { ...verdict, version: 2 }],
    ['an exit code that is not the verdict’s', { ...verdict, exitCode: 1 }],
    ['a failure without a reason', { ...verdict, verdict: 'fail', exitCode: 1 }],
    ['a field nobody published', { ...verdict, colour: 'red' }],
    ['a missing total', { ...verdict, totals: {} }],
    ['a count that is none', { ...verdict, totals: { ...verdict.totals, lost: -1 } }],
    ['a time nobody measures', { ...verdict, latencyMs: { spike: { ingest: { reply: {} } } } }],
    ['streams without their times', { ...verdict, streams: {} }],
    ['a receiver without its counts', { ...verdict, webhooks: { good: {} } }],
    ['a threshold without its answer', { ...verdict, thresholds: [{ ...verdict.thresholds[0], holds: 'maybe' }] }],
  ])('%s', (_, value) => {
    expect(verdictComplaints(value)).not.toEqual([]);
  });
});

test('verdicts over runs have a shape too', () => {
  const verdicts: readonly Verdict[] = runs.map(([, changes]) => judge(exampleRun(changes), thresholds));
  for (const some of [verdicts, verdicts.slice(0, 1), verdicts.slice(4, 6)]) {
    expect(repeatedComplaints(judgeRepeats(some))).toEqual([]);
  }
});
