import { describe, expect, test } from 'vitest';
import type { RunResult, Verdict } from '#harness/run-result.ts';
import { exampleProcess, exampleRun, exampleSecond } from './example-run.ts';
import { exampleItems, exampleStreamCell, exampleStreams, streamThresholdOf as of, stormOf } from './example-streams.ts';
import { judge } from './judge.ts';

const codesOf = (verdict: Verdict): readonly string[] => verdict.reasons.map((reason) => reason.code);
const noteCodesOf = (verdict: Verdict): readonly string[] => verdict.notes.map((note) => note.code);
const answerOf = (run: RunResult, metric: string, expression: string) => judge(run, [of(metric, expression)]).thresholds[0];

test('a run of streams alone passes, and its figures stand in the verdict', () => {
  const verdict = judge(exampleStreams(), [
    of('streams_held', 'min>=100'),
    of('delivery_lag_ms{reader:maps}', 'p(99)<250'),
    of('streams_lost', 'count==0'),
    of('changes_lost', 'count==0'),
  ]);
  expect(verdict).toMatchObject({ verdict: 'pass', reasons: [], notes: [] });
  expect(verdict.thresholds.map(({ holds }) => holds)).toEqual(['yes', 'yes', 'yes', 'yes']);
  expect(verdict.streams).toMatchObject({ heldMax: 100, heldMin: 100, opened: 0, lost: 0, changesExpected: 1600, changesSeen: 1600, changesLost: 0 });
  expect(verdict.streams?.timesMs.storm?.maps?.delivery_lag).toBeUndefined();
  expect(verdict.streams?.timesMs.spike?.maps?.delivery_lag).toMatchObject({ count: 200, p50: expect.closeTo(5, 1) });
});

test('who listens for the generator’s own sake is no reader: no threshold and no total sees it', () => {
  const watcher = exampleStreamCell({ reader: 'presence-watcher', counts: { lost: 1, dialled: 1 }, held: { live: 5 } });
  const verdict = judge(exampleStreams([watcher]), [of('streams_lost', 'count==0'), of('streams_held', 'max<=100')]);
  expect(verdict).toMatchObject({ verdict: 'pass', streams: { heldMax: 100, lost: 0 } });
});

test('a run without streams says nothing of them', () => {
  expect(judge(exampleRun(), [])).not.toHaveProperty('streams');
});

