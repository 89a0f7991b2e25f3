import { describe, expect, test } from 'vitest';
import { Broken, Untold } from './rule.ts';
import { quietRuler, type RulerReading, rulerOf } from './ruler.ts';
import { workMsNominal } from './ruler-work.ts';
import { timingOf } from './timing.ts';
import { soon } from './user.ts';

const slow = (slowness: number, stoppedMs = 0) => ({ slownessSince: () => slowness, stoppedMsSince: () => stoppedMs });
const timing = (ruler = quietRuler, strict = false) => timingOf(ruler, { sinceMs: 0, strict });
const late = (tookMs: number) => ({ what: 'an answer', tookMs, statedMs: 100 });

describe('a bound on time', () => {
  test('is as stated with --strict, and without it grows with what the machine did', () => {
    expect(timing(slow(4, 500), true).boundMs(100)).toBe(100);
    expect(timing().boundMs(100)).toBe(200);
    expect(timing(slow(2)).boundMs(100)).toBe(400);
    expect(timing(slow(2, 50)).boundMs(100)).toBe(450);
    expect(timing(slow(50)).boundMs(100)).toBe(timing(slow(8)).boundMs(100));
  });

  test('that is missed breaks a rule on a machine that has time', () => {
    expect(() => timing().holdTime(late(200))).not.toThrow();
    expect(() => timing().holdTime(late(201))).toThrow(Broken);
    expect(() => timing(quietRuler, true).holdTime(late(101))).toThrow(Broken);
  });

  test('that is missed on a slow machine cannot be told, and far beyond it is broken all the same', () => {
    expect(() => timing(slow(4)).holdTime(late(800))).not.toThrow();
    expect(() => timing(slow(4)).holdTime(late(801))).toThrow(Untold);
    expect(() => timing(slow(4)).holdTime(late(1601))).toThrow(Broken);
    expect(() => timing(slow(4, 1000)).holdTime(late(2600))).toThrow(Untold);
    expect(() => timing(slow(4, 1000)).holdTime(late(2601))).toThrow(Broken);
  });

  test('names what came and how the machine was', () => {
    expect(() => timing(slow(4, 200)).holdTime(late(1100))).toThrow(
      /an answer within 1000 ms; came 1100 ms; this machine was 4.0 times as slow .* stopped for up to 200 ms/,
    );
  });

  test('what needs a machine that does not stop cannot be told on one that did', () => {
    expect(() => timing(slow(1, 100)).neededNoStop('this', 100)).not.toThrow();
    expect(() => timing(slow(1, 101)).neededNoStop('this', 100)).toThrow(Untold);
    expect(() => timing(slow(3)).neededNoStop('this', 100)).toThrow(Untold);
  });

  test('what never comes is broken on every machine, and what comes late on a slow one cannot be told', async () => {
    const never = { what: 'it', statedMs: 2, holds: () => false };
    await expect(soon(timing(), never)).rejects.toThrow(Broken);
    await expect(soon(timing(slow(8)), never)).rejects.toThrow(Broken);
    let asked = 0;
    const judge = () => (asked < 3 ? 'late' : 'in-time') as 'late' | 'in-time';
    await soon({ judge, holdTime: () => undefined }, { what: 'it', statedMs: 1, holds: () => ++asked === 3 });
    expect(asked).toBe(3);
  });
});

describe('the ruler', () => {
  const reading = (atMs: number, slowness: number, lateMs = 0): RulerReading => ({ kind: 'work', atMs, workMs: slowness * workMsNominal, lateMs });

  test('says the quicker ones’ time since a moment, and never that a machine is faster than its bounds need', () => {
    const readings = [reading(1, 9), reading(10, 1), reading(11, 2), reading(12, 50), reading(13, 4), reading(14, 3)];
    expect(rulerOf(readings).slownessSince(10)).toBe(2);
    expect(rulerOf([reading(1, 0.5)]).slownessSince(0)).toBe(1);
    expect(rulerOf([]).slownessSince(0)).toBe(1);
  });

  test('has the last reading for a moment that has none yet', () => {
    expect(rulerOf([reading(1, 2), reading(2, 5)]).slownessSince(3)).toBe(5);
    expect(rulerOf([reading(1, 2)]).stoppedMsSince(3)).toBe(0);
  });

  test('says the longest stop: a late turn, or work that was interrupted', () => {
    const readings = [reading(1, 1, 900), reading(10, 1, 40), reading(11, 1), reading(12, 11)];
    expect(rulerOf(readings).stoppedMsSince(5)).toBeCloseTo(10 * workMsNominal);
    expect(rulerOf(readings).stoppedMsSince(0)).toBe(900);
  });

  test('a process that waits for a core as long as it runs is twice as slow', () => {
    const waits = (atMs: number, ranMs: number, waitedMs: number): RulerReading => ({ kind: 'waits', atMs, ranMs, waitedMs });
    expect(rulerOf([waits(1, 100, 900), reading(10, 2), waits(11, 60, 40), waits(12, 40, 60)]).slownessSince(10)).toBe(4);
    expect(rulerOf([reading(10, 2), waits(11, 19, 40)]).slownessSince(10)).toBe(2);
  });

  test('what only the asker noticed says nothing about speed', () => {
    const readings = [reading(1, 2), { kind: 'late', atMs: 2, lateMs: 70 } as const];
    expect(rulerOf(readings).slownessSince(0)).toBe(2);
    expect(rulerOf(readings).stoppedMsSince(0)).toBe(70);
  });
});
