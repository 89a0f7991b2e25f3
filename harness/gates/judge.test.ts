import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { addCell } from '#harness/metrics/fold.ts';
import type { Cell, RunResult, Verdict } from '#harness/run-result.ts';
import { type CellParts, exampleCell, exampleLedger, exampleProcess, exampleRun, histogramOfMs, thresholdOf } from './example-run.ts';
import { judge } from './judge.ts';
import type { ParsedThreshold } from './threshold.ts';

const p99 = thresholdOf('response_ms{phase:spike}', 'p(99)<250');
const codesOf = (verdict: Verdict): readonly string[] => verdict.reasons.map((reason) => reason.code);
const noteCodesOf = (verdict: Verdict): readonly string[] => verdict.notes.map((note) => note.code);

/** The example run with the spike's five seconds (12 to 16) made of these cells. */
function spikeOf(...parts: readonly CellParts[]): RunResult {
  const cells = exampleRun().cells.filter((cell) => cell.phase !== 2);
  const spike = parts.map((part, index) => exampleCell({ second: 12 + index, phase: 2, ...part }));
  const planned = spike.reduce((sum, cell) => sum + cell.counts.planned, 0);
  const phases = exampleRun().phases.map((phase, index) => (index === 2 ? { ...phase, planned } : phase));
  return exampleRun({ cells: [...cells, ...spike], phases });
}

test('a run in which everything holds passes, without a reason', () => {
  const verdict = judge(exampleRun(), [p99, thresholdOf('failed', 'rate<0.001'), thresholdOf('events_lost', 'count==0')]);
  expect(verdict).toMatchObject({ verdict: 'pass', exitCode: 0, reasons: [] });
  expect(verdict.thresholds.map((one) => one.holds)).toEqual(['yes', 'yes', 'yes']);
  expect(verdict.totals).toMatchObject({ planned: 6700, fired: 6700, failed: 0, lost: 0, acknowledged: 6700 });
  expect(verdict.latencyMs.spike?.ingest?.response).toMatchObject({ count: 5000, p50: verdict.thresholds[0]?.observed });
  expect(verdict.evenness).toEqual({ spike: { '1': { planned: 1, fired: 1.3 } } });
  expect(verdict.cpu.generator).toBeCloseTo((100_000 * 20) / 6500, 6);
});

