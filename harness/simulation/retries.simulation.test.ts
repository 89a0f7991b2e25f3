/** Devices that come back: when, how often, and what the books say of them. */
import { describe, expect, it } from 'vitest';
import { arrivalState } from '#harness/engine/engine.ts';
import { countOf } from '#harness/metrics/histogram.ts';
import { operations } from '#harness/target/operations.ts';
import { histogramOf, quantileMs, statesOf, totalOf } from './figures.ts';
import type { Act, ScriptedRequest, ScriptedServer } from './scripted-wire.ts';
import { answerText, bytesAt } from './scripts.ts';
import { poissonPhase, type SimulateOptions, simulateRun as simulate, startMs } from './simulate.ts';

const simulateRun = (options: SimulateOptions) => simulate({ operations, ...options });
const phases = [poissonPhase('load', 50, 4)];
const accepted = JSON.stringify({ accepted: 1, duplicate: 0, rejected: [], position: 'p', durability: 'fsync' });
const good = (atMs: number): readonly Act[] => [bytesAt(atMs + 5, answerText(accepted))];
const shed = (atMs: number, retryAfter: number): readonly Act[] => [bytesAt(atMs + 1, answerText('{}', '503 Unavailable', `Retry-After: ${retryAfter}\r\n`))];
const idOf = ({ text }: ScriptedRequest): string => /"id":"([^"]+)"/.exec(text)![1]!;

/** Answers by how often an arrival has asked; notes when. */
function byTry(answer: (request: ScriptedRequest, tries: number) => readonly Act[]): { server: ScriptedServer; askedAtMs: Map<string, number[]> } {
  const askedAtMs = new Map<string, number[]>();
  const server: ScriptedServer = {
    answer: (request) => {
      const asked = askedAtMs.get(idOf(request)) ?? [];
      askedAtMs.set(idOf(request), [...asked, request.atMs]);
      return answer(request, asked.length + 1);
    },
  };
  return { server, askedAtMs };
}

const honour = { kind: 'honour', triesMax: 5, afterMs: 1000 } as const;

describe('a device that was shed', () => {
  it('comes back when it was asked to, with the same event, and is acknowledged once', () => {
    const { server, askedAtMs } = byTry(({ atMs }, tries) => (tries === 1 ? shed(atMs, 2) : good(atMs)));
    const run = simulateRun({ server, phases, retry: honour });
    expect([totalOf(run, 'shed'), totalOf(run, 'good'), totalOf(run, 'givenUp')]).toEqual([200, 200, 0]);
    for (const [first, second] of askedAtMs.values()) expect(second! - first!).toBeGreaterThanOrEqual(2000);
    for (const [first, second] of askedAtMs.values()) expect(second! - first!).toBeLessThan(2010);
    expect(statesOf(run)).toEqual({ [arrivalState.acknowledged]: 200 });
  });
  it('takes no notice where it is one that does not', () => {
    const { server, askedAtMs } = byTry(({ atMs }, tries) => (tries < 3 ? shed(atMs, 30) : good(atMs)));
    const run = simulateRun({ server, phases, retry: { kind: 'ignore', triesMax: 5, afterMs: 100 } });
    expect(totalOf(run, 'good')).toBe(200);
    for (const [first, , third] of askedAtMs.values()) expect(third! - first!).toBeLessThan(220);
  });
  it('gives up after its last try, and that is counted once an arrival', () => {
    const { server, askedAtMs } = byTry(({ atMs }) => shed(atMs, 1));
    const run = simulateRun({ server, phases, retry: { ...honour, triesMax: 3 } });
    expect([totalOf(run, 'shed'), totalOf(run, 'givenUp'), totalOf(run, 'good')]).toEqual([600, 200, 0]);
    expect([...askedAtMs.values()].every(({ length }) => length === 3)).toBe(true);
  });
  it('without a second try gives up at once', () => {
    const run = simulateRun({ server: byTry(({ atMs }) => shed(atMs, 1)).server, phases });
    expect([totalOf(run, 'shed'), totalOf(run, 'givenUp')]).toEqual([200, 200]);
  });
});

describe('what tries do to the books', () => {
  it('a wait that was asked for is no slow answer: response is the first try’s, chain is the arrival’s', () => {
    const run = simulateRun({ server: byTry(({ atMs }, tries) => (tries === 1 ? shed(atMs, 2) : good(atMs))).server, phases, retry: honour });
    expect(quantileMs(run, 'service', 1)).toBeLessThan(6);
    expect(quantileMs(run, 'chain', 0.5)).toBeGreaterThan(2000);
  });
  it('a try that was cut and one that is refused after it: nobody knows whether it is there', () => {
    const { server } = byTry(({ atMs }, tries) => (tries === 1 ? [{ kind: 'close', atMs: atMs + 5 }] : shed(atMs, 1)));
    const run = simulateRun({ server, phases, retry: { ...honour, triesMax: 2 } });
    expect(statesOf(run)).toEqual({ [arrivalState.unknown]: 200 });
  });
});

