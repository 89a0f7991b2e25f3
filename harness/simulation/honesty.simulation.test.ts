import { describe, expect, it } from 'vitest';
import { afterAcknowledged, arrivalState } from '#harness/engine/engine.ts';
import { countOf, quantileMicros } from '#harness/metrics/histogram.ts';
import { histogramOf, quantileMs, statesOf, totalOf } from './figures.ts';
import type { ScriptedRequest } from './scripted-wire.ts';
import { answerText, body202, bytesAt, constantServer } from './scripts.ts';
import { poissonPhase, simulateRun, startMs } from './simulate.ts';

const eventIds = (requests: readonly ScriptedRequest[]): readonly string[] => requests.map(({ text }) => /"id":"([^"]+)"/.exec(text)![1]!);

describe('the pool', () => {
  it('of one is flagged, and its wait is in the response', () => {
    const options = { server: constantServer(50), phases: [poissonPhase('load', 100, 5)] };
    const run = simulateRun({
      ...options,
      connection: { kind: 'per-device-group', connections: 1 },
      connectionsMax: 1,
      timeoutMs: 60_000,
      goodWithinMs: 60_000,
    });
    expect(totalOf(run, 'waitedForConnection')).toBeGreaterThan(300);
    expect(quantileMs(run, 'response', 0.99)).toBeGreaterThan(10_000);
    expect(quantileMs(run, 'service', 0.99)).toBeLessThan(51);
    expect(run.seen.connections).toBe(1);
  });

  it('opens as many connections as the load needs before anybody waits', () => {
    const run = simulateRun({ server: constantServer(50), phases: [poissonPhase('load', 100, 5)], connection: { kind: 'per-device-group', connections: 1 } });
    expect(totalOf(run, 'waitedForConnection')).toBe(0);
    expect(run.seen.connections).toBeGreaterThan(5);
    expect(quantileMs(run, 'service', 1)).toBeLessThan(51);
  });

  it('gives every request a connection of its own where the scenario says so, and times connecting apart', () => {
    const server = { ...constantServer(5), connect: () => 3 };
    const run = simulateRun({ server, phases: [poissonPhase('load', 100, 5)], connection: { kind: 'per-request', openMax: 1000 } });
    expect(run.seen).toEqual({ connections: 500, requests: 500 });
    expect(quantileMs(run, 'connect', 0.5)).toBeCloseTo(3, 2);
    expect(quantileMs(run, 'service', 0.5)).toBeCloseTo(5, 2);
    expect(quantileMs(run, 'response', 0.5)).toBeCloseTo(8, 2);
  });
});

describe('a stop of the generator', () => {
  const stop = { atMs: startMs + 3000, forMs: 600 };
  const run = simulateRun({ server: constantServer(50), phases: [poissonPhase('load', 200, 8)], stops: [stop] });

  it('spoils what was due or in flight in it and its aftermath, and nothing else', () => {
    expect(totalOf(run, 'good')).toBe(1600);
    const spoiled = countOf(histogramOf(run, 'response', { of: 'spoiled' }));
    // 600 ms of arrivals, 50 ms in flight before it, 50 ms after it: 140 on average.
    expect(spoiled).toBeGreaterThan(100);
    expect(spoiled).toBeLessThan(180);
    expect(countOf(histogramOf(run, 'response'))).toBe(1600 - spoiled);
    expect(quantileMicros(histogramOf(run, 'response'), 1)! / 1000).toBeLessThan(51);
    expect(quantileMicros(histogramOf(run, 'response', { of: 'spoiled' }), 1)! / 1000).toBeGreaterThan(500);
  });

  it('is load not delivered where it made arrivals later than they may be', () => {
    // Those due in the first 500 of the 600 ms.
    expect(totalOf(run, 'firedLate')).toBeGreaterThan(75);
    expect(totalOf(run, 'firedLate')).toBeLessThan(125);
  });

  it("stands in the worker's own lag", () => {
    const total = run.workers.reduce((sum, lag) => sum + lag.stopMsTotal, 0);
    expect(total).toBeGreaterThanOrEqual(600);
    expect(total).toBeLessThan(610);
  });

  it("a failure in it is known as possibly the generator's", () => {
    const failing = simulateRun({ server: constantServer(50, answerText('{}', '500 Broken')), phases: [poissonPhase('load', 200, 8)], stops: [stop] });
    expect(totalOf(failing, 'failed')).toBe(1600);
    expect(totalOf(failing, 'spoiledFailed')).toBeGreaterThan(100);
    expect(totalOf(failing, 'spoiledFailed')).toBeLessThan(180);
  });

  it('a generator that never stops spoils nothing', () => {
    const calm = simulateRun({ server: constantServer(50), phases: [poissonPhase('load', 200, 8)] });
    expect(countOf(histogramOf(calm, 'response', { of: 'spoiled' }))).toBe(0);
  });
});

