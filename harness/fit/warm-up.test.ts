import { describe, expect, test } from 'vitest';
import { exampleCell } from '#harness/gates/example-run.ts';
import type { ArrivalPhase } from '#harness/pacing/plan.ts';
import { judgeBacklog, judgeCost, judgeWarmUp, type WarmUpSecond, warmUpSeconds } from './warm-up.ts';

const seconds = (planned: number, ...answered: readonly number[]): readonly WarmUpSecond[] => answered.map((one) => ({ planned, answered: one }));
const alone = { besideOthers: false };
const steadily = (planned: number, answered: number, count: number) => seconds(planned, ...Array.from({ length: count }, () => answered));

describe('a queue that grows', () => {
  test('for three seconds in a row, once the cold ones are over: what was answered is what the machine holds', () => {
    expect(judgeWarmUp(steadily(1000, 420, 5), alone)).toEqual({ kind: 'cannot', heldPerSecond: 420 });
    expect(judgeWarmUp(steadily(1000, 420, 4), alone)).toEqual({ kind: 'holds' });
  });
  test('the best three seconds are said: a collapsed queue answers less than the machine can', () => {
    expect(judgeWarmUp(seconds(1000, 900, 960, 930, 400, 300, 200), alone)).toEqual({ kind: 'cannot', heldPerSecond: 930 });
  });
  test('a rate that rises beyond it in steps', () => {
    const stepped = [...steadily(1000, 1000, 2), ...steadily(3000, 3000, 2), ...steadily(6000, 3900, 2), ...steadily(9000, 3800, 2)];
    expect(judgeWarmUp(stepped, alone)).toMatchObject({ kind: 'cannot' });
  });
  test('a collapse that answers in lumps, with nothing between them', () => {
    const lumps = seconds(1000, 0, 900, 0, 0, 700, 0, 0, 600, 0);
    expect(judgeWarmUp(lumps, alone)).toEqual({ kind: 'cannot', heldPerSecond: 1600 / 6 });
    for (let until = 0; until < 8; until++) expect(judgeWarmUp(lumps.slice(0, until), alone)).toEqual({ kind: 'holds' });
  });
  test('beside other programs it has to last twice as long, since they may be gone in a moment', () => {
    expect(judgeWarmUp(steadily(1000, 420, 7), { besideOthers: true })).toEqual({ kind: 'holds' });
    expect(judgeWarmUp(steadily(1000, 420, 8), { besideOthers: true })).toMatchObject({ kind: 'cannot' });
  });
});

describe('goes on', () => {
  test.each<[string, readonly WarmUpSecond[]]>([
    ['while all is answered', steadily(1000, 1000, 20)],
    ['by chance a little behind', steadily(1000, 930, 20)],
    ['while a cold service gets faster every second', seconds(2000, 200, 500, 800, 1100, 1400, 1700, 2000)],
    ['where every answer takes five seconds, and then they come', seconds(100, 0, 0, 0, 0, 0, 100, 100)],
    [
      'where answers take five seconds on average, and come more often every second',
      seconds(1000, ...Array.from({ length: 30 }, (_, at) => 1000 * (1 - Math.exp(-(at + 0.5) / 5)))),
    ],
    ['behind lumps that are all caught up', seconds(1000, ...Array.from({ length: 30 }, (_, at) => (at % 3 === 2 ? 3000 : 0)))],
    ['where nothing answers at all: that is no queue, and judged in the end', steadily(100, 0, 20)],
    ['behind a stop of a second or two that is caught up', seconds(1000, 1000, 1000, 1000, 100, 200, 2700, 1000)],
    [
      'where a rise of the rate is answered a moment later',
      [...steadily(1000, 900, 3), ...seconds(2000, 1900), ...seconds(3000, 2900), ...seconds(4000, 3900)],
    ],
    ['with too few arrivals to say anything', steadily(20, 10, 20)],
  ])('%s', (_, warmUp) => {
    for (let until = 0; until <= warmUp.length; until++) expect(judgeWarmUp(warmUp.slice(0, until), alone)).toEqual({ kind: 'holds' });
  });
});

