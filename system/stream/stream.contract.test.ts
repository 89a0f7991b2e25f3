/** The stream over real sockets of loopback, with the app and the memory store in this process. */
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { EventSource } from 'eventsource';
import fc from 'fast-check';
import type { FastifyInstance } from 'fastify';
import { request } from 'undici';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createTokens, type Tokens } from '#system/accounts/tokens.ts';
import { buildApp, type PlainDeps } from '#system/app.ts';
import { createBus, type RelayedBus } from '#system/bus.ts';
import { systemClock } from '#system/clock.ts';
import { depsAlone } from '#system/deps-alone.ts';
import { decodeCursor } from '#system/protocol/cursor.ts';
import { createMemoryStore } from '#system/store/memory/memory-store.ts';
import { partitionOf, type Store } from '#system/store/store.ts';
import { deliverOnce } from '#system/sync/deliveries.ts';

type Frame = { readonly t: string; readonly [name: string]: unknown };
const account = `acc${'0'.repeat(18)}`;
const log = { account, principal: 'user:u' };
let store: Store;
let tokens: Tokens;
let bus: RelayedBus;
let app: FastifyInstance;
let base: string;
let readers: Reader[] = [];

async function start(change: Partial<PlainDeps> = {}): Promise<void> {
  await (app as FastifyInstance | undefined)?.close();
  store = createMemoryStore();
  bus = createBus();
  tokens = createTokens({ key: 'k'.repeat(43), clock: systemClock });
  app = await buildApp(depsAlone({ store, tokens, bus, ...change }));
  base = await app.listen({ host: '127.0.0.1', port: 0 });
}
beforeEach(() => start());
afterEach(async () => {
  for (const reader of readers) reader.socket.destroy();
  readers = [];
  await app.close();
  await store.close();
});

const never = async (): Promise<never> => {
  throw new Error('not here');
};
const userToken = (user = 'u', scopes: readonly string[] = ['ch:*'], expiresInSeconds = 3600): string =>
  tokens.signUser({ account, user, scopes, expiresInSeconds });
const put = (key: string, data: unknown, options: { user?: string; collection?: string; headers?: Record<string, string> } = {}) =>
  request(`${base}/v1/sync/${options.collection ?? 'trips'}/${key}`, {
    method: 'PUT',
    headers: { authorization: `Bearer ${userToken(options.user)}`, 'content-type': 'application/json', ...options.headers },
    body: JSON.stringify(data),
  });
const ask = async (path: string, options: { method?: 'GET' | 'POST' | 'DELETE'; user?: string; body?: unknown; headers?: Record<string, string> } = {}) => {
  const answer = await request(`${base}${path}`, {
    method: options.method ?? 'GET',
    headers: {
      authorization: `Bearer ${userToken(options.user)}`,
      ...(options.body === undefined ? {} : { 'content-type': 'application/json' }),
      ...options.headers,
    },
    ...(options.body === undefined ? {} : { body: JSON.stringify(options.body) }),
  });
  const text = await answer.body.text();
  return { status: answer.statusCode, headers: answer.headers, text, json: text.startsWith('{') ? (JSON.parse(text) as Record<string, unknown>) : {} };
};

type Reader = { readonly socket: Socket; readonly head: () => string; readonly frames: Frame[]; readonly chunks: string[]; readonly ended: Promise<void> };

/** A raw reader: each chunk as it came. */
function open(query: string, options: { token?: string; headers?: string } = {}): Reader {
  const { port } = new URL(base);
  const socket = connect(Number(port), '127.0.0.1');
  const frames: Frame[] = [];
  const chunks: string[] = [];
  let held = '';
  let head = '';
  socket.write(
    `GET /v1/stream?${query} HTTP/1.1\r\nHost: x\r\nAuthorization: ${options.token?.startsWith('Basic ') ? options.token : `Bearer ${options.token ?? userToken()}`}\r\n${options.headers ?? ''}\r\n`,
  );
  socket.setEncoding('latin1').on('data', (text: string) => {
    held += text;
    if (head === '') {
      const end = held.indexOf('\r\n\r\n');
      if (end < 0) return;
      head = held.slice(0, end);
      held = held.slice(end + 4);
    }
    for (;;) {
      const lineEnd = held.indexOf('\r\n');
      const length = lineEnd < 0 ? Number.NaN : Number.parseInt(held.slice(0, lineEnd), 16);
      if (Number.isNaN(length) || held.length < lineEnd + 4 + length) return;
      const chunk = Buffer.from(held.slice(lineEnd + 2, lineEnd + 2 + length), 'latin1').toString();
      held = held.slice(lineEnd + 4 + length);
      if (length === 0) return;
      chunks.push(chunk);
      for (const line of chunk.split('\n'))
        if (line.startsWith('{')) frames.push(JSON.parse(line) as Frame);
        else if (line.startsWith('data: ')) frames.push(JSON.parse(line.slice(6)) as Frame);
    }
  });
  const ended = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  socket.on('error', () => undefined);
  const reader = { socket, head: () => head, frames, chunks, ended };
  readers.push(reader);
  return reader;
}

