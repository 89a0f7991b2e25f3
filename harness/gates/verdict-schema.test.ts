import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { describe, expect, test } from 'vitest';
import type { RunResult, Verdict } from '#harness/run-result.ts';
import { exampleCell, exampleLedger, exampleProcess, exampleRun, exampleScenario, histogramOfMs, thresholdOf } from './example-run.ts';
import { exampleItems, exampleStreamCell, exampleStreams, streamThresholdOf } from './example-streams.ts';
import { exampleWebhookLedger, exampleWebhooks, webhookThresholdOf } from './example-webhooks.ts';
import { judge } from './judge.ts';
import repeatedSchema from './repeated-verdict.schema.json' with { type: 'json' };
import { judgeRepeats } from './repeats.ts';
import verdictSchema from './verdict.schema.json' with { type: 'json' };

const ajv = new Ajv2020({ allErrors: true, strict: true, allowUnionTypes: true, strictRequired: false });
addFormats.default(ajv);
ajv.addSchema(verdictSchema);
const isVerdict = ajv.getSchema('urn:headroom:verdict:1') as NonNullable<ReturnType<typeof ajv.getSchema>>;
const isRepeated = ajv.compile(repeatedSchema);

/** As a reader meets it: after JSON, in which `undefined` is missing and Infinity is null. */
const throughJson = (value: unknown): unknown => JSON.parse(JSON.stringify(value));
const complaintsOf = (value: unknown): unknown => (isVerdict(throughJson(value)) ? [] : isVerdict.errors);

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
  ['invalid', { workers: [lag] }],
  ['invalid', { cells: [] }],
  ['invalid', { ledger: undefined, processes: [], scrapes: [] }],
  ['invalid', { interrupted: { kind: 'crash', text: 'gone' } }],
  ['invalid', { probe: { seconds: [{ second: 12, phase: 2, service: histogramOfMs([[900, 500]]), failed: 0 }] } }],
  ['invalid', { pipelineDrainSeconds: undefined, processes: [exampleProcess('generator', 1_000_000), exampleProcess('system', 1_000_000)] }],
  ['interrupted', { interrupted: { kind: 'user' }, pipelineDrainSeconds: undefined, ledger: undefined }],
  ['pass', { calibration: [{ ...calibration, cpuMicrosPerRequest: undefined }], machine: [] }],
];

test.each(runs)('%s: what the judge gives back keeps the published shape', (kind, changes) => {
  const verdict = judge(exampleRun(changes), thresholds);
  expect(verdict.verdict).toBe(kind);
  expect(complaintsOf(verdict)).toEqual([]);
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
  expect(complaintsOf(verdict)).toEqual([]);
});

test.each<[string, RunResult]>([
  ['pass', exampleWebhooks()],
  ['fail', exampleWebhooks([], exampleWebhookLedger({ lost: 3, missingByPhase: [0, 3, 0, 0] }))],
  ['invalid', exampleWebhooks([], { ...exampleWebhookLedger(), incomplete: 'cut' })],
])('%s: of a run with receivers of webhooks too', (kind, run) => {
  const verdict = judge(run, [webhookThresholdOf('webhooks_lost', 'count==0'), webhookThresholdOf('webhook_delay_ms{receiver:good}', 'p(100)<1000')]);
  expect(verdict.verdict).toBe(kind);
  expect(complaintsOf(verdict)).toEqual([]);
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
    expect(complaintsOf(value)).not.toEqual([]);
  });
});

test('verdicts over runs have a shape too', () => {
  const verdicts: readonly Verdict[] = runs.map(([, changes]) => judge(exampleRun(changes), thresholds));
  for (const some of [verdicts, verdicts.slice(0, 1), verdicts.slice(4, 6)]) {
    expect(isRepeated(throughJson(judgeRepeats(some))) ? [] : isRepeated.errors).toEqual([]);
  }
});
