import { describe, expect, it } from 'vitest';
import { arrivalState } from '#harness/engine/engine.ts';
import { countOf } from '#harness/metrics/histogram.ts';
import { runClosedLoop } from './closed-loop.ts';
import { histogramOf, quantileMs, reasonsOf, statesOf, totalOf } from './figures.ts';
import { answerText, body202, bytesAt, constantServer, hangingServer, stallingServer } from './scripts.ts';
import { poissonPhase, simulateRun, startMs } from './simulate.ts';

const within = (value: number | undefined, expected: number, share: number): void => {
  expect(value).toBeGreaterThanOrEqual(expected * (1 - share));
  expect(value).toBeLessThanOrEqual(expected * (1 + share));
};

describe('known latencies', () => {
  it('reports 50 ms at every quantile for a server that always takes 50', () => {
    const run = simulateRun({ server: constantServer(50), phases: [poissonPhase('load', 500, 20)] });
    expect(totalOf(run, 'good')).toBe(10_000);
    for (const q of [0.001, 0.5, 0.9, 0.99, 0.999, 1]) {
      for (const time of ['service', 'response', 'chain'] as const) within(quantileMs(run, time, q), 50, 1 / 1024);
    }
    expect(quantileMs(run, 'dispatch_delay', 1)).toBeLessThanOrEqual(0.001);
  });

  it('reports 50 ms though every answer is read up to 20 ms late, where the wire says when it came; else what reading it took', () => {
    const stops = Array.from({ length: 500 }, (_, i) => ({ atMs: startMs + i * 40, forMs: 20 }));
    const phases = [{ ...poissonPhase('load', 500, 19), spacing: 'uniform' as const }];
    const told = simulateRun({ server: constantServer(50), phases, stops, stampsArrivals: true });
    for (const q of [0.001, 0.5, 0.99]) within(quantileMs(told, 'service', q), 50, 1 / 1024);
    // Half of the time it stands still, and what comes then has to wait: measured, and no part of the service's time.
    within(quantileMs(told, 'read_uncertainty', 0.99), 19, 0.1);
    const untold = simulateRun({ server: constantServer(50), phases, stops });
    expect(quantileMs(untold, 'service', 0.99)).toBeGreaterThan(60);
  });

  const stall = { serviceMs: 5, fromMs: startMs + 20_000, untilMs: startMs + 22_000 };

  it('shows a stall of 2 s at 200/s for 60 s where arithmetic puts it', () => {
    // Even spacing, so that exactly 400 arrivals fall into it; a Poisson plan has 400 ± 20 there.
    const phases = [{ ...poissonPhase('load', 200, 60), spacing: 'uniform' as const }];
    const run = simulateRun({ server: stallingServer(stall), phases, connection: { kind: 'per-device-group', connections: 8 } });
    expect(totalOf(run, 'fired')).toBe(12_000);
    within(quantileMs(run, 'response', 0.5), 5, 0.002);
    within(quantileMs(run, 'response', 0.99), 1405, 0.02);
    within(quantileMs(run, 'response', 0.999), 1945, 0.02);
    expect(totalOf(run, 'waitedForConnection')).toBe(0);
  });

  it('and a closed loop, the control, hides it', () => {
    const server = stallingServer({ serviceMs: 5, fromMs: 20_000, untilMs: 22_000 });
    const latenciesMs = runClosedLoop({ server, connections: 8, ratePerSecond: 200, durationSeconds: 60 });
    expect(latenciesMs.length).toBeGreaterThan(11_000);
    expect(latenciesMs[Math.floor(latenciesMs.length * 0.99)]).toBe(5);
    expect(latenciesMs.at(-1)).toBeGreaterThan(1900);
  });

  it('puts p99 among the failed when 5 % hang, and p90 not', () => {
    const run = simulateRun({ server: hangingServer({ serviceMs: 5, oneIn: 20 }), phases: [poissonPhase('load', 200, 20)], timeoutMs: 2000 });
    expect(totalOf(run, 'timedOut')).toBe(200);
    expect(quantileMs(run, 'response', 0.99)).toBe(Number.POSITIVE_INFINITY);
    within(quantileMs(run, 'response', 0.9), 5, 0.002);
    expect(statesOf(run)).toEqual({ [arrivalState.acknowledged]: 3800, [arrivalState.unknown]: 200 });
  });

  it('times a chain from its plan, and gives a response only to its first operation', () => {
    const step = (name: string, acknowledged: number) => ({
      name,
      request: () => ({ method: 'POST' as const, path: `/${name}`, headers: [], body: '{}' }),
      judge: () => ({ kind: 'good' as const, acknowledged, duplicate: 0, learned: { token: `of-${name}` } }),
    });
    const server = {
      answer: ({ text, atMs }: { text: string; atMs: number }) => [bytesAt(atMs + (text.startsWith('POST /authenticate') ? 10 : 20), answerText('{}'))],
    };
    const run = simulateRun({
      server,
      phases: [poissonPhase('load', 100, 10)],
      operations: [step('authenticate', 0), step('ingest', 1)],
      chains: { ingest: ['authenticate', 'ingest'] },
    });
    within(quantileMs(run, 'response', 0.99, 'authenticate'), 10, 0.001);
    within(quantileMs(run, 'service', 0.99, 'ingest'), 20, 0.001);
    within(quantileMs(run, 'chain', 0.99, 'ingest'), 30, 0.001);
    expect(countOf(histogramOf(run, 'response', { operation: 'ingest' }))).toBe(0);
    expect(countOf(histogramOf(run, 'chain', { operation: 'authenticate' }))).toBe(0);
    expect(statesOf(run)).toEqual({ [arrivalState.acknowledged]: 1000 });
  });

  it('is not good when it is right and late', () => {
    const run = simulateRun({ server: constantServer(300), phases: [poissonPhase('load', 100, 5)], goodWithinMs: 250 });
    expect(totalOf(run, 'good')).toBe(0);
    expect(reasonsOf(run)).toEqual({ late: 500 });
    expect(statesOf(run)).toEqual({ [arrivalState.acknowledged]: 500 });
  });
});

