/** What the listeners say of scripted services whose faults are known: no fault may pass, and none of our own may be the service's. */
import { describe, expect, test } from 'vitest';
import { countOf, mergeHistograms, quantileMicros } from '#harness/metrics/histogram.ts';
import type { StreamTimeName } from '#harness/run-result.ts';
import { eventIdOf } from '#harness/target/event-ids.ts';
import { promiseKey } from '#harness/target/item-laws.ts';
import { changeHash } from '#harness/target/stream-contract.ts';
import type { Act, ScriptedRequest } from './scripted-wire.ts';
import { run, type SimulatedOutcome, simulateStreams } from './simulate-streams.ts';

const head = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n';
const cursorOf = (i: number): string => `c${String(i).padStart(6, '0')}`;
const chunk = (frame: object): string => {
  const line = `${JSON.stringify(frame)}\n`;
  return `${line.length.toString(16)}\r\n${line}\r\n`;
};
const hello = (from: string, resumed = false) => ({ t: 'hello', v: 1, cid: 'x', epoch: 'e', from, resumed, hb: 1000, age: 1e6, ack: 'fsync' });
const put = (i: number, arrival = i) => ({ t: 'put', ch: 'sync:trips', k: 'k', ver: i, c: cursorOf(i), ts: '', d: { id: eventIdOf(run, arrival, 0) } });
const say = (atMs: number, frame: object): Act => ({ kind: 'bytes', atMs, text: chunk(frame) });
const beats = (fromMs: number, untilMs: number, position: number): readonly Act[] =>
  Array.from({ length: Math.floor((untilMs - fromMs) / 1000) }, (_, i) => say(fromMs + (i + 1) * 1000, { t: 'hb', c: cursorOf(position) }));
const sinceOf = ({ text }: ScriptedRequest): string => /since=([^& ]+)/.exec(text)?.[1] ?? '';
const open = (atMs: number, from: number, resumed = false): readonly Act[] => [
  { kind: 'bytes', atMs, text: head + chunk(hello(cursorOf(from), resumed)) },
  say(atMs, { t: 'sync', c: cursorOf(from), h: {} }),
];
const logOf = (count: number) => [
  { user: 0, entries: Array.from({ length: count }, (_, i) => ({ cursor: cursorOf(i + 1), channel: 'sync:trips', hash: changeHash(put(i + 1)) })) },
];
const quantileMs = (outcome: SimulatedOutcome, time: StreamTimeName, q: number, kind: 'clean' | 'spoiled' = 'clean'): number =>
  (quantileMicros(mergeHistograms(outcome.cells.flatMap((cell) => (cell.times[time] === undefined ? [] : [cell.times[time][kind]]))), q) ?? Number.NaN) / 1000;
const samples = (outcome: SimulatedOutcome, time: StreamTimeName, kind: 'clean' | 'spoiled'): number =>
  outcome.cells.reduce((sum, cell) => sum + countOf(cell.times[time]?.[kind] ?? { index: [], count: [] }), 0);

describe('a service that keeps its promises', () => {
  const outcome = simulateStreams({
    seconds: 10,
    server: () => ({ answer: ({ atMs }) => [...open(atMs + 20, 0), say(2000, put(1)), say(2500, put(2)), ...beats(2500, 10_000, 2)] }),
    acknowledged: { keys: [promiseKey(1, 'write'), promiseKey(2, 'write')], atMs: [1950, 2600] },
    logs: logOf(2),
  });
  test('hello, lag and gaps are what was scripted', () => {
    expect(quantileMs(outcome, 'hello', 1)).toBeCloseTo(20, 0);
    expect([quantileMs(outcome, 'delivery_lag', 0.5), quantileMs(outcome, 'delivery_lag', 1)]).toEqual([0.001, expect.closeTo(50, 0)]);
    expect(quantileMs(outcome, 'frame_gap', 1)).toBeCloseTo(1980, -1);
    expect(outcome.cells.at(-1)?.held).toEqual({ live: 1, opening: 0, waiting: 0 });
  });
  test('nothing is lost, late or doubled', async () => {
    for (const name of ['lost', 'failed', 'reordered', 'leaked', 'heartbeatsMissed'] as const) expect(outcome.count(name)).toBe(0);
    expect(await outcome.compare()).toMatchObject({ readers: 1, expected: 2, seen: 2, lost: 0, duplicated: 0 });
  });
});

