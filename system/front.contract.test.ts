/** The two ways in answer alike, to the byte: a request that is plain, before the framework, and the same one through it. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { gzipSync } from 'node:zlib';
import type { FastifyInstance } from 'fastify';
import { afterEach, describe, expect, test } from 'vitest';
import type { AdmissionOverrides } from './admission/admission.ts';
import { buildApp, type PlainDeps } from './app.ts';
import { depsAlone } from './deps-alone.ts';
import { StoreUnavailable } from './store/store.ts';

const token = (deps: PlainDeps, account = 'a') => deps.tokens.signDevice({ account, device: 'd', user: undefined, generation: 1, expiresInSeconds: 600 });
const event = (id: string) => ({ id, type: 'battery', recorded_at: '2026-11-24T10:00:00Z', data: { level: 1 } });

type Way = { readonly app: FastifyInstance; readonly deps: PlainDeps; readonly port: number; readonly framework: { requests: number } };
const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

/** An app of its own behind a listener that gives it connections as a worker does. `framework` counts what came through there. */
async function openWay(hasFront: boolean, change: Partial<PlainDeps> = {}): Promise<Way> {
  const framework = { requests: 0 };
  const customise = (app: FastifyInstance): void =>
    void app.addHook('onRequest', (_request, _reply, done) => {
      framework.requests++;
      done();
    });
  const deps = depsAlone({ hasFront, customise, ...change });
  const app = await buildApp(deps);
  await app.ready();
  app.server.emit('listening');
  const server = createServer({ allowHalfOpen: true, noDelay: true }, app.front.take).listen(0, '127.0.0.1');
  await once(server, 'listening');
  closing.push(async () => {
    server.close();
    await app.close();
  });
  return { app, deps, port: (server.address() as AddressInfo).port, framework };
}

type Asked = {
  readonly body?: string | Buffer;
  readonly headers?: readonly string[];
  readonly hosts?: readonly string[];
  readonly start?: string;
  readonly bearer?: string;
  readonly scheme?: string;
};

function bytesOf(deps: PlainDeps, asked: Asked): Buffer {
  const { body = JSON.stringify([event('e')]), headers = [], hosts = ['a'], start = 'POST /v1/events HTTP/1.1', bearer, scheme = 'Bearer' } = asked;
  const bytes = Buffer.from(body);
  const own = [
    ...hosts.map((host) => `Host: ${host}`),
    `Authorization: ${scheme} ${bearer ?? token(deps)}`,
    'Content-Type: application/json',
    'X-Request-Id: r',
  ];
  const length = headers.some((line) => /^(?:transfer-encoding|content-length)/i.test(line)) ? [] : [`Content-Length: ${bytes.length}`];
  return Buffer.concat([Buffer.from([start, ...own, ...length, ...headers, '', ''].join('\r\n')), bytes]);
}

/** Asks in vain at the end, so that the connection closes whatever was asked before. */
const last = Buffer.from('GET /nowhere HTTP/1.1\r\nHost: a\r\nX-Request-Id: last\r\nConnection: close\r\n\r\n');

/** Writes each part when so many answers have come as parts were written before; all that was answered until the end. */
async function speak({ port }: Way, parts: readonly Buffer[]): Promise<string> {
  const socket = connect({ port, host: '127.0.0.1' });
  let said = '';
  let written = 0;
  const answers = (): number => said.split(/HTTP\/1\.1 [2-5]/).length - 1;
  const write = (): void => {
    while (written < parts.length && answers() >= written) socket.write(parts[written++] as Buffer);
  };
  socket.on('data', (bytes) => {
    said += bytes.toString('latin1');
    write();
  });
  socket.on('error', () => undefined);
  write();
  await once(socket, 'close');
  return comparable(said);
}

/**
 * Without the time, and without what is left of a quota behind a refusal: what the store refused is asked again by the
 * framework, and has spent twice.
 */
