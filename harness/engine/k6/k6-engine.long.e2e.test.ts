import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { arrivalState, type EngineInput } from '#harness/engine/engine.ts';
import { foldCells, timesOf } from '#harness/metrics/fold.ts';
import { quantileMicros } from '#harness/metrics/histogram.ts';
import { thinkMsOf } from '#harness/pacing/think-time.ts';
import { requirePart } from '#harness/parts/find.ts';
import type { CellCounts, SecondDelta, Verdict } from '#harness/run-result.ts';
import { ended, said, startScenario, startTwin } from '#harness/scenario-child.ts';
import { createK6Engine } from './k6-engine.ts';

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

const answer = JSON.stringify({ accepted: 1, duplicate: 0, rejected: [], position: '1', durability: 'none' });

/** Not ours: notes every event's id, and answers after `delayMs`. */
async function startServer(delayMs = 0): Promise<{ readonly port: number; readonly ids: string[]; readonly atMs: number[] }> {
  const ids: string[] = [];
  const atMs: number[] = [];
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => {
      body += chunk;
    });
    request.on('end', () => {
      atMs.push(performance.now());
      ids.push((JSON.parse(body) as { id: string }[])[0]?.id ?? '');
      setTimeout(() => response.writeHead(202).end(answer), delayMs);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closers.push(() => server.close().closeAllConnections());
  return { port: (server.address() as AddressInfo).port, ids, atMs };
}

const phase = (name: string, durationSeconds: number, rate: EngineInput['phases'][number]['rate']): EngineInput['phases'][number] => ({
  name,
  measured: true,
  durationSeconds,
  rate,
  spacing: 'uniform',
  traffic: [{ chain: 'ingest', weight: 1 }],
});

const inputOf = (port: number, changes: Partial<EngineInput> = {}): EngineInput => ({
  run: 'abcdefghijkl',
  seed: 5,
  target: { host: '127.0.0.1', port, pathPrefix: '' },
  operationsModule: '#harness/target/operations.ts',
  workers: 1,
  connection: { kind: 'per-device-group', connections: 8 },
  devices: Array.from({ length: 50 }, (_, index) => ({ deviceId: `d${index}`, token: 'token', secret: '', publishable: '' })),
  eventsPerBatch: 1,
  timeoutMs: 5000,
  goodWithinMs: 5000,
  chains: { ingest: ['ingest'] },
  phases: [
    phase('up', 1, { kind: 'ramp', fromPerSecond: 10, toPerSecond: 40 }),
    phase('load', 2, { kind: 'constant', ratePerSecond: 50 }),
    phase('peak', 3, { kind: 'spike', basePerSecond: 20, peakPerSecond: 60, fromSeconds: 1, untilSeconds: 2 }),
  ],
  spoiledAboveMs: 50,
  lateAboveMs: 100,
  ...changes,
});

async function runOne(input: EngineInput) {
  const deltas: SecondDelta[] = [];
  const run = await createK6Engine(requirePart('k6')).prepare(input, { onDelta: (delta) => deltas.push(delta) });
  let startMs = Number(process.hrtime.bigint() - run.originNs) / 1e6 + 100;
  for (const [index, { durationSeconds }] of input.phases.entries()) {
    await run.drive(index, startMs);
    startMs += durationSeconds * 1000;
  }
  const outcome = await run.finish();
  const cells = foldCells(deltas);
  const total = (count: keyof CellCounts, of?: number): number =>
    cells.reduce((sum, cell) => sum + (of === undefined || cell.phase === of ? cell.counts[count] : 0), 0);
  return { outcome, cells, total };
}

describe('k6', () => {
  it('fires a plan of three curves, every arrival once, in the phase that planned it', async () => {
    const { port, ids } = await startServer();
    const { outcome, total } = await runOne(inputOf(port));
    expect([0, 1, 2].map((index) => total('planned', index))).toEqual([25, 100, 100]);
    expect([total('fired'), total('good'), total('failed')]).toEqual([225, 225, 0]);
    expect([ids.length, new Set(ids).size]).toEqual([225, 225]);
    expect(outcome.states.every((state) => (state & 0x0f) === arrivalState.acknowledged)).toBe(true);
    expect(outcome).toMatchObject({ phaseFirstArrival: [0, 25, 125], k6: { processes: 1, droppedIterations: [0, 0, 0], unaccountedIterations: [0, 0, 0] } });
    expect(outcome.wire).toMatch(/^k6 v2\./);
  });

  it('in three processes with segments shares no arrival and misses none', async () => {
    const { port, ids } = await startServer();
    const { outcome, total } = await runOne(inputOf(port, { workers: 3 }));
    expect([total('planned'), total('fired'), total('good'), ids.length, new Set(ids).size]).toEqual([225, 225, 225, 225, 225]);
    expect(outcome.k6?.processes).toBe(3);
  });

  it('thinks between two steps for at least as long as the plan draws, and none of it is in the time of a chain', async () => {
    const server = await startServer();
    const thinkTime = { kind: 'uniform', fromMs: 1000, untilMs: 2000 } as const;
    const visits = { ...phase('visits', 2, { kind: 'constant', ratePerSecond: 25 }), traffic: [{ chain: 'visit', weight: 1 }] };
    const input = inputOf(server.port, { chains: { visit: ['ingest', 'ingest'] }, thinkTimes: { visit: { 1: thinkTime } }, phases: [visits] });
    const { cells, total } = await runOne(input);
    expect([total('good'), new Set(server.ids).size]).toEqual([100, 50]);
    const gapsMs = [...Map.groupBy(server.ids.keys(), (place) => server.ids[place]).values()].map(
      ([first = 0, second = 0]) => (server.atMs[second] ?? 0) - (server.atMs[first] ?? 0),
    );
    const drawnMs = Array.from({ length: 50 }, (_, arrival) => thinkMsOf(thinkTime, { seed: input.seed, arrival, step: 1 })).sort((a, b) => a - b);
    const early = gapsMs.sort((a, b) => a - b).filter((gapMs, index) => gapMs < (drawnMs[index] ?? 0) - 1);
    expect(early).toEqual([]);
    expect(quantileMicros(timesOf(cells, 'chain'), 0)).toBeLessThan(1_000_000);
  });
  it('drops what finds no free VU, and says so', async () => {
    const { port } = await startServer(3000);
    const { outcome, total } = await runOne(inputOf(port, { phases: [phase('load', 2, { kind: 'constant', ratePerSecond: 100 })] }));
    expect(outcome.k6?.droppedIterations[0]).toBeGreaterThan(20);
    expect(total('planned')).toBe(200);
    expect(total('neverFired')).toBeGreaterThan(20);
  });

  it('what it dropped is not fired later in the place of another: planned is fired and dropped', async () => {
    // 100 VUs are busy until 1.5 s, and free when the phase ends.
    const { port, ids } = await startServer(1500);
    const { outcome, total } = await runOne(inputOf(port, { phases: [phase('load', 2, { kind: 'constant', ratePerSecond: 100 })] }));
    const dropped = outcome.k6?.droppedIterations[0] ?? 0;
    expect(dropped).toBeGreaterThan(20);
    expect([total('fired') + dropped, ids.length + dropped]).toEqual([200, 200]);
    expect(outcome.k6?.unaccountedIterations).toEqual([0]);
  });

  it('is cut in the middle, and says in a sentence why it could not begin', async () => {
    const { port, ids } = await startServer();
    const run = await createK6Engine(requirePart('k6')).prepare(inputOf(port, { phases: [phase('load', 600, { kind: 'constant', ratePerSecond: 100 })] }), {
      onDelta: () => undefined,
    });
    const driven = run.drive(0, Number(process.hrtime.bigint() - run.originNs) / 1e6 + 100);
    while (ids.length < 20) await new Promise((resolve) => setTimeout(resolve, 50));
    run.cut(0);
    await driven;
    const { states } = await run.finish();
    const known = states.filter((state) => (state & 0x0f) === arrivalState.acknowledged).length;
    expect(known).toBeGreaterThanOrEqual(10);
    expect(known).toBeLessThanOrEqual(ids.length);
    await expect(createK6Engine('/bin/false').prepare(inputOf(port), { onDelta: () => undefined })).rejects.toThrow(/false|k6/);
    await expect(createK6Engine('/bin/true').prepare(inputOf(port), { onDelta: () => undefined })).rejects.toThrow('ended before it began');
  });
});

const k6Child = (...args: readonly string[]) => {
  const folder = mkdtempSync(join(tmpdir(), 'headroom-k6-e2e-'));
  closers.push(() => rmSync(folder, { recursive: true, force: true }));
  return startScenario(...args, '--engine=k6', `--out=${folder}`);
};
const startK6 = (...args: readonly string[]) => ended(k6Child(...args));

describe('a scenario with --engine k6', () => {
  it('runs unchanged in two processes, is verified and judged by the same gates, and says what k6 cannot do', async () => {
    const { code, out, err } = await startK6('smoke', '--set=generator={"workers":2}');
    expect([0, 3], err).toContain(code);
    const verdict = JSON.parse(out) as Verdict;
    // A machine that others use may make arrivals late; none may be lost, doubled or unplanned.
    expect(verdict.totals).toMatchObject({ planned: 1000, lost: 0, duplicated: 0, reordered: 0 });
    expect(verdict.totals.fired).toBeGreaterThan(500);
    expect(verdict.totals.acknowledged).toBe(verdict.totals.fired);
    expect(verdict.notes.map((note) => note.code)).toEqual(expect.arrayContaining(['k6-dispatch-delay', 'k6-even-arrivals']));
    expect(verdict.latencyMs.load?.ingest?.response?.count).toBeGreaterThan(400);
  });

  it('a spike of 10,000/s on two cores comes out invalid', async () => {
    // As much for each core as two cores were seen not to deliver.
    const peak = 10_000 * Math.max(1, availableParallelism() / 2);
    const { code, out, err } = await startK6(
      'spike',
      '--set=phases.warm-up.durationSeconds=8',
      '--set=phases.spike.durationSeconds=8',
      `--set=phases.spike.rate.ratePerSecond=${peak}`,
    );
    expect(code, err).toBe(3);
    const reasons = (JSON.parse(out) as Verdict).reasons.map((reason) => reason.code);
    expect(reasons.some((reason) => reason === 'iterations-dropped' || reason === 'load-not-delivered')).toBe(true);
  });

  it('ends soon after Ctrl-C, and not when its phase would have', async () => {
    const child = k6Child('smoke', '--set=phases.warm-up.durationSeconds=600');
    closers.push(() => child.kill('SIGKILL'));
    const end = ended(child);
    await said(child, /warm-up.*\/s/);
    child.kill('SIGINT');
    const { code, out, err } = await end;
    expect(code, err).toBe(130);
    // What was cut off may leave the ledger without an answer; it accuses nobody.
    expect([0, null], err).toContain((JSON.parse(out) as Verdict).totals.lost);
  });

  it('finds what a service acknowledged and dropped, as with every engine', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'headroom-k6-twin-'));
    closers.push(() => rmSync(folder, { recursive: true, force: true }));
    const { twin, args } = await startTwin('drops-acknowledged', folder);
    try {
      const { code, out, err } = await startK6('smoke', ...args);
      expect(code, err).toBe(1);
      expect((JSON.parse(out) as Verdict).totals.lost).toBeGreaterThan(0);
    } finally {
      await twin.stop();
    }
  });

  it('with streams it is a usage error', async () => {
    const { code, err } = await startK6('streams-smoke');
    expect(code).toBe(2);
    expect(err).toMatch(/holds streams, and k6 cannot/);
  });
});