describe('what the ledger of items found', () => {
  const withItems = (changes: Partial<typeof exampleItems>): RunResult => exampleStreams([], { items: { ...exampleItems, ...changes } });

  test('a change that is lost fails, whatever else', () => {
    for (const [run, text] of [
      [withItems({ lost: 3 }), '3 acknowledged changes did not reach a reader that should have them, of 1600'],
      [{ ...withItems({ lost: 1 }), interrupted: { kind: 'user' } }, '1 acknowledged change did not reach a reader that should have it'],
      [withItems({ lostFromLog: 2 }), '2 of 800 acknowledged changes are in no log: an acknowledgement'],
    ] as const) {
      const verdict = judge(run, [of('changes_lost', 'count==0'), of('streams_held', 'min>=100')]);
      expect(verdict).toMatchObject({ verdict: 'fail', exitCode: 1 });
      expect(verdict.reasons[0]).toMatchObject({ code: 'changes-lost', text: expect.stringContaining(text) });
    }
    expect(answerOf(withItems({ lost: 3, lostFromLog: 2 }), 'changes_lost', 'count<5')).toMatchObject({ observed: 5, holds: 'no' });
  });

  test('of a lost change the reason names both witnesses, which they are, and what could not be asked for', () => {
    const none = { lostFromLog: 0, lost: 0, duplicated: 0, reordered: 0 };
    const examples = [{ kind: 'lost-from-log', text: 'the write of arrival 7 was acknowledged and is in no log' }] as const;
    const unconfirmed = { ...none, lostFromLog: 3, why: 'a long poll answered 500' };
    const verdict = judge(withItems({ lostFromLog: 2, logAlone: none, unconfirmed, examples }), []);
    expect(verdict.verdict).toBe('fail');
    for (const part of [
      'neither as its collections list it nor',
      'arrival 7',
      'evidence/*-changes.ndjson',
      '3 more could not be asked for again: a long poll answered 500',
    ])
      expect(verdict.reasons[0]?.text).toContain(part);
  });

  test.each([
    ['changes_lost', 'lost'],
    ['changes_lost', 'lostFromLog'],
    ['changes_duplicated', 'duplicated'],
    ['changes_reordered', 'reordered'],
  ] as const)('%s by the pages alone (%s), and nobody could ask for again, is invalid and never a failure', (metric, kind) => {
    const unconfirmed = { lostFromLog: 0, lost: 0, duplicated: 0, reordered: 0, [kind]: 3, why: 'a long poll answered 500' };
    const verdict = judge(withItems({ unconfirmed }), [of(metric, 'count==0')]);
    expect(verdict.verdict).toBe('invalid');
    expect(verdict.reasons[0]).toMatchObject({ code: 'ledger-incomplete', text: expect.stringContaining('a long poll answered 500') });
    expect(answerOf(withItems({ unconfirmed, [kind]: 5 }), metric, 'count<5')).toMatchObject({ holds: 'no' });
    expect(answerOf(withItems({ unconfirmed, [kind]: 5 }), metric, 'count<7')).toMatchObject({ holds: 'unknown', best: 5, worst: 8 });
  });

  test('what a listener gets and the pages did not list is said, and nobody is accused of it', () => {
    const logAlone = { lostFromLog: 2, lost: 0, duplicated: 1, reordered: 0 };
    const verdict = judge(withItems({ logAlone }), [of('changes_lost', 'count==0')]);
    expect(verdict.verdict).toBe('pass');
    expect(verdict.notes.find(({ code }) => code === 'log-differs')?.text).toContain('3 changes');
  });

  test('so does a leaked one, also where only the reader saw it', () => {
    expect(codesOf(judge(withItems({ leaked: 1 }), [of('changes_leaked', 'count==0')]))).toEqual(['changes-leaked', 'threshold-broken']);
    expect(codesOf(judge(stormOf({ counts: { leaked: 2 } }, { items: { ...exampleItems, incomplete: 'cut' } }), []))[0]).toBe('changes-leaked');
  });

  test.each([
    ['changes_duplicated', { duplicated: 1 }],
    ['changes_reordered', { reordered: 1 }],
    ['changes_lost', { lostFromLog: 1 }],
  ] as const)('%s is trusted even where the machine is too small', (metric, changes) => {
    const processes = [exampleProcess('generator', 1_000_000), exampleProcess('system', 1_000_000)];
    const verdict = judge({ ...withItems(changes), processes }, [of(metric, 'count==0'), of('streams_held', 'min>100')]);
    expect(verdict.verdict).toBe('fail');
    expect(codesOf(verdict)).toEqual(expect.arrayContaining(['threshold-broken', 'machine-too-small', 'failure-not-trusted']));
    expect(verdict.reasons.find(({ code }) => code === 'machine-too-small')?.text).toContain('a frame');
  });

  test('not read to its end, or with nothing in it: unknown, and never 0', () => {
    const cut = judge(withItems({ incomplete: 'the log answered 500', lost: 3 }), [of('changes_lost', 'count==0')]);
    expect(codesOf(cut)).toEqual(['ledger-incomplete', 'no-samples']);
    expect(cut).toMatchObject({ verdict: 'invalid', streams: { changesLost: null, changesExpected: null } });
    for (const items of [undefined, { ...exampleItems, acknowledged: 0, expected: 0 }]) {
      const { items: _items, ...run } = exampleStreams();
      const verdict = judge(items === undefined ? run : { ...run, items }, [of('changes_duplicated', 'count==0')]);
      expect(codesOf(verdict)).toEqual(['no-samples']);
      expect(noteCodesOf(verdict)).toEqual(items === undefined ? ['changes-not-verified'] : []);
    }
  });
});