const until = (reader: Reader, t: string, count = 1): Promise<void> =>
  expect.poll(() => reader.frames.filter((frame) => frame.t === t).length, { interval: 5 }).toBeGreaterThanOrEqual(count) as Promise<void>;
const keysOf = (frames: readonly Frame[]): readonly unknown[] =>
  frames.filter(({ t }) => t === 'put' || t === 'del').map(({ k, t, ver }) => `${t} ${k} ${ver}`);

test('a stream and a subscription tell what is left of the quota they spent from, and say the same of themselves', async () => {
  const headers = { authorization: `Bearer ${userToken()}`, accept: 'text/event-stream', 'content-type': 'application/json', 'x-request-id': 'mine' };
  const query = 'subscription { stream(channels: ["inbox"]) { t } }';
  const answers = [
    await request(`${base}/v1/stream?ch=inbox`, { headers }),
    await request(`${base}/graphql`, { method: 'POST', headers, body: JSON.stringify({ query }) }),
  ];
  // Only what is asked by GET may lie in a cache, where it varies.
  const heads = answers.map(({ headers: { 'ratelimit-policy': policy, ratelimit, 'sync-epoch': _, 'sync-replay-from': __, vary: ___, ...rest } }) => ({
    policy,
    ratelimit,
    rest,
  }));
  for (const { body } of answers) body.on('error', () => undefined).destroy();
  expect(heads.map(({ policy }) => policy)).toEqual(['"account-stream";q=20000;w=2', '"account-read";q=40000;w=2']);
  expect(heads.map(({ ratelimit }) => String(ratelimit).replace(/r=\d+/, 'r='))).toEqual(['"account-stream";r=;t=2', '"account-read";r=;t=2']);
  expect(heads[1]?.rest).toEqual(heads[0]?.rest);
});

describe('items', () => {
  test('put, get, conditions, delete', async () => {
    const created = await put('t1', { a: 1 });
    expect([created.statusCode, created.headers.etag]).toEqual([201, '"v1"']);
    expect((await put('t1', { a: 2 }, { headers: { 'if-none-match': '*' } })).statusCode).toBe(412);
    expect((await put('t1', { a: 2 }, { headers: { 'if-match': '"v7"' } })).statusCode).toBe(412);
    expect((await put('t1', { a: 2 }, { headers: { 'if-match': '"v1"' } })).statusCode).toBe(200);
    expect((await put('t1', { a: 2 }, { headers: { 'if-match': 'v1' } })).statusCode).toBe(400);
    const got = await ask('/v1/sync/trips/t1');
    expect([got.status, got.headers.etag, got.json]).toMatchObject([200, '"v2"', { item: 't1', version: 2, data: { a: 2 } }]);
    expect((await ask('/v1/sync/trips/t1', { headers: { 'if-none-match': '"v2"' } })).status).toBe(304);
    expect((await ask('/v1/sync/trips/t1', { method: 'DELETE', headers: { 'if-match': '"v1"' } })).status).toBe(412);
    expect((await ask('/v1/sync/trips/t1', { method: 'DELETE' })).status).toBe(204);
    expect((await ask('/v1/sync/trips/t1', { method: 'DELETE' })).status).toBe(404);
    expect((await ask('/v1/sync/trips/t1')).status).toBe(404);
  });

  test.each([
    ['/v1/sync/inbox/x', 403],
    ['/v1/sync/trips/snapshot', 400],
    ['/v1/sync/tr%20ips/x', 400],
    ['/v1/sync/trips/x%00', 400],
  ])('PUT %s is refused with %i', async (path, status) => {
    const answer = await request(`${base}${path}`, {
      method: 'PUT',
      headers: { authorization: `Bearer ${userToken()}`, 'content-type': 'application/json' },
      body: '{}',
    });
    expect(answer.statusCode).toBe(status);
  });

  test('an item that is too large, no item, and scopes', async () => {
    expect((await put('big', 'x'.repeat(61 * 1024))).statusCode).toBe(413);
    expect((await put('null', null)).statusCode).toBe(400);
    const narrow = `Bearer ${userToken('u', ['ch:sync:other', 'ch:sync:tri*'])}`;
    expect((await ask('/v1/sync/trips', { headers: { authorization: narrow } })).status).toBe(200);
    expect((await ask('/v1/sync/notes', { headers: { authorization: narrow } })).status).toBe(403);
    expect((await ask('/v1/sync/inbox', { headers: { authorization: narrow } })).status).toBe(403);
  });

  test('changes page by page, and a snapshot whose pages share a cursor', async () => {
    for (let i = 0; i < 5; i++) await put(`t${i}`, { i });
    await put('n1', {}, { collection: 'notes' });
    const first = await ask('/v1/sync/trips?since=-1&limit=2');
    expect(first.json).toMatchObject({ up_to_date: false });
    const rest = await ask(`/v1/sync/trips?since=${first.json.cursor}`);
    const frames = [...(first.json.changes as Frame[]), ...(rest.json.changes as Frame[])];
    expect(keysOf(frames)).toEqual(['put t0 1', 'put t1 1', 'put t2 1', 'put t3 1', 'put t4 1']);
    expect(rest.json.up_to_date).toBe(true);
    const page = await ask('/v1/sync/trips/snapshot?limit=3');
    await put('t9', {});
    const next = await ask(`/v1/sync/trips/snapshot?limit=3&page_token=${page.json.page_token}`);
    expect(next.json.cursor).toBe(page.json.cursor);
    expect([...(page.json.items as { k: string }[]), ...(next.json.items as { k: string }[])].map(({ k }) => k)).toEqual(['t0', 't1', 't2', 't3', 't4', 't9']);
    expect(next.json.page_token).toBeUndefined();
  });
});