describe('what the service did', () => {
  test('slow answers fail, with the figure in the reason', () => {
    const verdict = judge(
      spikeOf({
        clean: [
          [5, 900],
          [400, 100],
        ],
      }),
      [p99],
    );
    expect(verdict).toMatchObject({ verdict: 'fail', exitCode: 1 });
    expect(verdict.reasons[0]).toMatchObject({ code: 'threshold-broken' });
    expect(verdict.reasons[0]?.text).toContain('400 ms');
  });

  test('a server that acknowledges and drops fails, whatever else', () => {
    const ledger = { ...exampleLedger, lost: 1 };
    for (const run of [exampleRun({ ledger }), exampleRun({ ledger, interrupted: { kind: 'user' } }), exampleRun({ ledger, cells: [] })]) {
      const verdict = judge(run, [p99]);
      expect(verdict).toMatchObject({ verdict: 'fail', exitCode: 1 });
      expect(codesOf(verdict)[0]).toBe('events-lost');
    }
  });

  test('of a lost event the reason names both witnesses, the ids and what could not be asked for', () => {
    const exportAlone = { lost: 0, duplicated: 0, reordered: 0 };
    const unconfirmed = { lost: 2, duplicated: 0, reordered: 0, why: 'the history answered 500' };
    const examples = [{ kind: 'lost', eventId: 'r-0000001-0' }] as const;
    const verdict = judge(exampleRun({ ledger: { ...exampleLedger, lost: 4, exportAlone, unconfirmed, examples } }), [p99]);
    expect(verdict).toMatchObject({ verdict: 'fail', totals: { lost: 4 } });
    expect(codesOf(verdict)).toEqual(['events-lost', 'ledger-incomplete']);
    expect(verdict.reasons[0]?.text).toBe(
      '4 of 6700 acknowledged events are not there: the export does not list them, and the history of their devices, asked after it, does not have them (r-0000001-0, …; evidence/lost-events.ndjson); 2 more could not be asked for again: the history answered 500: an acknowledgement is a promise',
    );
  });

  test.each(['lost', 'duplicated', 'reordered'] as const)(
    'what the export alone calls %s, and nobody could ask for again, is invalid and never a failure',
    (kind) => {
      const unconfirmed = { lost: 0, duplicated: 0, reordered: 0, [kind]: 3, why: 'the history answered 500' };
      const ledger = { ...exampleLedger, unconfirmed };
      for (const thresholds of [[p99], [thresholdOf(`events_${kind}`, 'count==0')]]) {
        const verdict = judge(exampleRun({ ledger }), thresholds);
        expect(verdict).toMatchObject({ verdict: 'invalid', totals: { [kind]: null } });
        expect(verdict.reasons[0]).toMatchObject({ code: 'ledger-incomplete', text: expect.stringContaining(`3 ${kind}`) });
      }
      // Three more may be so: five are too many whatever they are, and ten would not be.
      const some = exampleRun({ ledger: { ...ledger, [kind]: 5 } });
      expect(judge(some, [thresholdOf(`events_${kind}`, 'count<5')]).thresholds).toMatchObject([{ holds: 'no' }]);
      expect(judge(some, [thresholdOf(`events_${kind}`, 'count<7')]).thresholds).toMatchObject([{ holds: 'unknown', best: 5, worst: 8 }]);
      expect(judge(some, [thresholdOf(`events_${kind}`, 'count<10')]).thresholds).toMatchObject([{ holds: 'yes' }]);
    },
  );

  test('what history has and the export did not list is a finding of its own, which can be gated', () => {
    const ledger = { ...exampleLedger, exportAlone: { lost: 2, duplicated: 0, reordered: 0 } };
    const verdict = judge(exampleRun({ ledger }), [p99, thresholdOf('events_lost', 'count==0')]);
    expect(verdict).toMatchObject({ verdict: 'pass', notes: [{ code: 'export-unlisted', text: expect.stringContaining('did not list 2 events') }] });
    expect(judge(exampleRun({ ledger }), [thresholdOf('events_unlisted', 'count==0')])).toMatchObject({
      verdict: 'fail',
      reasons: [{ code: 'threshold-broken' }],
    });
    // A run of before never asked.
    expect(codesOf(judge(exampleRun({ ledger: exampleLedger }), [thresholdOf('events_unlisted', 'count==0')]))).toEqual(['no-samples']);
  });

  test.each(['events_duplicated', 'events_reordered', 'conservation_error'])('%s fails even where the machine is too small', (metric) => {
    const ledger = { ...exampleLedger, duplicated: 1, reordered: 1, conservationError: 1 };
    const run = { ...spikeOf({ clean: [[900, 1000]] }), ledger, processes: [exampleProcess('generator', 1_000_000), exampleProcess('system', 1_000_000)] };
    const verdict = judge(run, [p99, thresholdOf(metric, 'count==0')]);
    expect(verdict.verdict).toBe('fail');
    expect(codesOf(verdict)).toEqual(['threshold-broken', 'machine-too-small', 'failure-not-trusted']);
  });

  test('5 % hung put p99 at "≥ timeout", and the good ones alone stay quick', () => {
    const run = spikeOf({ clean: [[5, 950]], counts: { failed: 50, timedOut: 50 } });
    const verdict = judge(run, [p99, thresholdOf('response_ms{phase:spike,outcome:ok}', 'p(99)<250'), thresholdOf('response_ms{phase:spike}', 'p(90)<250')]);
    expect(verdict.thresholds.map((one) => one.observed)).toEqual(['≥ timeout', expect.closeTo(5, 1), expect.closeTo(5, 1)]);
    expect(verdict.thresholds.map((one) => one.holds)).toEqual(['no', 'yes', 'yes']);
    expect(verdict.verdict).toBe('fail');
  });

  test('a window finds the bad second that the whole phase hides', () => {
    const run = spikeOf(
      { clean: [[5, 1000]] },
      { clean: [[5, 1000]] },
      {
        clean: [
          [400, 30],
          [5, 970],
        ],
      },
      { clean: [[5, 1000]] },
      { clean: [[5, 1000]] },
    );
    const verdict = judge(run, [p99, thresholdOf('response_ms{phase:spike}', 'p(99)<250 over 2s')]);
    expect(verdict.thresholds.map((one) => one.holds)).toEqual(['yes', 'no']);
    expect(verdict.thresholds[1]).toMatchObject({ observed: expect.closeTo(400, 0), samples: 2000 });
  });

  test('unmeasured phases are seen by no threshold that does not name them', () => {
    const cells = exampleRun().cells.map((cell) => (cell.phase === 0 ? exampleCell({ second: cell.second, phase: 0, clean: [[900, 100]] }) : cell));
    const verdict = judge(exampleRun({ cells }), [thresholdOf('response_ms', 'max<250'), thresholdOf('response_ms{phase:warm-up}', 'max<250')]);
    expect(verdict.thresholds.map((one) => one.holds)).toEqual(['yes', 'no']);
  });

  test('a pipeline that did not drain, or drained late, breaks its threshold', () => {
    const drained = thresholdOf('pipeline_drain_seconds', 'value<=10');
    expect(judge(exampleRun({ pipelineDrainSeconds: undefined }), [drained])).toMatchObject({ verdict: 'fail', thresholds: [{ observed: 'not drained' }] });
    expect(judge(exampleRun({ pipelineDrainSeconds: 11 }), [drained]).verdict).toBe('fail');
    expect(judge(exampleRun({ pipelineDrainSeconds: 10 }), [drained]).verdict).toBe('pass');
  });

  test('processor time and scraped samples can be gated', () => {
    const scrapes = [11, 12, 13].map((second) => ({
      second,
      ok: true,
      values: { 'lag{worker="1"}': second, 'lag{worker="2"}': 2, 'n_total{a="x"}': 3, 'n_total{a="y"}': 4 },
    }));
    const verdict = judge(exampleRun({ scrapes }), [
      thresholdOf('cpu_micros_per_request{process:system,phase:spike}', 'value<150'),
      thresholdOf('system:lag{worker:1}', 'max<13'),
      thresholdOf('system:lag{worker:2}', 'last==2'),
      thresholdOf('system:n_total', 'value==7'),
      thresholdOf('system:n_total{a:y,phase:spike}', 'value==4'),
    ]);
    expect(verdict.thresholds.map((one) => one.holds)).toEqual(['no', 'no', 'yes', 'yes', 'yes']);
    expect(verdict.thresholds[0]?.observed).toBe(200);
  });
});