describe("a queue that stands at a warm-up's end", () => {
  test('and grew in each of its last seconds: what was answered in them is what the machine holds', () => {
    expect(judgeBacklog(steadily(1000, 970, 12), alone)).toEqual({ kind: 'cannot', heldPerSecond: 970 });
    expect(judgeWarmUp(steadily(1000, 970, 12), alone)).toEqual({ kind: 'holds' });
  });
  test.each<[string, readonly WarmUpSecond[]]>([
    ['is small', steadily(1000, 970, 4)],
    ['no longer grows', [...steadily(1000, 900, 6), ...steadily(1000, 1000, 3)]],
    ['has begun to be worked off', [...steadily(1000, 900, 8), ...seconds(1000, 1010)]],
    ['grows by less than chance', [...steadily(1000, 800, 3), ...steadily(1000, 996, 5)]],
    ['belongs to a rate that has just risen', [...steadily(1000, 1000, 5), ...seconds(2000, 1500, 1900), ...seconds(3000, 2900)]],
    ['is of a stop', [...steadily(1000, 1000, 5), ...seconds(1000, 200, 1000, 1000)]],
  ])('is no sign where it %s', (_, warmUp) => {
    expect(judgeBacklog(warmUp, alone)).toEqual({ kind: 'holds' });
  });
  test('beside other programs it has to have grown for twice as long', () => {
    const late = [...steadily(1000, 1000, 5), ...steadily(1000, 900, 4)];
    expect(judgeBacklog(late, alone)).toMatchObject({ kind: 'cannot' });
    expect(judgeBacklog(late, { besideOthers: true })).toEqual({ kind: 'holds' });
  });
});

const phase = (ratePerSecond: number, more: Partial<ArrivalPhase> = {}): ArrivalPhase => ({
  name: 'warm-up',
  measured: false,
  durationSeconds: 10,
  rate: { kind: 'constant', ratePerSecond },
  spacing: 'poisson',
  traffic: [{ chain: 'ingest', weight: 1 }],
  ...more,
});

test('seconds are the plan by the plan, since an engine that stands still has counted nothing', () => {
  const cells = [exampleCell({ second: 1, counts: { planned: 100, answered: 90 } }), exampleCell({ second: 2, counts: { planned: 10, answered: 4 } })];
  expect(warmUpSeconds({ phase: phase(100), startMs: 500, cells, untilSecond: 3.9 })).toEqual([
    { planned: 100, answered: 90 },
    { planned: 100, answered: 4 },
  ]);
});

test("answers of a chain's later steps are no arrivals", () => {
  const cells = ['put', 'delete'].map((operation) => exampleCell({ second: 1, operation, counts: { planned: 100, answered: 80 } }));
  expect(warmUpSeconds({ phase: phase(100), startMs: 0, cells, untilSecond: 2 }).at(-1)).toEqual({ planned: 100, answered: 80 });
});

describe("the estimate at the warm-up's end", () => {
  const cost = { warmUp: 0, requestsPerSecond: 1000, cores: 2 };
  test('a peak that takes clearly more than there is, even where requests become cheaper', () => {
    const judged = judgeCost({ ...cost, phases: [phase(1000), phase(16_000)], coresUsed: 1 });
    expect(judged).toEqual({ kind: 'cannot', heldPerSecond: 4000 });
  });
  test.each<[string, Parameters<typeof judgeCost>[0]]>([
    ['may be held', { ...cost, phases: [phase(1000), phase(8000)], coresUsed: 1 }],
    ['was reached already', { ...cost, phases: [phase(1000), phase(1000)], coresUsed: 2 }],
    ['sends something else', { ...cost, phases: [phase(1000), phase(16_000, { traffic: [{ chain: 'launch', weight: 1 }] })], coresUsed: 1 }],
    ['follows a warm-up that used little', { ...cost, phases: [phase(1000), phase(100_000)], coresUsed: 0.9 }],
    ['follows a warm-up of a few', { ...cost, requestsPerSecond: 10, phases: [phase(10), phase(16_000)], coresUsed: 1 }],
  ])('says nothing of one that %s', (_, given) => {
    expect(judgeCost(given)).toEqual({ kind: 'holds' });
  });
});