describe('streams', () => {
  test('hello, replay, sync with the hash, live; headers; one frame a chunk', async () => {
    await put('t1', { note: 'line\nbreak' });
    const reader = open('ch=sync:trips&since=-1');
    await until(reader, 'sync');
    await put('t2', {});
    await ask('/v1/sync/trips/t1', { method: 'DELETE' });
    await until(reader, 'del');
    expect(reader.frames.map(({ t }) => t)).toEqual(['hello', 'put', 'sync', 'put', 'del']);
    const [hello, first, sync, second, gone] = reader.frames as [Frame, Frame, Frame, Frame, Frame];
    expect(hello).toMatchObject({ v: 1, resumed: false, hb: 25_000, ack: 'memory' });
    expect(Number(hello.age)).toBeGreaterThanOrEqual(600_000);
    expect(first).toMatchObject({ ch: 'sync:trips', k: 't1', ver: 1, d: { note: 'line\nbreak' } });
    expect(sync.c).toBe(first.c);
    expect((sync.h as Record<string, string>)['sync:trips']).toMatch(/^[0-9a-f]{16}$/);
    expect([first.c, second.c, gone.c]).toEqual([first.c, second.c, gone.c].sort());
    expect(reader.chunks).toHaveLength(5);
    for (const chunk of reader.chunks) expect(chunk.endsWith('}\n')).toBe(true);
    for (const header of ['Content-Type: application/x-ndjson', 'Cache-Control: no-store, no-transform', 'X-Accel-Buffering: no', 'Transfer-Encoding: chunked'])
      expect(reader.head()).toContain(header);
    expect(reader.head()).toContain(`Sync-Replay-From: ${hello.from}`);
    expect(reader.head()).toContain(`Sync-Epoch: ${hello.epoch}`);
  });

  test('from any cursor and over any cut, what joins up is the log after it', async () => {
    const steps = fc.array(fc.record({ key: fc.constantFrom('a', 'b', 'c'), cut: fc.boolean() }), { minLength: 1, maxLength: 12 });
    let round = 0;
    await fc.assert(
      fc.asyncProperty(steps, async (all) => {
        const collection = `c${round++}`;
        const received: unknown[] = [];
        const cursors: string[] = [];
        let reader = open(`ch=sync:${collection}&since=now`);
        await until(reader, 'sync');
        const expected: string[] = [];
        for (const { key, cut } of all) {
          const { version } = (await (await put(key, {}, { collection })).body.json()) as { version: number };
          expected.push(`put ${key} ${version}`);
          if (!cut) continue;
          reader.socket.destroy();
          await reader.ended;
          received.push(...keysOf(reader.frames));
          cursors.push(...reader.frames.filter(({ t }) => t === 'put').map(({ c }) => String(c)));
          const last = reader.frames.findLast(({ c }) => c !== undefined)?.c ?? reader.frames[0]?.from;
          reader = open(`ch=sync:${collection}&since=${last}`);
          await until(reader, 'sync');
          expect(reader.frames[0]?.resumed).toBe(true);
        }
        await expect.poll(() => [...received, ...keysOf(reader.frames)].length, { interval: 5 }).toBe(expected.length);
        expect([...received, ...keysOf(reader.frames)]).toEqual(expected);
        cursors.push(...reader.frames.filter(({ t }) => t === 'put').map(({ c }) => String(c)));
        expect(cursors).toEqual([...new Set(cursors)].sort());
        reader.socket.destroy();
      }),
      { numRuns: 15 },
    );
  });

  test('server-sent events carry the same; Last-Event-ID beats since; a real EventSource reads them', async () => {
    await put('t1', {});
    const lines = open('ch=sync:trips&since=-1');
    const events = open('ch=sync:trips&since=-1', { headers: 'Accept: text/event-stream\r\n' });
    await Promise.all([until(lines, 'sync'), until(events, 'sync')]);
    await put('t2', {});
    await Promise.all([until(lines, 'put', 2), until(events, 'put', 2)]);
    expect(events.frames.slice(1)).toEqual(lines.frames.slice(1));
    expect(events.chunks[0]).toMatch(/^retry: \d+\nid: [0-9a-v]{47}\nevent: hello\ndata: /);
    const first = lines.frames[1]?.c;
    const later = open('ch=sync:trips&since=-1', { headers: `Last-Event-ID: ${first}\r\n` });
    await until(later, 'sync');
    expect(keysOf(later.frames)).toEqual(['put t2 1']);
    const source = new EventSource(`${base}/v1/stream?ch=sync:trips&since=${first}&access_token=${userToken()}`);
    const message = await new Promise<MessageEvent>((resolve) => source.addEventListener('put', resolve));
    source.close();
    expect([JSON.parse(message.data).k, message.lastEventId]).toEqual(['t2', lines.frames[3]?.c]);
  });

  test('long poll: what there is, or a wait for it, or 204 with the cursor', async () => {
    await put('t1', {});
    const first = await ask('/v1/stream?ch=sync:trips&mode=longpoll&since=-1');
    expect([
      first.status,
      keysOf(
        first.text
          .trim()
          .split('\n')
          .map((line) => JSON.parse(line) as Frame),
      ),
    ]).toEqual([200, ['put t1 1']]);
    const waiting = ask(`/v1/stream?ch=sync:trips&mode=longpoll&since=${first.headers['sync-cursor']}&hb=2000`);
    await sleep(30);
    await put('n', {}, { collection: 'notes' });
    await put('t2', {});
    expect(
      keysOf(
        (await waiting).text
          .trim()
          .split('\n')
          .map((line) => JSON.parse(line) as Frame),
      ),
    ).toEqual(['put t2 1']);
    const none = await ask('/v1/stream?ch=sync:trips&mode=longpoll&since=now&hb=1000');
    expect([none.status, none.text]).toEqual([204, '']);
    expect(decodeCursor(String(none.headers['sync-cursor']), log)).toBeDefined();
  });

  test.each([
    ['ch=sync:trips&since=x', 400, 'bad-cursor'],
    [`ch=sync:trips&since=${'0'.repeat(47)}`, 400, 'bad-cursor'],
    [`${Array.from({ length: 33 }, (_, i) => `ch=sync:c${i}`).join('&')}`, 400, 'bad-request'],
    ['ch=nonsense', 400, 'bad-request'],
    ['ch=sync:trips&hb=10', 400, 'bad-request'],
    ['ch=sync:trips&hb=26000', 400, 'bad-request'],
    ['ch=devices', 403, 'forbidden'],
    ['since=now', 400, 'bad-request'],
  ])('%s is answered with %i', async (query, status, code) => {
    const answer = await ask(`/v1/stream?${query}`);
    expect([answer.status, answer.json.code]).toEqual([status, code]);
  });

  test('406 for what a stream is not', async () => {
    expect((await ask('/v1/stream?ch=sync:trips', { headers: { accept: 'image/png' } })).status).toBe(406);
  });

  test('a cursor of another epoch, one from the future and one that is too old are 410 with a snapshot link', async () => {
    await put('t1', {});
    const { cursor } = (await (await put('t1', {})).body.json()) as { cursor: string };
    expect((await ask(`/v1/stream?ch=sync:trips&since=${cursor}`, { user: 'v' })).status).toBe(400);
    const { epoch } = await store.readHeads([]);
    await store.renewEpoch({ expected: epoch });
    const answer = await ask(`/v1/stream?ch=sync:trips&since=${cursor}`);
    expect([answer.status, answer.json]).toMatchObject([410, { code: 'epoch-changed', snapshots: { 'sync:trips': '/v1/sync/trips/snapshot' } }]);
  });

  test('the epoch changes under a live stream: reset, and on with the new one', async () => {
    await start({ streams: { ageMs: 600_000, positionCheckMs: 50, presenceTimeoutMs: 120_000 } });
    await put('t1', {});
    const reader = open('ch=sync:trips&since=-1');
    await until(reader, 'sync');
    const { epoch } = await store.readHeads([]);
    const next = await store.renewEpoch({ expected: epoch });
    await until(reader, 'sync', 2);
    expect(reader.frames.find(({ t }) => t === 'reset')).toEqual({ t: 'reset', ch: 'sync:trips', reason: 'epoch', snapshot: '/v1/sync/trips/snapshot' });
    await put('t2', {});
    await until(reader, 'put', 2);
    expect(decodeCursor(String(reader.frames.at(-1)?.c), log)?.epoch).toBe(next);
  });

  test('heartbeats when nothing is said, bookmarks in them, and none under traffic', async () => {
    const reader = open('ch=sync:trips&hb=4000');
    await until(reader, 'sync');
    for (let i = 0; i < 6; i++) {
      await sleep(1000);
      await put('t1', { i });
    }
    expect(reader.frames.filter(({ t }) => t === 'hb')).toEqual([]);
    await until(reader, 'hb');
    const last = reader.frames.findLast(({ t }) => t === 'put');
    expect(reader.frames.at(-1)).toMatchObject({ t: 'hb', c: last?.c });
    expect(reader.frames.at(-1)?.exp).toBeGreaterThan(3000);
  });

  test('a token that ends ends the stream, with a cursor that resumes', async () => {
    const reader = open('ch=sync:trips', { token: userToken('u', ['ch:*'], 2) });
    await until(reader, 'sync');
    await put('t1', {});
    await until(reader, 'bye');
    await reader.ended;
    const bye = reader.frames.at(-1);
    expect(bye).toMatchObject({ t: 'bye', code: 'token' });
    const again = open(`ch=sync:trips&since=${bye?.c}`);
    await until(again, 'sync');
    expect(keysOf(again.frames)).toEqual([]);
  });

  test('a device that is deleted loses its streams, and nobody else theirs', async () => {
    const tokenOf = (device: string): string => tokens.signDevice({ account, device, user: undefined, generation: 1, expiresInSeconds: 60 });
    const [gone, kept] = ['d1', 'd2'].map((device) => open(`ch=device:${device}`, { token: tokenOf(device) })) as [Reader, Reader];
    const watcher = open('ch=sync:trips');
    await Promise.all([gone, kept, watcher].map((reader) => until(reader, 'sync')));
    app.hub.kick([
      { account, device: 'd1', generation: 2 },
      { account, device: 'd2', generation: 1 },
      { account: 'another', device: 'd2', generation: 2 },
    ]);
    await gone.ended;
    expect(gone.frames.at(-1)).toMatchObject({ t: 'bye', code: 'kick' });
    await sleep(100);
    expect([...kept.frames, ...watcher.frames].filter(({ t }) => t === 'bye')).toEqual([]);
    expect([app.hub.held(), app.hub.counts.ended]).toEqual([2, { kick: 1 }]);
  });

  test('HEAD opens no stream: it has the headers, and an end', async () => {
    const answer = await fetch(`${base}/v1/stream?ch=sync:trips`, { method: 'HEAD', headers: { authorization: `Bearer ${userToken()}` } });
    expect([answer.status, answer.headers.get('content-type'), await answer.text(), app.hub.counts.opened]).toEqual([
      200,
      expect.stringContaining('application/x-ndjson'),
      '',
      0,
    ]);
  });

  test('lost pokes: the position check brings everything, in order', async () => {
    const deaf = createBus();
    await start({ bus: { ...deaf, poke: () => undefined }, streams: { ageMs: 600_000, positionCheckMs: 100, presenceTimeoutMs: 120_000 } });
    const reader = open('ch=sync:trips');
    await until(reader, 'sync');
    for (let i = 0; i < 20; i++) await put(`t${i}`, {});
    await until(reader, 'put', 20);
    expect(keysOf(reader.frames)).toEqual(Array.from({ length: 20 }, (_, i) => `put t${i} 1`));
    expect(app.hub.counts.catchUps).toBeGreaterThan(0);
  });

  test('age and drain: bye with a cursor, spread, and nobody left', async () => {
    await start({ streams: { ageMs: 300, positionCheckMs: 10_000, presenceTimeoutMs: 120_000 } });
    const aged = open('ch=sync:trips');
    await until(aged, 'bye');
    expect(aged.frames.at(-1)).toMatchObject({ code: 'age' });
    await start();
    const all = Array.from({ length: 20 }, () => open('ch=sync:trips'));
    await Promise.all(all.map((reader) => until(reader, 'sync')));
    await app.hub.drain({ windowMs: 500 });
    await Promise.all(all.map(({ ended }) => ended));
    expect(all.map(({ frames }) => frames.at(-1)?.code)).toEqual(Array(20).fill('drain'));
    expect(new Set(all.map(({ frames }) => frames.at(-1)?.retry_ms)).size).toBeGreaterThan(10);
    expect(app.hub.held()).toBe(0);
  });

  test('who comes while a drain goes on is told too; a node that goes takes nobody', async () => {
    const first = open('ch=sync:trips');
    await until(first, 'sync');
    const drained = app.hub.drain({ windowMs: 300, retryMsMax: 10 });
    const late = open('ch=sync:trips');
    await Promise.all([first, late].map((reader) => until(reader, 'bye')));
    for (const { frames } of [first, late]) {
      expect(frames.at(-1)).toMatchObject({ code: 'drain', c: expect.any(String) });
      expect(frames.at(-1)?.retry_ms).toBeLessThanOrEqual(10);
    }
    await drained;
    const after = open('ch=sync:trips');
    await until(after, 'bye');
    expect(after.frames.map(({ t }) => t)).toEqual(['hello', 'sync', 'bye']);
    await start({ isDraining: () => true });
    expect((await ask('/v1/stream?ch=sync:trips')).json.code).toBe('draining');
  });

  test('a reader that stops is cut, and others do not feel it', { timeout: 30_000 }, async () => {
    const stopped = open('ch=sync:trips');
    const other = open('ch=sync:trips');
    await Promise.all([until(stopped, 'sync'), until(other, 'sync')]);
    stopped.socket.pause();
    const note = 'x'.repeat(50_000);
    for (let i = 0; i < 400 && app.hub.counts.ended.slow === undefined; i++) await put(`t${i % 7}`, { i, note });
    expect(app.hub.counts.ended.slow).toBe(1);
    const sent = other.frames.filter(({ t }) => t === 'put').length;
    await put('last', {});
    await until(other, 'put', sent + 1);
    expect(app.hub.held()).toBeLessThanOrEqual(2);
  });

  test('a replay of many times what may be pending reaches a reader that reads', async () => {
    const note = 'x'.repeat(50_000);
    for (let i = 0; i < 100; i++) await put(`t${i}`, { note });
    const reader = open('ch=sync:trips&since=-1');
    await until(reader, 'sync');
    expect(keysOf(reader.frames)).toHaveLength(100);
  });

  test('as many streams as there may be, and room again when one ends', async () => {
    await start({ streamsMax: 2 });
    const [first, second] = [open('ch=sync:trips'), open('ch=sync:trips')];
    await Promise.all([until(first, 'sync'), until(second, 'sync')]);
    const answer = await ask('/v1/stream?ch=sync:trips');
    expect([answer.status, answer.json.code]).toEqual([429, 'too-many-streams']);
    expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0);
    first.socket.destroy();
    await expect.poll(() => app.hub.held()).toBe(1);
    await until(open('ch=sync:trips'), 'sync');
  });

  test('a quota of streams: whatever comes to nothing gives its place back, and a long poll has one while it waits', async () => {
    await store.putAccount({ account, name: 'n', secretDigest: '', publishableKeyDigest: '', createdAtMs: 0, quotas: { streams: 2 } });
    for (const [query, status] of [
      ['ch=sync:trips&since=nonsense', 400],
      ['ch=sync:trips&mode=longpoll&hb=1000&since=nonsense', 400],
      ['ch=device:d&mode=longpoll', 403],
    ] as const)
      for (let i = 0; i < 3; i++) expect((await ask(`/v1/stream?${query}`)).status).toBe(status);
    const gone = Array.from({ length: 4 }, () => open('ch=sync:trips'));
    for (const { socket } of gone) socket.destroy();
    const first = open('ch=sync:trips');
    await until(first, 'sync');
    const polling = ask('/v1/stream?ch=sync:trips&mode=longpoll&hb=4000');
    await sleep(100);
    expect((await ask('/v1/stream?ch=sync:trips')).json.code).toBe('too-many-streams');
    expect((await polling).status).toBe(204);
    const second = open('ch=sync:trips');
    await until(second, 'sync');
    expect((await ask('/v1/stream?ch=sync:trips&mode=longpoll')).json.code).toBe('too-many-streams');
    second.socket.destroy();
    await expect.poll(() => app.hub.held()).toBe(1);
    await until(open('ch=sync:trips'), 'sync');
  });

  test('principals are apart: nobody sees another user, another collection, another account', async () => {
    const own = open('ch=sync:trips');
    const other = open('ch=sync:trips', { token: userToken('v') });
    const elsewhere = open('ch=sync:trips', { token: tokens.signUser({ account: `acc${'1'.repeat(18)}`, user: 'u', scopes: ['ch:*'], expiresInSeconds: 60 }) });
    await Promise.all([own, other, elsewhere].map((reader) => until(reader, 'sync')));
    await put('n', {}, { collection: 'notes' });
    await put('t', {});
    await until(own, 'put');
    await sleep(50);
    expect([own, other, elsewhere].map(({ frames }) => keysOf(frames))).toEqual([['put t 1'], [], []]);
  });
});