const comparable = (said: string): string =>
  said
    .replaceAll(/Date: [^\r]+/g, 'Date: then')
    // What is no request at all has an id that is made.
    .replaceAll(/Content-Length: \d+\r\nX-Request-Id: (?!r\r|last\r)\w+/g, 'X-Request-Id: made')
    .replaceAll(/(?<="request_id":")(?!r"|last")\w+/g, 'made')
    .replaceAll(/(HTTP\/1\.1 (?:409|503) .*?;r=)\d+/gs, '$1n');

const kept = { body: JSON.stringify([event('k')]), headers: ['Idempotency-Key: k'] };
const ways: readonly (readonly [name: string, asked: readonly Asked[], plainly: number])[] = [
  ['one after the other on one connection', [{}, { body: JSON.stringify([event('f')]) }, {}], 3],
  [
    'a batch, and a batch that says when it was sent',
    [{ body: JSON.stringify([event('g'), event('h')]) }, { body: JSON.stringify({ events: [event('i')] }) }],
    2,
  ],
  ['a rejected event whose id is not ASCII', [{ body: JSON.stringify([event('a'), { ...event('é→'), type: 'x' }]) }], 1],
  ['an idempotency key, twice', [kept, kept], 2],
  ['an idempotency key with another body', [kept, { ...kept, body: JSON.stringify([event('l')]) }], 1],
  ['a token that is none', [{ bearer: 'x' }], 0],
  ['what is no JSON', [{ body: '[{' }], 0],
  ['an empty batch', [{ body: '[]' }], 0],
  ['only events that are not valid', [{ body: '[{}]' }], 0],
  ['more events than a batch has', [{ body: JSON.stringify(Array.from({ length: 501 }, (_, i) => event(String(i)))) }], 0],
  ['no body', [{ body: '' }], 0],
  ['gzip', [{ body: gzipSync(JSON.stringify([event('z')])), headers: ['Content-Encoding: gzip'] }], 0],
  ['chunks', [{ body: '2\r\n[]\r\n0\r\n\r\n', headers: ['Transfer-Encoding: chunked'] }], 0],
  ['Expect', [{ headers: ['Expect: 100-continue'] }], 0],
  ['Connection: close', [{ headers: ['Connection: close'] }], 0],
  ['HTTP/1.0', [{ start: 'POST /v1/events HTTP/1.0' }], 0],
  ['another method', [{ start: 'PATCH /v1/events HTTP/1.1' }], 0],
  ['HEAD', [{ start: 'HEAD /v1/events HTTP/1.1', body: '' }], 0],
  ['another encoding of the text', [{ headers: ['Content-Type: text/plain'] }], 0],
  ['what is no HTTP', [{ start: 'BREW' }], 0],
  ['a scheme in lower case', [{ scheme: 'bearer' }], 0],
  ['a scheme, and two blanks', [{ scheme: 'Bearer ' }], 0],
  ['a token with a comma', [{ bearer: 'a,b' }], 0],
  ['a page of another origin', [{ headers: ['Origin: https://app.example'] }], 0],
  ['no Host', [{ hosts: [] }], 0],
  ['two Hosts', [{ hosts: ['a', 'a'] }], 0],
  ['a Host that is none', [{ hosts: ['a/b'] }], 0],
  ['a Host with a port', [{ hosts: ['[::1]:8080'] }], 1],
  ['an expectation that is not met', [{ headers: ['Expect: tea'] }], 0],
  ['a coding before the chunks', [{ body: '2\r\n[]\r\n0\r\n\r\n', headers: ['Transfer-Encoding: TE, chunked'] }], 0],
  ['gzip by its old name', [{ body: gzipSync(JSON.stringify([event('z')])), headers: ['Content-Encoding: X-GZip'] }], 0],
  ['an encoding that is none', [{ headers: ['Content-Encoding: br'] }], 0],
  ['two lengths', [{ headers: ['Content-Length: 3', 'Content-Length: 4'] }], 0],
  ['plain ones before and behind one that is not', [{}, { headers: ['Accept-Language: nl', 'X-Odd: 1'] }, {}], 1],
];

describe.each(ways)('%s', (_name, asked, plainly) => {
  test('is answered alike by both ways, and by the front where it is plain', async () => {
    const [front, framework] = await Promise.all([openWay(true), openWay(false)]);
    const saidBy = (way: Way) => speak(way, [...asked.map((each) => bytesOf(way.deps, each)), last]);
    expect(await saidBy(front)).toBe(await saidBy(framework));
    expect(framework.framework.requests - front.framework.requests).toBe(plainly);
  });

  test('is answered alike where all of it comes at once', async () => {
    const [front, framework] = await Promise.all([openWay(true), openWay(false)]);
    const saidBy = (way: Way) => speak(way, [Buffer.concat([...asked.map((each) => bytesOf(way.deps, each)), last])]);
    expect(await saidBy(front)).toBe(await saidBy(framework));
  });

  test('is answered alike where it comes in two parts', async () => {
    const [front, framework] = await Promise.all([openWay(true), openWay(false)]);
    const saidBy = async (way: Way) => {
      const whole = bytesOf(way.deps, asked[0] as Asked);
      const socket = connect({ port: way.port, host: '127.0.0.1' });
      socket.on('error', () => undefined);
      socket.write(whole.subarray(0, whole.length >> 1));
      let said = '';
      socket.on('data', (bytes) => {
        said += bytes.toString('latin1');
      });
      await new Promise((resolve) => setImmediate(resolve));
      socket.write(Buffer.concat([whole.subarray(whole.length >> 1), last]));
      await once(socket, 'close');
      return comparable(said);
    };
    expect(await saidBy(front)).toBe(await saidBy(framework));
  });
});

test('a quota is spent alike, and who exceeds it is told so by the framework', async () => {
  const change = (): Partial<PlainDeps> => {
    const deps = depsAlone();
    return { store: { ...deps.store, readAccount: async () => ({ quotas: { device_ingest_per_second: 1, device_ingest_burst: 2 } }) as never } };
  };
  const [front, framework] = await Promise.all([openWay(true, change()), openWay(false, change())]);
  const saidBy = (way: Way) => speak(way, [...Array.from({ length: 3 }, () => bytesOf(way.deps, {})), last]);
  const statuses = (said: string) => said.match(/(?<=HTTP\/1\.1 )\d+/g);
  expect(statuses(await saidBy(front))).toEqual(['202', '202', '429', '404']);
  expect(statuses(await saidBy(framework))).toEqual(['202', '202', '429', '404']);
  expect(framework.framework.requests - front.framework.requests).toBe(2);
});

test('a store in trouble is 503 by both ways, and no event is told as kept', async () => {
  const failing = () => ({ store: { ...depsAlone().store, append: () => Promise.reject(new StoreUnavailable('full', 'full')) } });
  const [front, framework] = await Promise.all([openWay(true, failing()), openWay(false, failing())]);
  const jitter = (said: string) => said.replaceAll(/(retry-after: |"retry_after":)\d/g, '$1n');
  const saidBy = async (way: Way) => jitter(await speak(way, [bytesOf(way.deps, {}), last]));
  const said = await saidBy(front);
  expect(said).toMatch(/^HTTP\/1\.1 503 /);
  expect(said).toBe(await saidBy(framework));
});

test('who waited too long for his turn is refused alike, and is let in again', async () => {
  const refusing = (): Partial<PlainDeps> => {
    let asked = 0;
    return { admissionOverrides: { add: (_lane, job) => (asked++ === 1 ? job.refuse() : job.run()) } };
  };
  const [front, framework] = await Promise.all([openWay(true, refusing()), openWay(false, refusing())]);
  const jitter = (said: string) => said.replaceAll(/(retry-after: |"retry_after":|come back after )\d/g, '$1n');
  const saidBy = async (way: Way) => jitter(await speak(way, [bytesOf(way.deps, {}), bytesOf(way.deps, { body: '[{' }), bytesOf(way.deps, {}), last]));
  const said = await saidBy(front);
  expect(said.match(/(?<=HTTP\/1\.1 )\d+/g)).toEqual(['202', '503', '202', '404']);
  expect(said).toBe(await saidBy(framework));
  expect(framework.framework.requests - front.framework.requests).toBe(2);
});

test('who finds the lane full is refused alike, and his connection stays where it is', async () => {
  const full = (): Partial<PlainDeps> => {
    let asked = 0;
    const letIn = ({ name }: { readonly name: string }): number => (name === 'ingest' && ++asked === 2 ? 0 : 1);
    return { admissionOverrides: { letIn, takeShare: () => false, holdMs: 50 } };
  };
  const [front, framework] = await Promise.all([openWay(true, full()), openWay(false, full())]);
  const jitter = (said: string) => said.replaceAll(/(retry-after: |"retry_after":|come back after )\d/g, '$1n');
  const saidBy = async (way: Way) => {
    const plain = ['e', 'f', 'g'].map((id) => bytesOf(way.deps, { body: JSON.stringify([event(id)]) }));
    return jitter(await speak(way, [...plain, last]));
  };
  const said = await saidBy(front);
  expect(said.match(/(?<=HTTP\/1\.1 )\d+/g)).toEqual(['202', '503', '202', '404']);
  expect(said).toBe(await saidBy(framework));
  expect(front.deps.counts?.requests['ingest shed']).toBe(1);
  expect([front.framework.requests, framework.framework.requests]).toEqual([1, 3]);
});

test('nothing is done for who has gone while he waited for his turn', async () => {
  const waiting: Parameters<NonNullable<AdmissionOverrides['add']>>[1][] = [];
  const { store } = depsAlone();
  let appends = 0;
  const append: typeof store.append = (command) => {
    appends++;
    return store.append(command);
  };
  const way = await openWay(true, { store: { ...store, append }, admissionOverrides: { add: (_lane, job) => void waiting.push(job) } });
  const socket = connect({ port: way.port, host: '127.0.0.1' });
  socket.write(bytesOf(way.deps, {}));
  await expect.poll(() => waiting.length).toBe(1);
  const [job] = waiting;
  expect(job?.isGone()).toBe(false);
  socket.destroy();
  await expect.poll(() => job?.isGone()).toBe(true);
  job?.drop();
  expect(appends).toBe(0);
});

test('a worker that ends says so on its next answer, and what was being answered is answered', async () => {
  let isClosing = false;
  let release = (): void => undefined;
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  const { store } = depsAlone();
  let asked = (): void => undefined;
  const wasAsked = new Promise<void>((resolve) => {
    asked = resolve;
  });
  const append: typeof store.append = async (command) => {
    asked();
    await held;
    return store.append(command);
  };
  const way = await openWay(true, { store: { ...store, append }, isClosing: () => isClosing });
  const speaking = speak(way, [bytesOf(way.deps, {}), last]);
  await wasAsked;
  isClosing = true;
  way.app.front.stepAside();
  release();
  expect(await speaking).toMatch(/^HTTP\/1\.1 202 .*\r\nConnection: close\r\n\r\n[^\r]*$/s);
});

test('an idle connection is the HTTP server’s to close once the front has stepped aside', async () => {
  const way = await openWay(true);
  const socket = connect({ port: way.port, host: '127.0.0.1' });
  socket.write(bytesOf(way.deps, {}));
  await once(socket, 'data');
  way.app.front.stepAside();
  way.app.server.closeIdleConnections();
  socket.resume();
  await once(socket, 'close');
  expect(way.framework.requests).toBe(0);
});

test('an idle connection ends when it is no longer kept', async () => {
  const way = await openWay(true);
  Object.assign(way.app.server, { keepAliveTimeout: 20, keepAliveTimeoutBuffer: 0 });
  const socket = connect({ port: way.port, host: '127.0.0.1' });
  socket.write(bytesOf(way.deps, {}));
  socket.resume();
  await once(socket, 'close');
});

test('who closes his half while he is answered gets no answer, by both ways, and his event is kept once', async () => {
  for (const hasFront of [true, false]) {
    const way = await openWay(hasFront);
    const socket = connect({ port: way.port, host: '127.0.0.1', allowHalfOpen: true });
    let said = '';
    socket.on('data', (bytes) => {
      said += bytes.toString();
    });
    socket.end(bytesOf(way.deps, {}));
    await once(socket, 'close');
    expect([hasFront, said.length > 0 && !said.startsWith('HTTP/1.1 202')]).toEqual([hasFront, false]);
  }
});

test('places are left again, and what is answered is counted and metered', async () => {
  const way = await openWay(true);
  await speak(way, [bytesOf(way.deps, {}), bytesOf(way.deps, { body: JSON.stringify([event('f')]) }), last]);
  expect(way.deps.counts?.requests['ingest good']).toBe(2);
  expect(way.deps.counts?.appends.buckets.reduce((sum, count) => sum + count, 0)).toBe(2);
  expect(way.app.metering.takeCallers()).toEqual(['a']);
});