describe('workers', () => {
  it('share no arrival, miss none, and fire what one worker would fire', () => {
    const firedBy = (workers: number): readonly string[] => {
      const requests: ScriptedRequest[] = [];
      const server = {
        answer: (request: ScriptedRequest) => {
          requests.push(request);
          return constantServer(5).answer(request);
        },
      };
      simulateRun({ server, phases: [poissonPhase('load', 200, 10)], workers, devices: 37, seed: 9 });
      return eventIds(requests);
    };
    const one = firedBy(1);
    const three = firedBy(3);
    expect(new Set(three).size).toBe(2000);
    expect([...three].sort()).toEqual([...one].sort());
  });

  it('report Poisson arrivals as Poisson', () => {
    const run = simulateRun({ server: constantServer(5), phases: [poissonPhase('load', 2000, 10)], workers: 2 });
    for (const { planned, fired } of run.evenness) {
      expect(planned).toBeGreaterThan(0.8);
      expect(planned).toBeLessThan(1.2);
      expect(fired).toBeCloseTo(planned, 6);
    }
    expect(run.evenness.map(({ binMs }) => binMs)).toEqual([0.2, 1, 10]);
  });
});

describe("the ledger's bytes", () => {
  it('say that an arrival was sent after the one before it of its device had been acknowledged', () => {
    const run = simulateRun({ server: constantServer(5), phases: [poissonPhase('load', 100, 10)], devices: 10 });
    expect(run.states.slice(0, 10).every((state) => state === arrivalState.acknowledged)).toBe(true);
    const ordered = run.states.filter((state) => (state & afterAcknowledged) !== 0).length;
    expect(ordered).toBeGreaterThan(900);
  });

  it('and not where it was still out', () => {
    const run = simulateRun({ server: constantServer(5000), phases: [poissonPhase('load', 100, 4)], devices: 10 });
    expect(run.states.every((state) => (state & afterAcknowledged) === 0)).toBe(true);
    expect(statesOf(run)).toEqual({ [arrivalState.acknowledged]: 400 });
  });

  it('keep what a cut phase never planned apart', () => {
    const phases = [poissonPhase('warm', 100, 10), poissonPhase('load', 100, 5)];
    const run = simulateRun({ server: constantServer(5), phases, cut: { phase: 0, atMs: startMs + 4000 } });
    expect(totalOf(run, 'planned')).toBe(run.seen.requests);
    expect(statesOf(run)[arrivalState.notPlanned]).toBe(1500 - run.seen.requests);
    expect(run.states.slice(1000).every((state) => (state & 0x0f) === arrivalState.acknowledged)).toBe(true);
  });

  it('a phase that is cut before its start leaves the one before it whole', () => {
    const phases = [poissonPhase('warm', 100, 10), poissonPhase('load', 100, 5)];
    // Given 50 ms before its start, while the one before it still runs.
    const run = simulateRun({ server: constantServer(5), phases, cut: { phase: 1, atMs: startMs + 10_000 - 20 } });
    expect(statesOf(run)).toEqual({ [arrivalState.acknowledged]: 1000, [arrivalState.notPlanned]: 500 });
    expect(run.states.slice(1000).every((state) => state === arrivalState.notPlanned)).toBe(true);
  });

  it('what one step of a chain had acknowledged stays so, whatever becomes of the later ones', () => {
    const step = (name: string, acknowledged: number) => ({
      name,
      request: () => ({ method: 'POST' as const, path: `/${name}`, headers: [], body: '{}' }),
      judge: ({ status }: { status: number }) =>
        status === 202 ? { kind: 'good' as const, acknowledged, duplicate: 0 } : { kind: 'failed' as const, reason: `status ${status}` },
    });
    const operations = [step('ingest', 1), step('read', 0)];
    const answers = [[], [answerText('{}')], [answerText('{}', '500 Broken')], [answerText('{}', '404 Missing')]];
    for (const texts of answers) {
      const server = {
        answer: ({ text, atMs }: ScriptedRequest) => (text.startsWith('POST /ingest') ? [answerText('{}')] : texts).map((answer) => bytesAt(atMs + 5, answer)),
      };
      const run = simulateRun({ server, operations, chains: { ingest: ['ingest', 'read'] }, phases: [poissonPhase('load', 100, 2)], timeoutMs: 500 });
      expect(statesOf(run)).toEqual({ [arrivalState.acknowledged]: 200 });
    }
  });

  it('a refusal is refused, and shed is counted by itself', () => {
    const operations = [
      {
        name: 'ingest',
        request: () => ({ method: 'POST' as const, path: '/', headers: [], body: '' }),
        judge: (response: { header: (name: string) => string | undefined }) => ({
          kind: 'shed' as const,
          retryAfterSeconds: Number(response.header('retry-after')),
        }),
      },
    ];
    const server = { answer: ({ atMs }: ScriptedRequest) => [bytesAt(atMs + 5, answerText(body202(0), '503 Busy', 'Retry-After: 3\r\n'))] };
    const run = simulateRun({ server, operations, phases: [poissonPhase('load', 100, 2)] });
    expect([totalOf(run, 'shed'), totalOf(run, 'failed'), totalOf(run, 'answered')]).toEqual([200, 0, 200]);
    expect(statesOf(run)).toEqual({ [arrivalState.refused]: 200 });
  });
});
