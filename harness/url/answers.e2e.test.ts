/** Whatever an HTTP service may answer: read right, and the connection used again where it may be. */
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterEach, expect, test } from 'vitest';
import { createNativeEngine } from '#harness/engine/native/native-engine.ts';
import { foldCells } from '#harness/metrics/fold.ts';
import type { CellCounts, SecondDelta } from '#harness/run-result.ts';
import { engineTargetOf } from '#harness/topology/target.ts';
import { namelessFleet, urlLoad } from './url-load.ts';
import { readUrlRequest, type UrlArguments } from './url-request.ts';

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

type Answering = { readonly bytes: Buffer; readonly ends: boolean; readonly host?: string };

/** Answers each request, whole once its body is, with these bytes. */
async function serve({ bytes, ends, host = '127.0.0.1' }: Answering) {
  const seen: string[] = [];
  let connections = 0;
  const sockets = new Set<Socket>();
  const server = createServer({ noDelay: true }, (socket) => {
    connections++;
    sockets.add(socket);
    let text = '';
    socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
      const end = text.indexOf('\r\n\r\n');
      const length = Number(/content-length: (\d+)/i.exec(text)?.[1] ?? 0);
      if (end < 0 || text.length < end + 4 + length) return;
      seen.push(text);
      text = '';
      if (ends) socket.end(bytes);
      else socket.write(bytes);
    });
  });
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, host, resolve));
  closers.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return { url: `http://${host.includes(':') ? `[${host}]` : host}:${port}`, seen, connections: () => connections };
}

async function drive(args: Partial<UrlArguments> & { readonly url: string }) {
  const read = readUrlRequest({ header: [], ...args }, {});
  if (read.kind === 'error') throw new Error(read.message);
  const deltas: SecondDelta[] = [];
  const { operationsModule, operationsData } = urlLoad(read.request);
  const run = await createNativeEngine().prepare(
    {
      run: 'abcdefghijkl',
      seed: 1,
      target: engineTargetOf(read.request.origin),
      operationsModule,
      operationsData,
      workers: 1,
      connection: { kind: 'per-device-group', connections: 2 },
      devices: namelessFleet(2).devices,
      eventsPerBatch: 1,
      timeoutMs: 30_000,
      goodWithinMs: 30_000,
      chains: { ingest: ['request'] },
      phases: [
        {
          name: 'load',
          measured: true,
          durationSeconds: 0.5,
          rate: { kind: 'constant', ratePerSecond: 60 },
          spacing: 'uniform',
          traffic: [{ chain: 'ingest', weight: 1 }],
        },
      ],
      spoiledAboveMs: 50,
      lateAboveMs: 100,
    },
    { onDelta: (delta) => deltas.push(delta) },
  );
  await run.drive(0, Number(process.hrtime.bigint() - run.originNs) / 1e6 + 100);
  await run.finish();
  const cells = foldCells(deltas);
  const total = (count: keyof CellCounts): number => cells.reduce((sum, cell) => sum + cell.counts[count], 0);
  return { planned: total('planned'), good: total('good'), failed: total('failed'), reasons: cells.flatMap(({ reasons }) => Object.keys(reasons ?? {})) };
}

const head = (...lines: readonly string[]) => Buffer.from(`${lines.join('\r\n')}\r\n\r\n`);
const zipped = gzipSync('a page that was packed');

test.each<[string, Answering, string | undefined]>([
  ['a length', { bytes: Buffer.concat([head('HTTP/1.1 200 OK', 'Content-Length: 2'), Buffer.from('ok')]), ends: false }, undefined],
  [
    'chunks and a trailer',
    { bytes: Buffer.concat([head('HTTP/1.1 200 OK', 'Transfer-Encoding: chunked'), Buffer.from('2\r\nok\r\n0\r\nX-T: t\r\n\r\n')]), ends: false },
    undefined,
  ],
  ['gzip', { bytes: Buffer.concat([head('HTTP/1.1 200 OK', 'Content-Encoding: gzip', `Content-Length: ${zipped.length}`), zipped]), ends: false }, undefined],
  ['204 without a body', { bytes: head('HTTP/1.1 204 No Content'), ends: false }, undefined],
  ['304 with the length of what is not sent', { bytes: head('HTTP/1.1 304 Not Modified', 'Content-Length: 9'), ends: false }, '304'],
  ['100 before 201', { bytes: Buffer.concat([head('HTTP/1.1 100 Continue'), head('HTTP/1.1 201 Created', 'Content-Length: 0')]), ends: false }, undefined],
])('%s: every answer is good, and the connections are kept', async (_, answering, expected) => {
  const server = await serve(answering);
  const { planned, good, failed } = await drive({ url: server.url, expect: expected });
  expect([good, failed]).toEqual([planned, 0]);
  expect(server.connections()).toBeLessThan(planned);
});

test.each<[string, Answering]>([
  ['Connection: close', { bytes: Buffer.concat([head('HTTP/1.1 200 OK', 'Connection: close', 'Content-Length: 2'), Buffer.from('ok')]), ends: true }],
  ['HTTP/1.0 without a length', { bytes: Buffer.concat([head('HTTP/1.0 200 OK'), Buffer.from('until the end')]), ends: true }],
])('%s: every answer is good, and each has a connection of its own', async (_, answering) => {
  const server = await serve(answering);
  const { planned, good, failed } = await drive({ url: server.url });
  expect([good, failed]).toEqual([planned, 0]);
  expect(server.connections()).toBeGreaterThanOrEqual(planned);
});

test('a redirect is answered for, and not followed', async () => {
  const server = await serve({ bytes: head('HTTP/1.1 302 Found', 'Location: /elsewhere', 'Content-Length: 0'), ends: false });
  const { planned, failed, reasons } = await drive({ url: server.url });
  expect(failed).toBe(planned);
  expect(new Set(reasons)).toEqual(new Set(['status 302 (redirects are not followed)']));
  expect(server.seen.some((text) => text.includes('/elsewhere'))).toBe(false);
});

test('what is sent is what was typed, to the byte: query, headers, body, over IPv6 too', async () => {
  const server = await serve({ bytes: head('HTTP/1.1 200 OK', 'Content-Length: 0'), ends: false, host: '::1' });
  const bytes = Buffer.from('{"name":"é"}');
  const { planned, good } = await drive({ url: `${server.url}/a?q=1&q=2`, method: 'PATCH', header: ['X-Own: 1'], body: { file: 'o.json', bytes } });
  expect(good).toBe(planned);
  expect(server.seen[0]).toMatch(
    /^PATCH \/a\?q=1&q=2 HTTP\/1\.1\r\nHost: \[::1\]:\d+\r\nX-Own: 1\r\nContent-Type: application\/json\r\nContent-Length: 13\r\n\r\n/,
  );
  expect(Buffer.from(server.seen[0] ?? '', 'latin1').subarray(-13)).toEqual(bytes);
});