describe('an answer that would be the same again', () => {
  const refused = (atMs: number): readonly Act[] => [bytesAt(atMs + 1, answerText('{}', '401 Unauthorized', ''))];
  it('is not asked for again', () => {
    const { server, askedAtMs } = byTry(({ atMs }) => refused(atMs));
    const run = simulateRun({ server, phases, retry: honour });
    expect([totalOf(run, 'failed'), totalOf(run, 'givenUp')]).toEqual([200, 200]);
    expect([...askedAtMs.values()].every(({ length }) => length === 1)).toBe(true);
  });

  it('nor is a good one that came too late, which is no reason to give up', () => {
    const { server, askedAtMs } = byTry(({ atMs }) => [bytesAt(atMs + 400, answerText(accepted))]);
    const run = simulateRun({ server, phases, retry: honour, goodWithinMs: 300, timeoutMs: 1000 });
    expect([totalOf(run, 'failed'), totalOf(run, 'givenUp')]).toEqual([200, 0]);
    expect([...askedAtMs.values()].every(({ length }) => length === 1)).toBe(true);
    expect(statesOf(run)).toEqual({ [arrivalState.acknowledged]: 200 });
  });

  const launches = [{ ...poissonPhase('load', 50, 4), traffic: [{ chain: 'launch', weight: 1 }] }];
  const chains = { launch: ['register-new'] };
  const deviceOf = ({ text }: ScriptedRequest): string => /PUT (\S+)/.exec(text)![1]!;
  const registers = (first: (atMs: number) => readonly Act[]): ScriptedServer => {
    const known = new Set<string>();
    return {
      answer: (request) => {
        if (known.has(deviceOf(request))) return refused(request.atMs);
        known.add(deviceOf(request));
        return first(request.atMs);
      },
    };
  };
  it('of a device whose registration was cut says that it is registered', () => {
    const run = simulateRun({ server: registers((atMs) => [{ kind: 'close', atMs: atMs + 5 }]), phases: launches, chains, retry: honour });
    expect([totalOf(run, 'cut'), totalOf(run, 'good'), totalOf(run, 'givenUp')]).toEqual([200, 200, 0]);
    expect(statesOf(run)).toEqual({ [arrivalState.acknowledged]: 200 });
  });
  it('of one that never asked before is a refusal', () => {
    const run = simulateRun({ server: { answer: ({ atMs }) => refused(atMs) }, phases: launches, chains, retry: honour });
    expect([totalOf(run, 'good'), totalOf(run, 'failed'), totalOf(run, 'givenUp')]).toEqual([0, 200, 200]);
    expect(statesOf(run)).toEqual({ [arrivalState.refused]: 200 });
  });
});

describe('a stop of the generator', () => {
  const stop = { atMs: startMs + 1000, forMs: 300 };
  const inStop = (atMs: number): boolean => atMs >= stop.atMs && atMs <= stop.atMs + stop.forMs;

  it('reached the arrival whose first try it reached, though the second came long after it', () => {
    const { server } = byTry(({ atMs }, tries) => (tries === 1 && inStop(atMs) ? shed(atMs, 1) : good(atMs)));
    const run = simulateRun({ server, phases, retry: honour, stops: [stop] });
    const again = totalOf(run, 'shed');
    expect(again).toBeGreaterThan(5);
    expect(countOf(histogramOf(run, 'chain', { of: 'spoiled' }))).toBeGreaterThanOrEqual(again);
    // The second try alone is as trustworthy as any.
    expect(countOf(histogramOf(run, 'response', { of: 'spoiled' })) + countOf(histogramOf(run, 'response'))).toBe(200 - again);
  });

  it('leaves no trace once all that was out is back, however often they tried meanwhile', () => {
    const { server } = byTry(({ atMs }, tries) => (tries < 3 && inStop(atMs) ? shed(atMs, 0) : good(atMs)));
    const run = simulateRun({ server, phases, retry: { kind: 'ignore', triesMax: 5, afterMs: 20 }, stops: [stop], timeoutMs: 2000 });
    const spoiledAt = run.cells.filter(({ times }) => countOf(times.chain?.spoiled ?? { index: [], count: [] }) > 0).map(({ second }) => second);
    expect(Math.max(...spoiledAt)).toBeLessThanOrEqual((stop.atMs + stop.forMs) / 1000 + 1);
    expect(totalOf(run, 'good')).toBe(200);
  });
});