describe('a holder that reads 20 ms late', () => {
  const late = (stampsArrivals: boolean, reader = {}) =>
    simulateStreams({
      seconds: 5,
      stampsArrivals,
      readers: [reader],
      server: () => ({ answer: ({ atMs }) => [...open(atMs + 20, 0), say(2000, put(1)), ...beats(2000, 5000, 1)] }),
      stops: [{ atMs: 1990, forMs: 30 }],
      acknowledged: { keys: [promiseKey(1, 'write')], atMs: [1900] },
      logs: logOf(1),
    });

  test('tells when the frame was there, where the wire knows it', () => {
    expect(quantileMs(late(true), 'delivery_lag', 1)).toBeCloseTo(100, 0);
    expect(quantileMs(late(true), 'frame_gap', 1)).toBeCloseTo(1980, -1);
    expect(quantileMs(late(false), 'delivery_lag', 1)).toBeCloseTo(120, 0);
  });

  test('and a reader that is slow on purpose has it when it reads', () => {
    expect(quantileMs(late(true, { pace: { kind: 'slow', bytesPerSecond: 1e9 } }), 'delivery_lag', 1)).toBeCloseTo(120, 0);
  });
});

describe('faults of the service are seen', () => {
  const told = (frames: readonly object[]) => ({
    seconds: 6,
    logs: logOf(3),
    server: () => ({
      answer: ({ atMs }: ScriptedRequest) => [...open(atMs, 0), ...frames.map((frame, i) => say(1000 + i * 100, frame)), ...beats(1300, 6000, 3)],
    }),
  });
  test('a change that never comes is lost', async () => {
    expect(await simulateStreams(told([put(1), put(3)])).compare()).toMatchObject({ expected: 3, seen: 2, lost: 1, duplicated: 0 });
  });
  test('a change that comes twice is doubled, and its cursor did not grow', async () => {
    const outcome = simulateStreams(told([put(1), put(2), put(2), put(3)]));
    expect(outcome.count('reordered')).toBe(1);
    expect(await outcome.compare()).toMatchObject({ lost: 0, duplicated: 1 });
  });
  test('two that change places are reordered', async () => {
    const outcome = simulateStreams(told([put(2), put(1), put(3)]));
    expect(outcome.count('reordered')).toBe(1);
    expect(await outcome.compare()).toMatchObject({ lost: 0, duplicated: 0 });
  });
  test('another user’s change is a leak', () => {
    // Arrival 1 is of device 1 and so of user 1; the only listener is user 0's.
    const outcome = simulateStreams({ ...told([put(2, 1)]), users: 2 });
    expect(outcome.count('leaked')).toBe(1);
  });
  test('a heartbeat that does not come is missed, and a silent stream is given up after two and five seconds', () => {
    const outcome = simulateStreams({
      seconds: 12,
      server: () => ({
        answer: ({ atMs, request }) => (request === 0 ? [...open(atMs, 0), say(3500, { t: 'hb', c: cursorOf(0) })] : [...open(atMs, 0, true)]),
      }),
    });
    expect(outcome.count('heartbeatsMissed')).toBe(2);
    expect(outcome.reasons).toEqual({ silent: 1 });
    expect(quantileMs(outcome, 'lifetime', 1)).toBeCloseTo(10_500, -2);
  });
});

