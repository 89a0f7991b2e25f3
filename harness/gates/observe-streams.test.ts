import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { addStreamCell } from '#harness/metrics/fold-streams.ts';
import type { RunResult, StreamCell, StreamTimeName, Verdict } from '#harness/run-result.ts';
import { exampleStreamCell, exampleStreams, streamThresholdOf as of, stormOf } from './example-streams.ts';
import { judge } from './judge.ts';
import { canStillHold } from './observe.ts';

const codesOf = (verdict: Verdict): readonly string[] => verdict.reasons.map((reason) => reason.code);
const answerOf = (run: RunResult, metric: string, expression: string) => judge(run, [of(metric, expression)]).thresholds[0];
const lag = { worker: 0, second: 12, loopDelayMaxMs: 600, stopMsTotal: 600, gcMsTotal: 0, gcMsMax: 0, utilisation: 0.2 };
const withStop = (run: RunResult): RunResult => ({ ...run, streams: { cells: run.streams?.cells ?? [], processes: [lag] } });

describe('times', () => {
  test('each breaks when it is too long', () => {
    const clean = { hello: [[900, 5]], delivery_lag: [[900, 5]], frame_gap: [[90_000, 5]], resume: [[90_000, 5]], lifetime: [[60_000, 5]] } as const;
    const run = stormOf({ counts: { lost: 5, silenced: 5 }, clean: { ...clean, offline_after: [[90_000, 5]] } });
    for (const [metric, expression] of [
      ['hello_ms', 'p(99)<100'],
      ['delivery_lag_ms{phase:spike}', 'max<500'],
      ['frame_gap_ms{phase:spike}', 'max<60000'],
      ['resume_ms{phase:spike,reader:maps}', 'p(99)<30000'],
      ['lifetime_seconds', 'min>=61'],
      ['offline_after_ms', 'max<=60000'],
    ] as const) {
      expect(answerOf(run, metric, expression), metric).toMatchObject({ holds: 'no', samples: expect.any(Number) });
      expect(judge(run, [of(metric, expression)]).verdict, metric).toBe('fail');
    }
    expect(answerOf(run, 'lifetime_seconds', 'min>=59')).toMatchObject({ observed: expect.closeTo(60, 0), holds: 'yes' });
  });

  test('who is not back is worse than any time: 99 % back is a quantile', () => {
    const herd = (back: number, abandoned = 0) => stormOf({ counts: { lost: 60, byes: 40, abandoned }, clean: { resume: [[2000, back]] } });
    expect(answerOf(herd(99), 'resume_ms', 'p(99)<30000')).toMatchObject({ observed: expect.closeTo(2000, -1), samples: 100, holds: 'yes' });
    expect(answerOf(herd(98), 'resume_ms', 'p(99)<30000')).toMatchObject({ observed: 'never back', holds: 'no' });
    expect(answerOf(herd(98), 'resume_ms', 'avg<30000')).toMatchObject({ observed: 'never back', holds: 'no' });
    expect(answerOf(herd(98, 2), 'resume_ms', 'p(99)<30000')).toMatchObject({ samples: 98, holds: 'yes' });
    expect(judge(herd(98), [of('resume_ms', 'p(99)<30000')]).reasons[0]?.text).toContain('never back');
  });

  test('one that is back for two that ended does not hide another cell’s that is not', () => {
    const cells = [{ second: 12, resume: 2, lost: 1 } as const, { second: 13, resume: 0, lost: 1 } as const].map(({ second, resume, lost }) =>
      exampleStreamCell({ second, counts: { lost }, clean: { resume: [[10, resume]] } }),
    );
    expect(answerOf(exampleStreams(cells), 'resume_ms', 'max<1000')).toMatchObject({ observed: 'never back', samples: 3 });
  });

  test('devices that nobody was told of are never offline', () => {
    expect(answerOf(stormOf({ counts: { silenced: 3 }, clean: { offline_after: [[60_000, 2]] } }), 'offline_after_ms', 'max<90000')).toMatchObject({
      observed: 'never offline',
      holds: 'no',
    });
  });

  test('who was refused was not opened, unless the good ones alone are asked for', () => {
    const run = stormOf({ counts: { dialled: 10, opened: 8, failed: 1, refused: 1 }, clean: { hello: [[20, 8]] } });
    expect(answerOf(run, 'hello_ms', 'p(90)<100')).toMatchObject({ observed: 'not opened', samples: 10, holds: 'no' });
    expect(answerOf(run, 'hello_ms{outcome:ok}', 'p(90)<100')).toMatchObject({ samples: 8, holds: 'yes' });
    expect(answerOf(run, 'hello_ms', 'avg<100')?.observed).toBeCloseTo((8 * 20 + 2 * 10_000) / 10, -1);
  });

  // 100 samples, p(99): one may be anything.
  test.each([
    [1, 'yes'],
    [2, 'unknown'],
  ])('%i that a stop touched', (touched, holds) => {
    const lagging = stormOf({ clean: { delivery_lag: [[5, 100 - touched]] }, touched: { delivery_lag: [[400, touched]] } });
    const rest = { cells: (lagging.streams?.cells ?? []).filter(({ second }) => second === 12), processes: [] };
    expect(answerOf({ ...lagging, streams: rest }, 'delivery_lag_ms{phase:spike}', 'p(99)<250')).toMatchObject({ holds });
    const away = (spoiled: number) => stormOf({ counts: { lost: 100 }, spoiled: { lost: spoiled }, clean: { resume: [[2000, 100 - touched]] } });
    expect(answerOf(away(touched), 'resume_ms', 'p(99)<30000')).toMatchObject({ holds, observed: touched === 1 ? expect.closeTo(2000, -1) : 'never back' });
    expect(answerOf(away(touched - 1), 'resume_ms', 'p(98)<30000')?.holds).toBe('yes');
  });

  test('what breaks with all unknown ones good is broken', () => {
    const run = stormOf({
      clean: {
        hello: [
          [900, 2],
          [5, 97],
        ],
      },
      touched: { hello: [[5, 1]] },
    });
    expect(answerOf(run, 'hello_ms', 'p(99)<100')).toMatchObject({ best: expect.closeTo(900, -1), holds: 'no' });
    const doubtful = stormOf({
      clean: {
        hello: [
          [900, 1],
          [5, 98],
        ],
      },
      touched: { hello: [[950, 1]] },
    });
    expect(answerOf(doubtful, 'hello_ms', 'p(99)<100')).toMatchObject({ holds: 'unknown', worst: expect.closeTo(900, -1) });
  });

  test('what was read is bounded by what was seen: from its beginning if that is ours, from a stop before it if that was read too', () => {
    const worstOf = (name: StreamTimeName, metric: string, ms: number): unknown =>
      answerOf(withStop(stormOf({ counts: { lost: 1, silenced: 1 }, touched: { [name]: [[ms, 1]] } })), `${metric}{phase:spike}`, 'max<100000')?.worst;
    for (const [name, metric] of [
      ['hello', 'hello_ms'],
      ['offline_after', 'offline_after_ms'],
    ] as const) {
      expect(worstOf(name, metric, 4000), name).toBeCloseTo(4000, -1);
    }
    for (const [name, metric] of [
      ['delivery_lag', 'delivery_lag_ms'],
      ['frame_gap', 'frame_gap_ms'],
      ['resume', 'resume_ms'],
    ] as const) {
      expect(worstOf(name, metric, 4000), name).toBeCloseTo(4600, -1);
    }
  });

  test('a window finds the second that the whole phase hides', () => {
    const run = stormOf({ clean: { delivery_lag: [[400, 40]] } });
    expect(answerOf(run, 'delivery_lag_ms', 'p(50)<250')?.holds).toBe('yes');
    expect(answerOf(run, 'delivery_lag_ms', 'p(50)<250 over 1s')).toMatchObject({ holds: 'no', observed: expect.closeTo(400, 0) });
  });

  test('where no stream ended there is nothing to say of coming back', () => {
    expect(codesOf(judge(exampleStreams(), [of('resume_ms', 'p(99)<1')]))).toEqual(['no-samples']);
  });
});