describe('what a stream costs', () => {
  test('processor time a frame', () => {
    expect(answerOf(exampleStreams(), 'cpu_micros_per_frame{process:system,phase:spike}', 'value<4000')).toMatchObject({
      observed: 4000,
      holds: 'no',
      samples: 250,
    });
    expect(answerOf(exampleStreams([], { processes: [] }), 'cpu_micros_per_frame{process:system}', 'value<1e9')).toMatchObject({ observed: null });
  });

  test('resident bytes a stream, over the first second', () => {
    const process = (name: string, bytesAt: (second: number) => number | undefined) => ({
      ...exampleProcess('system', 1),
      name,
      seconds: Array.from({ length: 22 }, (_, second) => ({ second, cpuMicros: 1, runQueueWaitMs: 0, descriptors: 1, residentBytes: bytesAt(second) })),
    });
    const grown = process('a', (second) => (second < 12 ? 50_000 : second === 14 ? 1_000_000 : 900_000));
    const processes = [grown, process('b', () => 10_000)];
    expect(answerOf(exampleStreams([], { processes }), 'resident_bytes_per_stream{process:system}', 'value<9500')).toMatchObject({
      observed: 9500,
      holds: 'no',
    });
    const unread = [grown, process('b', (second) => (second === 14 ? undefined : 10_000))];
    expect(answerOf(exampleStreams([], { processes: unread }), 'resident_bytes_per_stream{process:system}', 'value<9500')).toMatchObject({ observed: 8500 });
    expect(answerOf(exampleStreams([], { processes }), 'resident_bytes_per_stream{process:system,phase:calm}', 'value<1')?.observed).toBe(0);
    expect(answerOf(exampleRun(), 'resident_bytes_per_stream{process:system}', 'value<1')?.samples).toBe(0);
  });
});

describe('what grows', () => {
  const bytesOf = (ownBytesAt: (second: number) => number | undefined) => ({
    ...exampleProcess('system', 1),
    seconds: Array.from({ length: 22 }, (_, second) => ({ ...exampleSecond, second, descriptors: 10 + second, ownBytes: ownBytesAt(second) })),
  });
  const growthOf = (ownBytesAt: (second: number) => number | undefined, expression = 'value<=1.5') =>
    answerOf(exampleStreams([], { processes: [bytesOf(ownBytesAt)] }), 'memory_growth{process:system}', expression);

  test('is what the last fifth has of the second, in the measured phases', () => {
    expect(growthOf(() => 7)).toMatchObject({ observed: 1, holds: 'yes' });
    expect(growthOf((second) => 100 + 100 * second)).toMatchObject({ observed: 2050 / 850, holds: 'no' });
    const descriptors = answerOf(exampleStreams([], { processes: [bytesOf(() => 1)] }), 'descriptors_growth{process:system}', 'value<=1');
    expect(descriptors).toMatchObject({ holds: 'no' });
  });

  test('of too few seconds, or of what was not measured, nothing is known', () => {
    expect(growthOf((second) => (second % 3 === 0 ? 7 : undefined))).toMatchObject({ observed: null, samples: 0 });
    expect(growthOf(() => undefined)).toMatchObject({ observed: null, samples: 0 });
  });
});

describe('what makes a measurement invalid', () => {
  test('the generator had no means for a dial: what broke by it is not held against the service', () => {
    const run = stormOf({ phase: 0, second: 0, counts: { failed: 40 }, reasons: { 'generator out of means: EMFILE': 40 }, held: { live: 60, waiting: 40 } });
    const verdict = judge(run, [of('streams_held{phase:warm-up}', 'min>=100')]);
    expect(verdict.verdict).toBe('invalid');
    expect(codesOf(verdict)).toEqual(['streams-not-delivered', 'failure-not-trusted']);
    expect(verdict.reasons[0]?.text).toContain("40 dials failed for want of the generator's own means (generator out of means: EMFILE in phase warm-up)");
  });

  test('a fault that could not be done', () => {
    const fault = { kind: 'kill-node', phase: 'spike', startSeconds: 12, endSeconds: 12 };
    const verdict = judge(exampleStreams([], { faults: [fault, { ...fault, trouble: 'the node was gone already' }] }), [of('streams_lost', 'count==0')]);
    expect(verdict).toMatchObject({ verdict: 'invalid', reasons: [{ code: 'fault-failed', text: expect.stringContaining('gone already') }] });
    expect(judge(exampleStreams([], { faults: [fault] }), []).verdict).toBe('pass');
  });

  test('streams alone are something measured; nobody who listens is nothing', () => {
    const silent = { streams: { cells: [exampleStreamCell({ phase: 0, second: 0, held: { live: 100 } })], processes: [] } };
    expect(codesOf(judge(exampleStreams([], silent), []))).toEqual(['nothing-measured']);
    expect(judge(exampleStreams(), []).verdict).toBe('pass');
  });

  test('streams that had to begin anew are a note', () => {
    expect(noteCodesOf(judge(stormOf({ counts: { resynced: 1 } }), []))).toEqual(['resynced']);
  });
});