describe('wrong answers', () => {
  it('fails a 202 with a wrong count', () => {
    const run = simulateRun({ server: constantServer(5, answerText(body202(0))), phases: [poissonPhase('load', 100, 5)] });
    expect(totalOf(run, 'failed')).toBe(500);
    expect(totalOf(run, 'good')).toBe(0);
    expect(statesOf(run)).toEqual({ [arrivalState.unknown]: 500 });
  });

  it('fails what cannot be understood, and goes on', () => {
    const run = simulateRun({ server: constantServer(5, answerText('<html>')), phases: [poissonPhase('load', 100, 5)] });
    expect(reasonsOf(run)).toEqual({ 'not understood: SyntaxError': 500 });
    expect(statesOf(run)).toEqual({ [arrivalState.unknown]: 500 });
  });

  it('reads answers that are split anywhere or come in chunks', () => {
    const chunked = `HTTP/1.1 202 Accepted\r\nTransfer-Encoding: chunked\r\n\r\n${[...body202(1)].map((c) => `1\r\n${c}\r\n`).join('')}0\r\n\r\n`;
    const server = {
      answer: ({ atMs, request }: { atMs: number; request: number }) => {
        const text = request % 2 === 0 ? chunked : answerText(body202(1));
        const cut = 1 + (request % (text.length - 1));
        return [bytesAt(atMs + 5, text.slice(0, cut)), bytesAt(atMs + 7, text.slice(cut))];
      },
    };
    const run = simulateRun({ server, phases: [poissonPhase('load', 200, 10)] });
    expect(totalOf(run, 'good')).toBe(2000);
    within(quantileMs(run, 'service', 0.5), 7, 0.001);
  });

  it('takes a second answer glued to the first for nobody, and goes on with a new connection', () => {
    const text = answerText(body202(1));
    const run = simulateRun({ server: constantServer(5, text + text), phases: [poissonPhase('load', 100, 5)] });
    expect(totalOf(run, 'good')).toBe(500);
    expect(run.seen.requests).toBe(500);
    expect(run.seen.connections).toBeGreaterThanOrEqual(500);
  });

  it('a connection cut within the answer leaves the arrival unknown', () => {
    const server = {
      answer: ({ atMs, request }: { atMs: number; request: number }) =>
        request % 10 === 0
          ? [bytesAt(atMs + 5, answerText(body202(1)).slice(0, 60)), { kind: 'close' as const, atMs: atMs + 6, code: 'ECONNRESET' }]
          : [bytesAt(atMs + 5, answerText(body202(1)))],
    };
    const run = simulateRun({ server, phases: [poissonPhase('load', 100, 5)] });
    expect(reasonsOf(run)).toEqual({ 'connection cut in the answer': 50 });
    expect(statesOf(run)).toEqual({ [arrivalState.acknowledged]: 450, [arrivalState.unknown]: 50 });
  });

  it('a kept connection that the server closes before any byte is a failure, and no silent second try', () => {
    const server = {
      answer: ({ atMs, request }: { atMs: number; request: number }) =>
        request === 7 ? [{ kind: 'close' as const, atMs: atMs + 1 }] : [bytesAt(atMs + 5, answerText(body202(1)))],
    };
    const run = simulateRun({ server, phases: [poissonPhase('load', 100, 5)] });
    expect(reasonsOf(run)).toEqual({ 'connection closed': 1 });
    expect(run.seen.requests).toBe(500);
  });

  it('a refused connection is failed and its events are not there', () => {
    const server = { ...constantServer(5), connect: () => 'ECONNREFUSED' };
    const run = simulateRun({ server, phases: [poissonPhase('load', 50, 2)], connection: { kind: 'per-request', openMax: 100 } });
    expect(reasonsOf(run)).toEqual({ 'connect ECONNREFUSED': 100 });
    expect(statesOf(run)).toEqual({ [arrivalState.notFired]: 100 });
    expect([totalOf(run, 'fired'), totalOf(run, 'neverFired')]).toEqual([100, 0]);
  });

  it('the generator out of descriptors is load not delivered', () => {
    const server = { ...constantServer(5), connect: () => 'EMFILE' };
    const run = simulateRun({ server, phases: [poissonPhase('load', 50, 2)], connection: { kind: 'per-request', openMax: 100 } });
    expect([totalOf(run, 'fired'), totalOf(run, 'failed'), totalOf(run, 'neverFired')]).toEqual([0, 0, 100]);
  });
});