describe('unknown arrivals are a bound', () => {
  // 1000 arrivals, p(99)<250: the nearest rank is 990, so 10 bad ones are borne and 11 are not. What was answered well is bounded by what was seen.
  test.each([
    [6, 500, 0, 0, 'pass'],
    [300, 10, 0, 0, 'pass'],
    [300, 11, 0, 0, 'invalid'],
    [300, 0, 10, 0, 'pass'],
    [300, 0, 11, 0, 'invalid'],
    [300, 0, 0, 10, 'pass'],
    [300, 0, 0, 11, 'invalid'],
    [300, 3, 4, 3, 'pass'],
    [300, 3, 4, 4, 'invalid'],
    [6, 500, 6, 4, 'pass'],
    [6, 500, 6, 5, 'invalid'],
  ])('spoiled ones of %i ms, %i of them, %i spoiled failures, %i in flight at the end: %s', (ms, spoiled, spoiledFailed, inFlightAtEnd, expected) => {
    const run = spikeOf({
      clean: [[5, 1000 - spoiled - spoiledFailed - inFlightAtEnd]],
      spoiled: [[ms, spoiled]],
      counts: { failed: spoiledFailed, spoiledFailed, inFlightAtEnd, fired: 1000 },
    });
    const verdict = judge(run, [p99]);
    expect(verdict.verdict).toBe(expected);
    if (expected === 'invalid') expect(codesOf(verdict)).toEqual(['threshold-unknown']);
  });

  test.each([
    [11, 0, 'fail'],
    [11, 1, 'fail'],
    [10, 1, 'invalid'],
    [9, 1, 'pass'],
  ])('%i known slow ones and %i that a stop may have slowed: %s', (slow, unknown, expected) => {
    expect(
      judge(
        spikeOf({
          clean: [
            [5, 1000 - slow - unknown],
            [300, slow],
          ],
          spoiled: [[300, unknown]],
        }),
        [p99],
      ).verdict,
    ).toBe(expected);
  });

  test('a good answer in spoiled time is still good: only its time may be the stop’s', () => {
    const run = spikeOf({ clean: [[5, 500]], spoiled: [[400, 500]] });
    const verdict = judge(run, [thresholdOf('failed{phase:spike}', 'rate<0.001'), p99]);
    expect(verdict.thresholds.map((one) => one.holds)).toEqual(['yes', 'unknown']);
  });

  test('a failure that the generator may have caused breaks no count, and does not let it hold', () => {
    const none = thresholdOf('failed{phase:spike}', 'count==0');
    const verdict = judge(spikeOf({ clean: [[5, 999]], counts: { failed: 1, spoiledFailed: 1 } }), [none]);
    expect(verdict).toMatchObject({ verdict: 'invalid', thresholds: [{ observed: 1, best: 0, worst: 1, holds: 'unknown' }] });
    expect(judge(spikeOf({ clean: [[5, 998]], counts: { failed: 2, spoiledFailed: 1 } }), [none]).verdict).toBe('fail');
  });

  test('an arrival fired late by the stop that spoiled it is counted once', () => {
    const run = (both: number, ms: number): RunResult =>
      spikeOf({ clean: [[5, 1000 - both]], spoiled: [[ms, both]], counts: { planned: 1000, firedLate: both } });
    expect(judge(run(10, 300), [p99]).verdict).toBe('pass');
    expect(judge(run(11, 300), [p99]).verdict).toBe('invalid');
    expect(judge(run(500, 200), [p99]).verdict).toBe('pass');
    expect(judge(run(500, 200), [thresholdOf('failed{phase:spike}', 'count==0')]).verdict).toBe('pass');
  });

  test('one that was fired late by no stop is bounded from its plan on, not from its first byte', () => {
    const run = spikeOf({ clean: [[5, 1000]], counts: { planned: 1000, firedLate: 11 } });
    expect(judge(run, [p99]).verdict).toBe('pass');
    expect(judge(run, [thresholdOf('service_ms{phase:spike}', 'p(99)<250')]).verdict).toBe('invalid');
  });

  test('an arrival that nobody accounts for is unknown', () => {
    expect(judge(spikeOf({ clean: [[5, 980]], counts: { planned: 1000, fired: 1000 } }), [p99])).toMatchObject({ verdict: 'invalid' });
  });

  test('a second of steal, or of a stopped generator, spoils what its noise can have touched, and no more', () => {
    const machine = [{ second: 14, stealShare: 0.11, busyShare: 0.2, cpuPressureShare: 0, throttledPeriods: 0 }];
    const lag = { worker: 0, second: 14, loopDelayMaxMs: 600, stopMsTotal: 600, gcMsTotal: 0, gcMsMax: 0, utilisation: 0.2 };
    const quick: CellParts = { clean: [[5, 1000]] };
    const slowOnes = (count: number): RunResult =>
      spikeOf(
        quick,
        quick,
        {
          clean: [
            [5, 1000 - count],
            [400, count],
          ],
        },
        quick,
        quick,
      );
    for (const noise of [{ machine }, { workers: [lag] }]) {
      expect(judge(exampleRun(noise), [p99])).toMatchObject({ verdict: 'pass', notes: [{ code: 'spoiled-seconds' }] });
      expect(judge({ ...slowOnes(60), ...noise }, [p99])).toMatchObject({ verdict: 'invalid', thresholds: [{ holds: 'unknown' }] });
    }
    expect(judge(slowOnes(60), [p99]).verdict).toBe('fail');
    // A ninth of two cores is 220 ms of one, and that cannot have touched more than 2.2 s.
    const slow: CellParts = {
      clean: [
        [5, 600],
        [400, 400],
      ],
    };
    expect(judge({ ...spikeOf(quick, quick, slow, slow, slow), machine }, [p99]).verdict).toBe('fail');
    expect(judge({ ...spikeOf(quick, quick, slow, slow, quick), machine }, [p99]).verdict).toBe('invalid');
    expect(judge({ ...slowOnes(1000), workers: [lag] }, [p99]).verdict).toBe('invalid');
    const borne = machine.map((one) => ({ ...one, stealShare: 0.1 }));
    expect(judge({ ...slowOnes(60), machine: borne }, [p99]).verdict).toBe('fail');
  });

  test('of the failures of a spoiled second as many may be the noise’s as it can have touched', () => {
    const machine = [{ second: 12, stealShare: 0.11, busyShare: 0.2, cpuPressureShare: 0, throttledPeriods: 0 }];
    const quick: CellParts = { clean: [[5, 1000]] };
    const failing = (failed: number): RunResult => ({ ...spikeOf(quick, quick, { clean: [[5, 1000 - failed]], counts: { failed } }), machine });
    const none = thresholdOf('failed{phase:spike}', 'count==0');
    // 220 ms and their backlog: the seconds 12 and 13, and a fifth of 14.
    expect(judge(failing(200), [none])).toMatchObject({ verdict: 'invalid', thresholds: [{ best: 0, worst: 200 }] });
    expect(judge(failing(201), [none])).toMatchObject({ verdict: 'fail', thresholds: [{ best: 1, worst: 201 }] });
  });
});

