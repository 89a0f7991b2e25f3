import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo, Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { arrivalState, type Engine, type EngineInput, type EngineTarget } from '#harness/engine/engine.ts';
import { foldCells } from '#harness/metrics/fold.ts';
import type { CellCounts, SecondDelta } from '#harness/run-result.ts';
import { calibrate } from './calibrate.ts';
import { createNativeEngine } from './native-engine.ts';
import type { WireChoice } from './wire/wire.ts';

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

const answer = JSON.stringify({ accepted: 1, duplicate: 0, rejected: [], position: '1', durability: 'none' });
type Handler = Parameters<typeof createServer>[1];
/** With a length for even requests, in chunks for odd ones. */
function createHandler(): { readonly handle: NonNullable<Handler>; readonly ids: string[] } {
  const ids: string[] = [];
  const handle: NonNullable<Handler> = (request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => {
      body += chunk;
    });
    request.on('end', () => {
      ids.push((JSON.parse(body) as { id: string }[])[0]!.id);
      response.statusCode = 202;
      if (ids.length % 2 === 0) response.setHeader('content-length', answer.length);
      response.end(answer);
    });
  };
  return { handle, ids };
}

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closers.push(() => server.close());
  return (server.address() as AddressInfo).port;
}

const phase = (ratePerSecond: number, durationSeconds: number): EngineInput['phases'][number] => ({
  name: 'load',
  measured: true,
  durationSeconds,
  rate: { kind: 'constant', ratePerSecond },
  spacing: 'poisson',
  traffic: [{ chain: 'ingest', weight: 1 }],
});

const inputOf = (target: EngineTarget, changes: Partial<EngineInput> = {}): EngineInput => ({
  run: 'abcdefghijkl',
  seed: 5,
  target,
  operationsModule: '#harness/engine/native/calibration-operations.ts',
  workers: 2,
  connection: { kind: 'per-device-group', connections: 8 },
  devices: Array.from({ length: 50 }, (_, index) => ({ deviceId: `d${index}`, token: 'token', secret: '', publishable: '' })),
  eventsPerBatch: 1,
  timeoutMs: 5000,
  goodWithinMs: 5000,
  chains: { ingest: ['ingest'] },
  phases: [phase(500, 2)],
  spoiledAboveMs: 50,
  lateAboveMs: 100,
  ...changes,
});

async function runOne(input: EngineInput, wire: WireChoice = 'auto') {
  const deltas: SecondDelta[] = [];
  const run = await createNativeEngine({ wire }).prepare(input, { onDelta: (delta) => deltas.push(delta) });
  await run.drive(0, Number(process.hrtime.bigint() - run.originNs) / 1e6 + 100);
  const outcome = await run.finish();
  const cells = foldCells(deltas);
  const total = (count: keyof CellCounts): number => cells.reduce((sum, cell) => sum + cell.counts[count], 0);
  return { outcome, deltas, cells, total };
}

/** Established ones of this machine to a port, whoever has them. */
const connectionsTo = (port: number): number =>
  readFileSync('/proc/self/net/tcp', 'utf8')
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter(([, , remote, state]) => remote?.endsWith(`:${port.toString(16).toUpperCase().padStart(4, '0')}`) === true && state === '01').length;

const acknowledgedOnly = (states: Uint8Array): boolean => states.every((state) => (state & 0x0f) === arrivalState.acknowledged);