describe('states', () => {
  const secret = () => `Basic ${Buffer.from(`${account}:s`).toString('base64')}`;
  /** What the pipeline does for one location. */
  async function step(device: string, recordedAtMs: number, lat: number): Promise<void> {
    const partition = partitionOf(account, device);
    const lease = await store.lease({ partition, owner: 'test', nowMs: 0, ttlMs: 1e9 });
    if (lease.kind !== 'held') throw new Error(lease.kind);
    const bytes = Buffer.from(JSON.stringify({ id: `${device}-${recordedAtMs}`, recorded_at: new Date(recordedAtMs).toISOString(), data: { lat, lon: 1 } }));
    const { position } = (await store.append({ account, device, receivedAtMs: Date.now(), rejectedCount: 0, events: [{ id: `${device}-${lat}`, bytes }] })) as {
      position: string;
    };
    const latest = { recordedAtMs, id: `${device}-${recordedAtMs}`, position, bytes };
    const devices = [{ account, device, kept: [position], filtered: [], latest, seenAtMs: Date.now() }];
    const result = await store.step({ partition, fence: lease.fence, from: lease.checkpoint, to: position, devices, presenceTimeoutMs: 120_000 });
    if (result.kind === 'stepped' && result.news !== undefined) bus.tellDevices(result.news);
  }
  const statesOf = (reader: Reader): readonly unknown[] =>
    reader.frames
      .filter(({ t }) => t === 'put')
      .map(({ ch, k, d }) => `${ch} ${k} ${(d as { presence: string }).presence} ${(d as { location?: { lat: number } }).location?.lat}`);
  const register = (device: string) =>
    store.putDevice({
      account,
      device,
      expected: undefined,
      row: { version: 1, secretDigest: '', generation: 1, deleted: false, registeredAtMs: 0, changedAtMs: 0, attributes: {} },
    });

  test('a snapshot on connect, then the latest of what is new; a late point and a stranger’s device say nothing', async () => {
    await start({ accounts: { create: never, quota: async () => 100, identify: () => ({ kind: 'account', account }) } });
    for (const device of ['d1', 'd2', 'd3']) await register(device);
    await step('d1', 1000, 1);
    await step('d2', 1000, 2);
    const all = open('ch=devices', { token: secret() });
    const one = open('ch=device:d1,inbox', { token: secret() });
    await Promise.all([until(all, 'sync'), until(one, 'sync')]);
    expect(statesOf(all)).toEqual(['devices d1 online 1', 'devices d2 online 2']);
    expect(statesOf(one)).toEqual(['device:d1 d1 online 1']);
    expect(all.frames[0]).not.toHaveProperty('from');
    await step('d1', 500, 9);
    await step('d1', 2000, 3);
    await step('d2', 2000, 4);
    await until(all, 'put', 4);
    expect(statesOf(all).slice(2)).toEqual(['devices d1 online 3', 'devices d2 online 4']);
    await sleep(100);
    expect(statesOf(one)).toEqual(['device:d1 d1 online 1', 'device:d1 d1 online 3']);
  });

  test('what was told to nobody, since whoever knew it is gone, is told once that is known', async () => {
    await start({ accounts: { create: never, quota: async () => 100, identify: () => ({ kind: 'account', account }) } });
    const devices = Array.from({ length: 450 }, (_, i) => `d${1000 + i}`);
    for (const device of devices) await register(device);
    const readers = ['ch=devices', 'ch=device:d1001,inbox', 'ch=inbox'].map((query) => open(query, { token: secret() }));
    await Promise.all(readers.map((reader) => until(reader, 'sync')));
    const { tellDevices } = bus;
    Object.assign(bus, { tellDevices: () => undefined });
    await step('d1001', 1000, 1);
    await step('d1449', 1000, 2);
    Object.assign(bus, { tellDevices });
    await sleep(200);
    expect(readers.map(statesOf)).toEqual([[], [], []]);
    bus.receive({ kind: 'lost' });
    await Promise.all([until(readers[0] as Reader, 'put', 2), until(readers[1] as Reader, 'put')]);
    expect(readers.map(statesOf)).toEqual([['devices d1001 online 1', 'devices d1449 online 2'], ['device:d1001 d1001 online 1'], []]);
  });

  test('what changes before the other processes know who watches is in the snapshot, which waits for that', async () => {
    const known = Promise.withResolvers<void>();
    const relay = { ...createBus(), watch: () => known.promise };
    await start({ bus: relay, accounts: { create: never, quota: async () => 100, identify: () => ({ kind: 'account', account }) } });
    const readers = ['ch=devices', 'ch=device:d1'].map((query) => open(query, { token: secret() }));
    await Promise.all(readers.map((reader) => until(reader, 'hello')));
    await register('d1');
    await step('d1', 1000, 7);
    await sleep(100);
    expect(readers.map(statesOf)).toEqual([[], []]);
    known.resolve();
    await Promise.all(readers.map((reader) => until(reader, 'sync')));
    expect(readers.map(statesOf)).toEqual([['devices d1 online 7'], ['device:d1 d1 online 7']]);
  });

  test('a device may watch itself and nobody else, and its stream keeps it online', async () => {
    const presenceTimeoutMs = 3000;
    await start({ streams: { ageMs: 600_000, positionCheckMs: 10_000, presenceTimeoutMs } });
    const token = tokens.signDevice({ account, device: 'd1', user: undefined, generation: 1, expiresInSeconds: 60 });
    const asked = (query: string) => ask(`/v1/stream?${query}`, { headers: { authorization: `Bearer ${token}` } });
    expect((await asked('ch=device:d2')).status).toBe(403);
    expect((await asked('ch=devices')).status).toBe(403);
    expect((await asked('ch=sync:trips')).status).toBe(403);
    const own = open('ch=device:d1', { token });
    await until(own, 'put');
    expect(statesOf(own)).toEqual(['device:d1 d1 online undefined']);
    const partition = partitionOf(account, 'd1');
    const lease = await store.lease({ partition, owner: 'test', nowMs: 0, ttlMs: 1e9 });
    const { fence } = lease as { fence: number };
    const expire = () => store.expire({ partition, fence, nowMs: Date.now(), timeoutMs: presenceTimeoutMs, limit: 10 });
    await sleep(presenceTimeoutMs * 1.2);
    expect(await expire()).toEqual([]);
    own.socket.destroy();
    await sleep(presenceTimeoutMs * 1.2);
    expect(await expire()).toEqual([{ account, device: 'd1' }]);
    expect((await store.readPresence({ account, device: 'd1' }))?.online).toBe(false);
  });

  test('the end of a device’s own stream is a sign of life, whatever ends it; those of one tick are given together', async () => {
    const devices = Array.from({ length: 300 }, (_, i) => `d${i}`);
    const token = (device: string) => tokens.signDevice({ account, device, user: undefined, generation: 1, expiresInSeconds: 60 });
    const openAll = async (): Promise<readonly Reader[]> => {
      const own = devices.map((device) => open(`ch=device:${device}`, { token: token(device) }));
      await Promise.all(own.map((reader) => until(reader, 'sync')));
      return own;
    };
    const areSeenFrom = (fromMs: number) => async (): Promise<boolean> => {
      const seen = await Promise.all(devices.map((device) => store.readPresence({ account, device })));
      return seen.every((presence) => presence !== undefined && presence.seenAtMs >= fromMs);
    };
    await start();
    const own = await openAll();
    const { touch } = store;
    const turns: number[] = [];
    let given = 0;
    Object.assign(store, {
      touch: (...sign: Parameters<typeof touch>) => {
        if (given++ === 0)
          setImmediate(() => {
            turns.push(given);
            given = 0;
          });
        return touch(...sign);
      },
    });
    await sleep(20);
    const cutMs = Date.now();
    for (const { socket } of own) socket.destroy();
    await expect.poll(areSeenFrom(cutMs), { interval: 20 }).toBe(true);
    await expect.poll(() => turns.reduce((sum, one) => sum + one, 0)).toBe(devices.length);
    expect(turns.length).toBeLessThan(10);
    await openAll();
    await sleep(20);
    const drainMs = Date.now();
    await app.hub.drain({ windowMs: 50 });
    await app.close();
    expect(await areSeenFrom(drainMs)()).toBe(true);
  });
});