describe('what makes a measurement invalid', () => {
  const reasonOf = (run: RunResult, thresholds: readonly ParsedThreshold[] = [thresholdOf('failed', 'rate<0.5')]): Verdict => judge(run, thresholds);
  const scrape = (second: number, ok: boolean) => ({ second, ok, values: {} });

  test.each<[string, Partial<RunResult>]>([
    ['descriptors-near-limit', { limits: { descriptorsMax: 1000, descriptorsUsedMax: 901, portsMax: undefined, portsUsedMax: undefined } }],
    ['ports-near-limit', { limits: { descriptorsMax: undefined, descriptorsUsedMax: 5, portsMax: 28_232, portsUsedMax: 25_500 } }],
    ['scrape-failed', { scrapes: [scrape(11, true), scrape(12, false), scrape(13, true)] }],
    ['scrape-failed', { scrapes: [scrape(11, true), scrape(23, false)] }],
    ['ledger-incomplete', { ledger: { ...exampleLedger, incomplete: 'the export answered 500' } }],
    ['not-measured', { interrupted: { kind: 'unmeasured', text: 'nothing answers' } }],
  ])('%s', (code, changes) => {
    const verdict = reasonOf(exampleRun(changes));
    expect(verdict).toMatchObject({ verdict: 'invalid', exitCode: 3 });
    expect(codesOf(verdict)).toEqual([code]);
  });

  test('limits that are not reached, or not measurable, are none', () => {
    expect(reasonOf(exampleRun({ limits: { descriptorsMax: 1000, descriptorsUsedMax: 900, portsMax: undefined, portsUsedMax: undefined } })).verdict).toBe(
      'pass',
    );
  });

  test('a failed scrape that was repeated after the load is none, one before the measured phases a note', () => {
    const verdict = reasonOf(exampleRun({ scrapes: [scrape(1, false), scrape(5, true), scrape(22, false), scrape(23, true)] }));
    expect(verdict.verdict).toBe('pass');
    expect(noteCodesOf(verdict)).toContain('scrape-failed-early');
  });

  test('load that was not delivered: 99.9 % is enough, less is not, and no long phase hides a short one', () => {
    const fired = (count: number): RunResult => spikeOf({ clean: [[5, count]], counts: { planned: 10_000, fired: count, neverFired: 10_000 - count } });
    expect(reasonOf(fired(9990)).verdict).toBe('pass');
    expect(codesOf(reasonOf(fired(9989)))).toEqual(['load-not-delivered']);
    const cells = exampleRun().cells.filter((cell) => cell.phase !== 3);
    expect(codesOf(reasonOf(exampleRun({ cells })))).toContain('load-not-delivered');
  });

  test('a pool that limited the load', () => {
    const verdict = reasonOf(spikeOf({ clean: [[5, 1000]], counts: { waitedForConnection: 1 } }));
    expect(codesOf(verdict)).toEqual(['pool-limited']);
  });

  test('what waited because the service held every connection is the service’s, unless the fleet has too few for its promise', () => {
    const counts = { planned: 5000, neverFired: 500, heldNever: 500, failed: 500, firedLate: 300, heldLate: 300, fired: 4500 };
    const overloaded = spikeOf({
      clean: [
        [5, 4200],
        [400, 300],
      ],
      counts,
    });
    const verdict = judge(overloaded, [p99]);
    expect([verdict.verdict, codesOf(verdict), noteCodesOf(verdict)]).toEqual(['fail', ['threshold-broken'], expect.arrayContaining(['held-up'])]);
    const connection = { ...overloaded.run.scenario.fleet.connection, openMax: 249 };
    const scenario = { ...overloaded.run.scenario, fleet: { ...overloaded.run.scenario.fleet, connection } };
    const tooSmall = judge({ ...overloaded, run: { ...overloaded.run, scenario } } as RunResult, [p99]);
    expect([tooSmall.verdict, codesOf(tooSmall)]).toEqual(['invalid', ['fleet-limited', 'failure-not-trusted']]);
    expect(tooSmall.reasons[0]?.text).toContain('the 249 that it has carry only 996/s where an answer takes the promised 250 ms');
    // Without them being held by the service nothing is known of the same arrivals.
    expect(judge(spikeOf({ clean: [[5, 4500]], counts: { planned: 5000, neverFired: 500, fired: 4500 } }), [p99]).verdict).toBe('invalid');
  });

  test('counts that contradict each other are believed by nobody', () => {
    for (const counts of [{ planned: 5001 }, { fired: 5000, answered: 4999 }])
      expect(codesOf(judge(spikeOf({ clean: [[5, 5000]], counts }), [p99]))).toContain('totals-do-not-add-up');
  });

  test('a phase that began in another’s backlog is invalid, unless it is about that', () => {
    const begun = (phase: string, isMeasured: boolean, isWanted: boolean): RunResult => {
      const run = spikeOf({ clean: [[400, 5000]] });
      const backlog = { phase, measured: isMeasured, seconds: 4.1 };
      const phases = run.phases.map((one) => (one.name === 'after' ? { ...one, backlog } : one));
      const planned = run.run.scenario.phases.map((one) => (one.name === 'after' ? { ...one, beginsInBacklog: isWanted } : one));
      return { ...run, phases, run: { ...run.run, scenario: { ...run.run.scenario, phases: planned } } };
    };
    const warm = judge(begun('warm-up', false, false), [p99]);
    expect([warm.verdict, codesOf(warm)]).toEqual(['invalid', ['began-in-backlog', 'failure-not-trusted']]);
    expect(warm.reasons[0]?.text).toContain("4.1 s of warm-up's queue ran into after");
    // The overload was measured, and is what it is whatever comes after it.
    expect(judge(begun('spike', true, false), [p99]).verdict).toBe('fail');
    const wanted = judge(begun('spike', true, true), [p99]);
    expect([codesOf(wanted), noteCodesOf(wanted)]).toEqual([['threshold-broken'], expect.arrayContaining(['backlog'])]);
  });

  test('what waited for the pool is not held against the service, what did not wait is', () => {
    const slow = (waited: number): RunResult =>
      spikeOf({
        clean: [
          [5, 900],
          [400, 100],
        ],
        counts: { waitedForConnection: waited },
      });
    expect(judge(slow(90), [p99]).verdict).toBe('invalid');
    expect(judge(slow(89), [p99]).verdict).toBe('fail');
    const failing = (waited: number): RunResult => spikeOf({ clean: [[5, 900]], counts: { failed: 100, waitedForConnection: waited } });
    expect(judge(failing(100), [thresholdOf('failed', 'count==0')]).verdict).toBe('invalid');
    expect(judge(failing(99), [thresholdOf('failed', 'count==0')]).verdict).toBe('fail');
  });

  test('a threshold without samples neither holds nor breaks', () => {
    for (const metric of ['response_ms{operation:authenticate}', 'failed{operation:authenticate}']) {
      const verdict = judge(exampleRun(), [thresholdOf(metric, metric.startsWith('failed') ? 'count==0' : 'p(99)<250')]);
      expect(verdict).toMatchObject({ verdict: 'invalid', thresholds: [{ observed: null, best: null, worst: null, samples: 0, holds: 'unknown' }] });
      expect(codesOf(verdict)).toEqual(['no-samples']);
    }
    expect(codesOf(judge(exampleRun({ ledger: undefined }), [thresholdOf('events_lost', 'count==0')]))).toEqual(['no-samples']);
    expect(codesOf(judge(exampleRun({ scrapes: [] }), [thresholdOf('system:headroom_events_pending', 'max<5')]))).toEqual(['no-samples']);
    expect(judge(exampleRun({ cells: [] }), [p99]).verdict).toBe('invalid');
  });

  test('where no event can have been kept nothing is proven of events, but what is broken all the same is', () => {
    const { ledger } = exampleRun();
    const allRefused = { ...(ledger as NonNullable<typeof ledger>), acknowledged: 0, unknown: 0, refused: 100 };
    for (const metric of ['events_lost', 'events_duplicated', 'events_reordered']) {
      const of = (changes: Partial<typeof allRefused>) => judge(exampleRun({ ledger: { ...allRefused, ...changes } }), [thresholdOf(metric, 'count==0')]);
      expect(codesOf(of({}))).toEqual(['no-samples']);
      expect(of({ unknown: 1 }).verdict).toBe('pass');
      // The probe's events are judged too, and not counted.
      expect(of({ lost: 1, duplicated: 1, reordered: 1 }).verdict).toBe('fail');
    }
    expect(judge(exampleRun({ ledger: allRefused }), [thresholdOf('conservation_error', 'count==0')]).verdict).toBe('pass');
  });

  test('no arrival in any measured phase', () => {
    const phases = exampleRun().phases.map((phase) => ({ ...phase, planned: 0 }));
    expect(codesOf(reasonOf(exampleRun({ cells: [], phases })))).toContain('nothing-measured');
  });

  test('a machine too small says so with the rate that fits, and the service is not blamed', () => {
    const full = {
      ...spikeOf({ clean: [[400, 1000]] }, { clean: [[400, 1000]] }),
      processes: [exampleProcess('generator', 900_000), exampleProcess('system', 1_000_000)],
    };
    const verdict = judge(full, [p99]);
    expect(verdict.verdict).toBe('invalid');
    expect(codesOf(verdict)).toEqual(['machine-too-small', 'failure-not-trusted']);
    expect(verdict.reasons[0]?.text).toMatch(/about 336\/s/);
    expect(judge(full, [thresholdOf('response_ms{phase:spike}', 'p(99)<500')]).verdict).toBe('pass');
  });

  test('nor is it where its threads stood in line for a core, though the kernel and not the two had the rest', () => {
    const seconds = [12, 13, 14, 15, 16];
    const busy = (busyShare: number) => seconds.map((second) => ({ second, stealShare: 0, busyShare, cpuPressureShare: 0, throttledPeriods: 0 }));
    const waiting = (ms: number) => {
      const system = exampleProcess('system', 1_250_000);
      return { ...system, seconds: system.seconds.map((one) => ({ ...one, runQueueWaitMs: ms })) };
    };
    const run = (busyShare: number, waitedMs: number): RunResult => ({
      ...spikeOf({ clean: [[400, 1000]] }, { clean: [[400, 1000]] }),
      processes: [exampleProcess('generator', 450_000), waiting(waitedMs)],
      machine: busy(busyShare),
    });
    const crowded = judge(run(0.92, 1000), [p99]);
    expect(codesOf(crowded)).toEqual(['machine-too-small', 'failure-not-trusted']);
    expect(crowded.reasons[0]?.text).toContain('threads waited for a core for 1.0 s of each second');
    expect(judge(run(0.92, 200), [p99]).verdict).toBe('fail');
    expect(judge(run(0.8, 1000), [p99]).verdict).toBe('fail');
  });

  test('other programs that had the machine', () => {
    const machine = [12, 13, 14, 15, 16].map((second) => ({ second, stealShare: 0, busyShare: 0.99, cpuPressureShare: 0, throttledPeriods: 0 }));
    expect(codesOf(judge({ ...spikeOf({ clean: [[400, 1000]] }), machine }, [p99]))).toEqual(['threshold-unknown', 'machine-busy']);
  });

  test('a program that had a core for a second may have made that second slow, and no other', () => {
    const slow: CellParts = {
      clean: [
        [5, 900],
        [400, 100],
      ],
    };
    const quick: CellParts = { clean: [[5, 1000]] };
    const beside = (busyShare: number) => [{ second: 14, stealShare: 0, busyShare, cpuPressureShare: 0, throttledPeriods: 0 }];
    const at14 = spikeOf(quick, quick, slow, quick, quick);
    expect(judge({ ...at14, machine: beside(0.7) }, [p99])).toMatchObject({ verdict: 'invalid', notes: [{ code: 'spoiled-seconds' }] });
    expect(judge({ ...at14, machine: beside(0.2) }, [p99]).verdict).toBe('fail');
    expect(judge({ ...spikeOf(quick, quick, quick, slow, quick), machine: beside(0.7) }, [p99]).verdict).toBe('fail');
    // Of a service that runs elsewhere nobody knows who is beside it.
    const elsewhere = at14.processes.filter(({ role }) => role !== 'system');
    expect(judge({ ...at14, processes: elsewhere, machine: beside(0.7) }, [p99]).verdict).toBe('fail');
  });
});