describe('the native engine', () => {
  it.each(['net', 'epoll'] as const)('fires a plan over two threads on %s, every arrival once, against a server that is not ours', async (wire) => {
    const { handle, ids } = createHandler();
    const port = await listen(createServer(handle));
    const { outcome, total, deltas } = await runOne(inputOf({ host: '127.0.0.1', port, pathPrefix: '' }), wire);
    expect([total('planned'), total('fired'), total('good'), total('failed')]).toEqual([1000, 1000, 1000, 0]);
    expect(new Set(ids).size).toBe(1000);
    expect(outcome).toMatchObject({ phaseFirstArrival: [0], wire });
    expect(acknowledgedOnly(outcome.states)).toBe(true);
    expect(new Set(deltas.map(({ lag }) => lag?.worker))).toEqual(new Set([0, 1]));
  });

  it.each(['net', 'epoll'] as const)('gives every request its own connection on %s where asked', async (wire) => {
    const { handle } = createHandler();
    const server = createServer(handle);
    let connections = 0;
    server.on('connection', () => connections++);
    const port = await listen(server);
    const connection = { kind: 'per-request', openMax: 200 } as const;
    const { cells, total } = await runOne(inputOf({ host: '127.0.0.1', port, pathPrefix: '' }, { connection, phases: [phase(100, 1)] }), wire);
    expect([total('good'), connections]).toEqual([100, 100]);
    expect(cells.some((cell) => cell.times.connect !== undefined)).toBe(true);
  });

  it('speaks TLS to a certificate it was given', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'engine-tls-'));
    closers.push(() => rmSync(folder, { recursive: true }));
    const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
    const subject = ['-subj', '/CN=service.test', '-addext', 'subjectAltName=DNS:service.test', '-days', '2'];
    execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', key, '-out', cert, ...subject], {
      stdio: 'ignore',
    });
    const { handle } = createHandler();
    const port = await listen(createTlsServer({ key: readFileSync(key), cert: readFileSync(cert) }, handle));
    const target = { host: '127.0.0.1', port, pathPrefix: '', tls: { serverName: 'service.test', ca: readFileSync(cert, 'utf8') } };
    const { outcome, total } = await runOne(inputOf(target, { phases: [phase(200, 1)] }));
    expect([total('good'), outcome.wire]).toEqual([200, 'tls']);
    await expect(createNativeEngine().prepare(inputOf({ ...target, tls: { serverName: 'service.test' } }), { onDelta: () => {} })).rejects.toThrow(
      /could not connect/,
    );
  });

  it('says what is wrong in a sentence', async () => {
    const prepare = (changes: Partial<EngineInput>, port = 1) =>
      createNativeEngine().prepare(inputOf({ host: '127.0.0.1', port, pathPrefix: '' }, changes), { onDelta: () => {} });
    await expect(prepare({})).rejects.toThrow('could not connect to 127.0.0.1:1: ECONNREFUSED');
    await expect(prepare({ chains: { ingest: ['dance'] } })).rejects.toThrow('names the operation "dance"');
  });

  it('cuts a phase, and ends at once when killed', async () => {
    const { handle } = createHandler();
    const port = await listen(createServer(handle));
    const sockets = (): number => connectionsTo(port);
    const input = inputOf({ host: '127.0.0.1', port, pathPrefix: '' }, { phases: [phase(500, 600)] });
    const run = await createNativeEngine().prepare(input, { onDelta: () => {} });
    const driven = run.drive(0, Number(process.hrtime.bigint() - run.originNs) / 1e6 + 100);
    setTimeout(() => run.cut(0), 500);
    await driven;
    expect(sockets()).toBeGreaterThan(0);
    const again = run.drive(0, Number.MAX_SAFE_INTEGER).catch((error: Error) => error.message);
    await run.kill();
    expect(await again).toBe('the engine was ended');
    expect(sockets()).toBe(0);
  });
});

describe('calibration', () => {
  /** Far more than a busy machine adds. */
  const targetDelayMs = 500;

  it('compares what the engine measured with what the target did', async () => {
    const options = { when: 'before', peakPerSecond: 200, seconds: 1, workers: 1, connections: 8, seed: 1 } as const;
    const record = await calibrate({ ...options, engine: createNativeEngine({ connectionsMax: 256 }), delays: [{ delayMs: targetDelayMs, weight: 1 }] });
    expect(record).toMatchObject({ when: 'before', targetRatePerSecond: 400, secondsDriven: 1 });
    expect(record.achievedRatePerSecond).toBeGreaterThan(0);
    // The target's own time is not the instrument's.
    expect(record.addedP50Ms).toBeGreaterThanOrEqual(0);
    expect(record.addedP50Ms).toBeLessThan(targetDelayMs);
    expect(record.cpuMicrosPerRequest).toBeGreaterThan(0);
  });

  it('of an engine that breaks before its peak is an error that can be caught, at once, and ends the engine', async () => {
    let killed = 0;
    const engine: Engine = {
      name: 'breaks',
      prepare: () =>
        Promise.resolve({
          originNs: process.hrtime.bigint(),
          drive: () => Promise.reject(new Error('a thread of the load generator crashed')),
          cut: () => undefined,
          finish: () => Promise.reject(new Error('never asked')),
          kill: () => Promise.resolve(void killed++),
        }),
    };
    const unhandled: unknown[] = [];
    const note = (reason: unknown): void => void unhandled.push(reason);
    process.on('unhandledRejection', note);
    closers.push(() => process.off('unhandledRejection', note));
    await expect(calibrate({ engine, when: 'before', peakPerSecond: 200, seconds: 1, workers: 1, connections: 8, seed: 1 })).rejects.toThrow('crashed');
    expect(killed).toBe(1);
    expect(unhandled).toEqual([]);
  });
});