describe('a loss, and the way back', () => {
  test('it comes back with its cursor, sees what it missed, and the time away is measured', async () => {
    const asked: string[] = [];
    const outcome = simulateStreams({
      seconds: 8,
      logs: logOf(2),
      server: () => ({
        answer: (request) => {
          asked.push(sinceOf(request));
          if (request.request === 0) return [...open(request.atMs, 0), say(1000, put(1)), { kind: 'close', atMs: 2000, code: 'ECONNRESET' }];
          return [
            { kind: 'bytes', atMs: request.atMs, text: head + chunk(hello(cursorOf(1), true)) + chunk(put(2)) },
            say(request.atMs, { t: 'sync', c: cursorOf(2), h: {} }),
          ];
        },
      }),
    });
    expect(asked).toEqual(['now', cursorOf(1)]);
    expect(outcome.reasons).toEqual({ 'cut rst': 1 });
    expect([outcome.count('lost'), outcome.count('resumed')]).toEqual([1, 1]);
    expect(quantileMs(outcome, 'resume', 1)).toBeLessThanOrEqual(510);
    expect(await outcome.compare()).toMatchObject({ expected: 2, seen: 2, lost: 0 });
  });
  test('a bye is no loss, and its retry_ms is kept', () => {
    const dials: number[] = [];
    const outcome = simulateStreams({
      seconds: 6,
      server: () => ({
        answer: ({ atMs, request }) => {
          dials.push(atMs);
          const bye = { t: 'bye', code: 'drain', retry_ms: 3000, c: cursorOf(0) };
          return request === 0 ? [...open(atMs, 0), say(1000, bye)] : open(atMs, 0, true);
        },
      }),
    });
    expect([outcome.count('byes'), outcome.count('lost')]).toEqual([1, 0]);
    expect(outcome.reasons).toEqual({ 'bye drain': 1 });
    expect(dials[1]).toBeGreaterThanOrEqual(4000);
  });
  test('who is refused waits as asked; who is told that its cursor is gone begins anew', () => {
    const asked: string[] = [];
    const outcome = simulateStreams({
      seconds: 8,
      server: () => ({
        answer: (request) => {
          asked.push(sinceOf(request));
          const answer = (text: string): readonly Act[] => [{ kind: 'bytes', atMs: request.atMs, text: `HTTP/1.1 ${text}\r\nContent-Length: 0\r\n\r\n` }];
          if (request.request === 0) return [...open(request.atMs, 5), { kind: 'close', atMs: 1000 }];
          if (request.request === 1) return answer('503 Unavailable\r\nRetry-After: 2');
          return request.request === 2 ? answer('410 Gone') : open(request.atMs, 9);
        },
      }),
    });
    expect(asked).toEqual(['now', cursorOf(5), cursorOf(5), 'now']);
    expect([outcome.count('refused'), outcome.count('resynced')]).toEqual([1, 1]);
    expect(outcome.reasons).toMatchObject({ 'cut fin': 1, 'status 503': 1, 'status 410': 1 });
  });
  test('lost again before it had caught up: one loss, and one time away from the first end on', () => {
    const outcome = simulateStreams({
      seconds: 8,
      server: () => ({
        answer: ({ atMs, request }) => {
          const half: Act = { kind: 'bytes', atMs, text: head + chunk(hello(cursorOf(0), true)) };
          if (request === 0) return [...open(atMs, 0), { kind: 'close', atMs: 1000 }];
          return request === 1 ? [half, { kind: 'close', atMs: atMs + 200 }] : open(atMs, 0, true);
        },
      }),
    });
    expect([outcome.count('lost'), outcome.count('relapsed'), outcome.count('failed'), samples(outcome, 'resume', 'clean')]).toEqual([1, 1, 0, 1]);
    expect(quantileMs(outcome, 'resume', 1)).toBeGreaterThan(200);
  });
  test('who never comes back has no time away', () => {
    const outcome = simulateStreams({
      seconds: 20,
      server: () => ({
        connect: (connection) => (connection === 0 ? 0 : 'ECONNREFUSED'),
        answer: ({ atMs }) => [...open(atMs, 0), { kind: 'close', atMs: 1000 }],
      }),
    });
    expect([outcome.count('lost'), samples(outcome, 'resume', 'clean')]).toEqual([1, 0]);
    expect(outcome.cells.at(-1)?.held.live).toBe(0);
  });
  test('closed by the population while it was away: nobody waits for it', () => {
    const outcome = simulateStreams({
      seconds: 5,
      closeAtMs: 2000,
      server: () => ({
        connect: (connection) => (connection === 0 ? 0 : 'ECONNREFUSED'),
        answer: ({ atMs }) => [...open(atMs, 0), { kind: 'close', atMs: 1000 }],
      }),
    });
    expect([outcome.count('lost'), outcome.count('abandoned'), outcome.count('closed')]).toEqual([1, 1, 0]);
  });
});

test('our own stop is not the service’s: what was late in it is spoiled', () => {
  const outcome = simulateStreams({
    seconds: 8,
    stops: [{ atMs: 2000, forMs: 2600 }],
    server: () => ({ answer: ({ atMs }) => [...open(atMs, 0), say(3000, put(1)), ...beats(0, 8000, 1)] }),
    acknowledged: { keys: [promiseKey(1, 'write')], atMs: [2990] },
  });
  expect(outcome.count('heartbeatsMissed')).toBe(outcome.spoiled('heartbeatsMissed'));
  expect(outcome.count('heartbeatsMissed')).toBe(1);
  expect([samples(outcome, 'delivery_lag', 'clean'), samples(outcome, 'delivery_lag', 'spoiled')]).toEqual([0, 1]);
  expect(Math.max(...outcome.lag.map(({ stopMsTotal }) => stopMsTotal))).toBeGreaterThan(2500);
});

test('a poll sees the same changes, later, and asks as often as it was told', async () => {
  const outcome = simulateStreams({
    seconds: 10,
    readers: [{ channels: ['sync:trips'], way: { kind: 'poll', everyMs: 2000 } }],
    logs: logOf(1),
    acknowledged: { keys: [promiseKey(1, 'write')], atMs: [2500] },
    server: () => ({
      answer: (request) => {
        const isNew = request.atMs > 2500 && sinceOf(request) !== cursorOf(1);
        const body = JSON.stringify({ changes: isNew ? [put(1)] : [], cursor: cursorOf(request.atMs > 2500 ? 1 : 0), up_to_date: true });
        return [{ kind: 'bytes', atMs: request.atMs + 5, text: `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}` }];
      },
    }),
  });
  expect(outcome.count('dialled')).toBe(5);
  expect(quantileMs(outcome, 'delivery_lag', 1)).toBeCloseTo(1510, -1);
  expect(await outcome.compare()).toMatchObject({ expected: 1, seen: 1, lost: 0, duplicated: 0 });
});