describe('the end of a run', () => {
  test('interrupted by the user: what was measured is shown', () => {
    const verdict = judge({ ...spikeOf({ clean: [[400, 1000]] }), interrupted: { kind: 'user' } }, [p99]);
    expect(verdict).toMatchObject({ verdict: 'interrupted', exitCode: 130, thresholds: [{ holds: 'no' }] });
    expect(codesOf(verdict)).toEqual(['interrupted', 'threshold-broken']);
  });

  test('ended on purpose in the middle of a phase: what was to come is not load that was not delivered', () => {
    const cells = exampleRun().cells.filter((cell) => cell.second < 14);
    expect(codesOf(judge(exampleRun({ cells, interrupted: { kind: 'user' } }), [p99]))).toEqual(['interrupted']);
    expect(codesOf(judge(exampleRun({ cells, interrupted: { kind: 'abort', metric: 'failed' } }), [p99]))).toEqual(['aborted']);
  });

  test('ended by its own threshold: fail, and no complaint about what was not measured', () => {
    const verdict = judge({ ...spikeOf({ clean: [[400, 1000]] }), interrupted: { kind: 'abort', metric: 'response_ms' }, ledger: undefined }, [
      p99,
      thresholdOf('events_lost', 'count==0'),
    ]);
    expect(verdict.verdict).toBe('fail');
    expect(codesOf(verdict)).toEqual(['threshold-broken']);
    expect(judge(exampleRun({ interrupted: { kind: 'abort', metric: 'response_ms' } }), [p99])).toMatchObject({
      verdict: 'invalid',
      reasons: [{ code: 'aborted' }],
    });
  });
});