describe('shares', () => {
  const deliver = () => deliverOnce({ store, clock: systemClock, poke: bus.poke, onTrouble: () => undefined });
  const share = (to: unknown, user = 'u') => ask('/v1/shares', { method: 'POST', user, body: { collection: 'trips', item: 't1', to } });

  test('a share, its changes and its revocation appear in the inbox, and nowhere else', async () => {
    await put('t1', { n: 1 });
    const [recipient, stranger] = [open('ch=inbox', { token: userToken('v') }), open('ch=inbox,sync:trips', { token: userToken('w') })];
    await Promise.all([until(recipient, 'sync'), until(stranger, 'sync')]);
    const shared = await share({ user: 'v' });
    expect(shared.status).toBe(201);
    await deliver();
    await put('t1', { n: 2 });
    await deliver();
    expect((await ask(`/v1/shares/${shared.json.share_id}`, { method: 'DELETE', user: 'v' })).status).toBe(404);
    expect((await ask(`/v1/shares/${shared.json.share_id}`, { method: 'DELETE' })).status).toBe(204);
    await put('t1', { n: 3 });
    await deliver();
    await until(recipient, 'del');
    expect(keysOf(recipient.frames)).toEqual([`put ${shared.json.share_id} 1`, `put ${shared.json.share_id} 2`, `del ${shared.json.share_id} 3`]);
    expect(recipient.frames.filter(({ t }) => t === 'put').map(({ d }) => d)).toMatchObject([
      { from: { user: 'u' }, collection: 'trips', item: 't1', version: 1, data: { n: 1 } },
      { version: 2, data: { n: 2 } },
    ]);
    expect(keysOf(stranger.frames)).toEqual([]);
    expect(await deliver()).toBe(false);
  });

  test('to the account itself; refused to oneself, to another account, twice, and for what is not there', async () => {
    expect((await share({ user: 'v' })).status).toBe(404);
    await put('t1', {});
    expect((await share({ user: 'u' })).status).toBe(422);
    expect((await share({ account: 'acc2' })).status).toBe(404);
    const shared = await share({ account });
    expect(shared.json).toMatchObject({ to: { account }, collection: 'trips', item: 't1' });
    expect((await share({ account })).json).toMatchObject({ code: 'share-exists', share_id: shared.json.share_id });
    expect((await ask('/v1/shares')).json).toMatchObject({ shares: [{ share_id: shared.json.share_id }] });
    expect((await ask('/v1/shares', { user: 'v' })).json).toEqual({ shares: [] });
    expect((await ask(`/v1/shares/${shared.json.share_id}`, { user: 'v' })).status).toBe(404);
  });
});