describe('counts', () => {
  test.each([
    ['streams_opened', { opened: 1 }],
    ['streams_resumed', { resumed: 1 }],
    ['streams_refused', { refused: 1 }],
    ['streams_failed', { failed: 1 }],
    ['streams_lost', { lost: 1 }],
    ['streams_ended', { byes: 1 }],
    ['streams_dialled', { dialled: 1 }],
    ['streams_resynced', { resynced: 1 }],
    ['heartbeats_late', { heartbeatsLate: 1 }],
    ['heartbeats_missed', { heartbeatsMissed: 1 }],
    ['stream_bytes_out', { bytesOut: 1 }],
  ] as const)('%s', (metric, counts) => {
    expect(judge(stormOf({ counts }), [of(metric, 'count==0')]).verdict).toBe('fail');
    expect(judge(exampleStreams(), [of(metric, 'count==0')]).verdict).toBe('pass');
    // One that a stop may have caused is no failure of the service, and no proof of its absence.
    const doubtful = judge(stormOf({ counts, spoiled: counts }), [of(metric, 'count==0')]);
    expect(doubtful).toMatchObject({ verdict: 'invalid', thresholds: [{ observed: 1, best: 0, worst: 1, holds: 'unknown' }] });
  });

  test('frames and bytes of a phase and reader', () => {
    expect(answerOf(exampleStreams(), 'stream_frames{phase:spike,reader:maps}', 'count==250')?.holds).toBe('yes');
    expect(answerOf(exampleStreams(), 'stream_bytes_in{phase:spike}', 'count<25000')?.holds).toBe('no');
    expect(answerOf(exampleStreams(), 'streams_ended{reader:polling}', 'count==0')).toMatchObject({ samples: 0, holds: 'unknown' });
  });

  test('ended is lost and goodbyes together', () => {
    expect(answerOf(stormOf({ counts: { lost: 2, byes: 3 } }), 'streams_ended', 'count==5')?.holds).toBe('yes');
  });

  test('the most in one second: no spike of reconnects, over all readers, and not in a part of a second either', () => {
    const cells = [
      exampleStreamCell({ second: 12, counts: { dialled: 150 } }),
      exampleStreamCell({ second: 13, counts: { dialled: 150 } }),
      exampleStreamCell({ second: 13, reader: 'polling', counts: { dialled: 60 }, spoiled: { dialled: 60 } }),
    ];
    expect(answerOf(exampleStreams(cells), 'streams_dialled{phase:spike}', 'max<=200')).toMatchObject({ observed: 210, best: 150, holds: 'unknown' });
    expect(answerOf(exampleStreams(cells), 'streams_dialled{phase:spike}', 'max<150')?.holds).toBe('no');
    expect(answerOf(exampleStreams(cells), 'streams_dialled{reader:maps}', 'max<=150')?.holds).toBe('yes');
    const late = exampleStreams(cells, { phases: exampleStreams().phases.map((phase) => ({ ...phase, startSeconds: phase.startSeconds + 0.9 })) });
    expect(answerOf(late, 'streams_dialled{phase:spike,reader:maps}', 'max<=149')?.holds).toBe('no');
  });

  test('a second of steal, or of a holder that stood still, leaves open what it may have done, and no frame', () => {
    const run = withStop(stormOf({ counts: { lost: 3, frames: 50 } }));
    const verdict = judge(run, [of('streams_lost', 'count==0'), of('stream_frames{phase:spike}', 'count==250'), of('delivery_lag_ms', 'max<250')]);
    expect(verdict.thresholds).toMatchObject([{ best: 0, worst: 3, holds: 'unknown' }, { best: 250, worst: 250, holds: 'yes' }, { holds: 'yes' }]);
    expect(verdict.notes.map(({ code }) => code)).toContain('spoiled-seconds');
  });
});