describe('notes change nothing', () => {
  const calibration = {
    when: 'before',
    targetRatePerSecond: 2000,
    addedP50Ms: 0,
    addedP99Ms: 0,
    dispatchDelayP99Ms: 0,
    cpuMicrosPerRequest: 20,
    secondsDriven: 2,
  } as const;
  test.each<[string, Partial<RunResult>]>([
    ['calibration-short', { calibration: [{ ...calibration, achievedRatePerSecond: 1499 }] }],
    ['bursty', { evenness: [{ phase: 'spike', binMs: 1, planned: 1, fired: 3.1 }] }],
    ['never-settled', { phases: exampleRun().phases.map((phase, index) => (index === 0 ? { ...phase, settled: false } : phase)) }],
    ['not-verified', { ledger: undefined }],
    ['refused-found', { ledger: { ...exampleLedger, refusedFound: 1 } }],
    ['foreign-events', { ledger: { ...exampleLedger, foreign: 1 } }],
    ['export-unlisted', { ledger: { ...exampleLedger, exportAlone: { lost: 1, duplicated: 0, reordered: 0 } } }],
    ['export-differs', { ledger: { ...exampleLedger, exportAlone: { lost: 0, duplicated: 1, reordered: 1 } } }],
    ['probe-trouble', { probe: { seconds: [], trouble: 'it could not connect' } }],
  ])('%s', (code, changes) => {
    const verdict = judge(exampleRun(changes), [p99]);
    expect(noteCodesOf(verdict)).toEqual([code]);
    expect(verdict.verdict).toBe('pass');
  });
  test('nothing to say', () => {
    const achieved = { ...calibration, achievedRatePerSecond: 1500 };
    expect(judge(exampleRun({ calibration: [achieved], evenness: [{ phase: 'spike', binMs: 1, planned: 1, fired: 2.9 }] }), [p99]).notes).toEqual([]);
  });
});