describe('held', () => {
  test('the fewest, the most and the last, of whole seconds only', () => {
    const cells = [exampleStreamCell({ second: 14, held: { live: 90, waiting: 10 } }), exampleStreamCell({ second: 16, held: { live: 95 } })];
    const run = exampleStreams(cells);
    expect(answerOf(run, 'streams_held{phase:spike}', 'min>=100')).toMatchObject({ observed: 90, samples: 5, holds: 'no' });
    expect(answerOf(run, 'streams_held{phase:spike}', 'max<=100')?.holds).toBe('yes');
    expect(answerOf(run, 'streams_held{phase:spike}', 'last>95')).toMatchObject({ observed: 95, holds: 'no' });
    const shifted = { ...run, phases: run.phases.map((phase) => ({ ...phase, startSeconds: phase.startSeconds + 0.2, endSeconds: phase.endSeconds + 0.2 })) };
    expect(answerOf(shifted, 'streams_held{phase:spike}', 'min>=90')?.samples).toBe(4);
    expect(judge(run, [of('streams_held', 'min>=100')]).streams?.heldMin).toBe(90);
  });

  test('readers add up, and one can be asked for', () => {
    const run = stormOf({ reader: 'polling', held: { live: 7 } });
    expect(answerOf(run, 'streams_held{phase:spike}', 'max==107')?.holds).toBe('yes');
    expect(answerOf(run, 'streams_held{phase:spike,reader:polling}', 'max==7')?.holds).toBe('yes');
  });

  test('who is away by the generator’s own stop may be there', () => {
    const run = (spoiled: number) =>
      exampleStreams([
        exampleStreamCell({ second: 12, counts: { lost: 10 }, spoiled: { lost: spoiled }, held: { live: 90, waiting: 10 } }),
        exampleStreamCell({ second: 13, held: { live: 92, waiting: 8 } }),
      ]);
    expect(answerOf(run(10), 'streams_held', 'min>=100')).toMatchObject({ observed: 90, worst: 90, best: 100, holds: 'unknown' });
    expect(answerOf(run(9), 'streams_held', 'min>=100')).toMatchObject({ holds: 'no' });
    expect(answerOf(withStop(run(0)), 'streams_held', 'min>=100')).toMatchObject({ holds: 'unknown' });
  });
});