describe('the probe', () => {
  const probeOf = (ms: number, times: number): RunResult['probe'] => ({
    seconds: [12, 13, 14, 15, 16].map((second) => ({ second, phase: 2, service: histogramOfMs([[ms, times]]), failed: 0 })),
  });

  test('a probe that disagrees so much that an answer changes makes the run invalid, either way', () => {
    const slowProbe = judge(exampleRun({ probe: probeOf(400, 200) }), [p99]);
    expect(slowProbe).toMatchObject({
      verdict: 'invalid',
      reasons: [{ code: 'probe-disagrees' }],
      thresholds: [{ holds: 'unknown', observed: expect.closeTo(400, 0) }],
    });
    const slowEngine = { ...spikeOf({ clean: [[400, 1000]] }), probe: probeOf(5, 200) };
    expect(judge(slowEngine, [p99])).toMatchObject({ verdict: 'invalid', reasons: [{ code: 'probe-disagrees' }] });
  });

  test('one that changes no answer is a note, one within 1 ms or without enough samples nothing', () => {
    const verdict = judge(exampleRun({ probe: probeOf(8, 300) }), [p99]);
    expect(verdict.verdict).toBe('pass');
    expect(noteCodesOf(verdict)).toEqual(['probe-disagrees', 'probe-disagrees', 'probe-disagrees']);
    expect(judge(exampleRun({ probe: probeOf(5.9, 300) }), [p99]).notes).toEqual([]);
    const once = { seconds: [{ second: 12, phase: 2, service: histogramOfMs([[400, 1]]), failed: 0 }] };
    expect(judge(exampleRun({ probe: once }), [p99])).toMatchObject({ verdict: 'pass', notes: [] });
  });

  test('one that saw only what lay between the instants that it missed is not compared, and says by how much it fell behind', () => {
    const seconds = probeOf(5, 200)?.seconds ?? [];
    const judged = (more: object) => judge({ ...spikeOf({ clean: [[400, 1000]] }), probe: { seconds: seconds.map((one) => ({ ...one, ...more })) } }, [p99]);
    expect(judged({})).toMatchObject({ verdict: 'invalid', reasons: [{ code: 'probe-disagrees' }] });
    const verdict = judged({ missing: 600, behindMsMax: 2300 });
    expect(verdict).toMatchObject({ verdict: 'fail', reasons: [{ code: 'threshold-broken' }], notes: [{ code: 'probe-behind' }] });
    expect(verdict.notes[0]?.text).toBe(
      "in phase spike the probe missed 3,000 of its 4,000 instants (75 %), and it was up to 2,300 ms behind: its p50 cannot be compared with the engine's",
    );
    // What failed has no time that could be compared either.
    expect(judged({ failed: 600 })).toMatchObject({ verdict: 'fail', notes: [] });
    expect(judged({ shed: 600 })).toMatchObject({ verdict: 'invalid' });
  });

  test('what it missed takes nothing from what it saw: a fifth that was slow is slow whatever the others were', () => {
    const seconds = (probeOf(400, 20)?.seconds ?? []).map((one) => ({ ...one, missing: 60 }));
    expect(judge(exampleRun({ probe: { seconds } }), [p99])).toMatchObject({ verdict: 'invalid', reasons: [{ code: 'probe-disagrees' }] });
  });
});