describe('while a run goes on', () => {
  const none = new Map<string, number>();
  test.each([
    ['streams_lost', 'count==0', false],
    ['streams_lost', 'count<=1', true],
    ['streams_lost', 'count<1', false],
    ['streams_lost', 'count>=9', true],
    ['streams_dialled', 'max<=49', false],
    ['streams_held', 'min>=100', false],
    ['streams_held', 'min>=90', true],
    ['streams_held', 'last>=100', true],
    ['streams_held', 'max<100', false],
    ['hello_ms', 'max<100', false],
    ['hello_ms', 'p(99)<100', true],
    ['lifetime_seconds', 'min>=61', false],
    ['resume_ms', 'max<1', true],
    ['changes_lost', 'count==0', true],
  ])('%s %s may still hold: %s', (metric, expression, may) => {
    const run = stormOf({ counts: { lost: 1, dialled: 50 }, clean: { hello: [[900, 1]], lifetime: [[60_000, 1]] }, held: { live: 90, waiting: 10 } });
    expect(canStillHold(run, of(metric, expression), none)).toBe(may);
  });
});

describe('laws', () => {
  const parts: fc.Arbitrary<StreamCell> = fc
    .record({
      second: fc.integer({ min: 12, max: 16 }),
      reader: fc.constantFrom('maps', 'polling'),
      lost: fc.integer({ min: 0, max: 9 }),
      spoiledLost: fc.integer({ min: 0, max: 3 }),
      back: fc.integer({ min: 0, max: 9 }),
      backTouched: fc.integer({ min: 0, max: 3 }),
      slow: fc.integer({ min: 0, max: 4 }),
    })
    .map(({ second, reader, lost, spoiledLost, back, backTouched, slow }) => {
      const total = lost + spoiledLost;
      const samples = Math.min(back, total);
      return exampleStreamCell({
        second,
        reader,
        counts: { lost: total, dialled: total },
        spoiled: { lost: spoiledLost, dialled: spoiledLost },
        clean: {
          resume: [[2000, samples]],
          delivery_lag: [
            [5, 50],
            [400, slow],
          ],
        },
        touched: { resume: [[3000, Math.min(backTouched, total - samples)]], delivery_lag: [[5, slow]] },
        held: { live: 100 - total, waiting: total },
      });
    });
  const lists = fc.array(parts, { minLength: 1, maxLength: 8 });
  const thresholds = [
    of('resume_ms', 'p(90)<2500'),
    of('delivery_lag_ms', 'p(99)<250 over 2s'),
    of('streams_lost', 'count<=10'),
    of('streams_dialled', 'max<=9'),
    of('streams_held{phase:spike}', 'min>=95'),
  ];
  const runOf = (cells: readonly StreamCell[]): RunResult => ({ ...exampleStreams(), streams: { cells, processes: [] } });

  test('the same cells in any order give the same verdict', () => {
    fc.assert(
      fc.property(
        lists.chain((list) => fc.tuple(fc.constant(list), fc.shuffledSubarray(list, { minLength: list.length }))),
        ([cells, shuffled]) => {
          expect(judge(runOf(shuffled), thresholds).thresholds).toEqual(judge(runOf(cells), thresholds).thresholds);
        },
      ),
      { numRuns: 30 },
    );
  });

  test('holders’ shares of counts and gauges merge without a difference', () => {
    const alone = thresholds.slice(2);
    fc.assert(
      fc.property(lists, (cells) => {
        const groups = [...Map.groupBy(cells, ({ second, reader }) => `${second} ${reader}`).values()];
        const merged = groups.map((group) => group.slice(1).reduce((sum, cell) => addStreamCell(sum, cell), group[0] as StreamCell));
        expect(judge(runOf(merged), alone).thresholds).toEqual(judge(runOf(cells), alone).thresholds);
      }),
      { numRuns: 30 },
    );
  });

  test('what is observed lies between best and worst', () => {
    fc.assert(
      fc.property(lists, (cells) => {
        const number = (value: number | string | null): number => (typeof value === 'number' ? value : Number.POSITIVE_INFINITY);
        for (const { best, observed, worst, samples, expression } of judge(runOf(cells), thresholds).thresholds) {
          if (samples === 0) continue;
          const [low, high] = expression.includes('>') ? [worst, best] : [best, worst];
          expect(number(low)).toBeLessThanOrEqual(number(observed));
          expect(number(observed)).toBeLessThanOrEqual(number(high));
        }
      }),
      { numRuns: 40 },
    );
  });
});