describe('laws', () => {
  const parts: fc.Arbitrary<Cell> = fc
    .record({
      second: fc.integer({ min: 12, max: 16 }),
      quick: fc.integer({ min: 0, max: 200 }),
      slow: fc.integer({ min: 0, max: 4 }),
      spoiled: fc.integer({ min: 0, max: 4 }),
      failed: fc.integer({ min: 0, max: 3 }),
      firedLate: fc.integer({ min: 0, max: 2 }),
    })
    .map(({ second, quick, slow, spoiled, failed, firedLate }) =>
      exampleCell({
        second,
        phase: 2,
        clean: [
          [5, quick],
          [400, slow],
        ],
        spoiled: [[7, spoiled]],
        counts: { failed, firedLate },
      }),
    );
  const cellLists = fc.array(parts, { minLength: 1, maxLength: 10 });
  const thresholds = ['p(99)<250', 'p(50)<=6', 'avg<20', 'max<300', 'p(90)<250 over 2s'].map((one) => thresholdOf('response_ms{phase:spike}', one));
  const base = exampleRun().cells.filter((cell) => cell.phase !== 2);
  const runOf = (cells: readonly Cell[]): RunResult => exampleRun({ cells: [...base, ...cells] });

  test('the same samples in any order, and merged, give the same verdict', () => {
    const orders = cellLists.chain((list) => fc.tuple(fc.constant(list), fc.shuffledSubarray(list, { minLength: list.length })));
    fc.assert(
      fc.property(orders, ([cells, shuffled]) => {
        const verdict = judge(runOf(cells), thresholds);
        expect(judge(runOf(shuffled), thresholds)).toEqual(verdict);
        const merged = [...Map.groupBy(cells, (cell) => cell.second).values()].map((group) => group.slice(1).reduce(addCell, group[0] as Cell));
        expect(judge(runOf(merged), thresholds)).toEqual(verdict);
      }),
      { numRuns: 50 },
    );
  });

  test('one more failure never improves an answer about latency', () => {
    const rank = { no: 0, unknown: 1, yes: 2 };
    fc.assert(
      fc.property(cellLists, fc.integer({ min: 12, max: 16 }), (cells, second) => {
        const before = judge(runOf(cells), thresholds);
        const after = judge(runOf([...cells, exampleCell({ second, phase: 2, counts: { failed: 1 } })]), thresholds);
        for (const [index, one] of after.thresholds.entries()) {
          const earlier = before.thresholds[index];
          if (earlier === undefined || earlier.samples === 0) continue;
          expect(rank[one.holds]).toBeLessThanOrEqual(rank[earlier.holds]);
        }
      }),
      { numRuns: 100 },
    );
  });

  test('what is observed lies between best and worst', () => {
    fc.assert(
      fc.property(cellLists, (cells) => {
        const number = (value: number | string | null): number => (typeof value === 'number' ? value : Number.POSITIVE_INFINITY);
        for (const { best, observed, worst, samples } of judge(runOf(cells), thresholds.slice(0, 4)).thresholds) {
          if (samples === 0) continue;
          expect(number(best)).toBeLessThanOrEqual(number(observed));
          expect(number(observed)).toBeLessThanOrEqual(number(worst));
        }
      }),
      { numRuns: 100 },
    );
  });
});
