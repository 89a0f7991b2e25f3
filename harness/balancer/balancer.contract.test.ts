/** The model balancer over loopback, against scripted targets: what a client and a target feel of each behaviour. */
import { createServer as createHttpServer, type Server as HttpServer } from 'node:http';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Agent, request } from 'undici';
import { afterEach, expect, test } from 'vitest';
import { type AccessLine, type Balancer, type BalancerOptions, startBalancer } from './balancer.ts';
import { presets } from './presets.ts';

const stops: (() => unknown)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

/** What a side of a connection felt. */
type Felt = { readonly socket: Socket; text: string; end: 'open' | 'fin' | 'rst' };

function feel(socket: Socket): Felt {
  const felt: Felt = { socket, text: '', end: 'open' };
  socket.on('data', (bytes: Buffer) => {
    felt.text += bytes.toString('latin1');
  });
  socket.on('end', () => {
    if (felt.end === 'open') felt.end = 'fin';
  });
  socket.on('error', (error: Error & { code?: string }) => {
    if (error.code === 'ECONNRESET' || error.code === 'EPIPE') felt.end = 'rst';
  });
  stops.push(() => socket.destroy());
  return felt;
}

async function tcpTarget(): Promise<{ address: { host: string; port: number }; felt: Felt[] }> {
  const felt: Felt[] = [];
  const server: Server = createServer({ allowHalfOpen: true }, (socket) => void felt.push(feel(socket)));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  stops.push(() => server.close());
  return { address: { host: '127.0.0.1', port: (server.address() as AddressInfo).port }, felt };
}

async function start(options: BalancerOptions): Promise<Balancer & { lines: AccessLine[] }> {
  const lines: AccessLine[] = [];
  const balancer = await startBalancer({ ...options, onAccess: (line) => lines.push(line) });
  stops.push(() => balancer.close());
  return { ...balancer, lines };
}

async function open(balancer: Balancer): Promise<Felt> {
  const socket = connect({ port: Number(new URL(balancer.url).port), host: '127.0.0.1', allowHalfOpen: true });
  const felt = feel(socket);
  await new Promise((resolve) => socket.once('connect', resolve).once('error', resolve));
  return felt;
}

// 60 s are 300 ms, 350 s are 1.75 s.
const scale = 200;
/** An idle timeout of which a quarter is a pause that a busy machine does not stretch to the whole. */
const unhurriedMs = 4000;

test.each([
  ['classic-elb', 60_000, 'fin', 'fin'],
  ['nlb', 350_000, 'open', 'open'],
] as const)('%s: an idle connection expires after %i ms of its clock, and not while there is payload either way', async (preset, idleMs, client, target) => {
  const { address, felt } = await tcpTarget();
  const balancer = await start({ settings: { ...presets[preset], proxyHeader: 'off' }, targets: [address], scale: idleMs / unhurriedMs });
  const kept = await open(balancer);
  await expect.poll(() => felt.length).toBe(1);
  let begunMs = 0;
  for (let i = 0; i < 8; i++) {
    await sleep(unhurriedMs / 4);
    begunMs = performance.now();
    (i % 2 === 0 ? kept.socket : (felt[0] as Felt).socket).write('x');
  }
  await expect.poll(() => [kept.text, felt[0]?.text]).toEqual(['xxxx', 'xxxx']);
  expect(balancer.counts.expired).toBe(0);
  await expect.poll(() => balancer.counts.expired, { interval: 5 }).toBe(1);
  expect(performance.now() - begunMs).toBeGreaterThan(unhurriedMs * 0.8);
  await expect.poll(() => [kept.end, felt[0]?.end]).toEqual([client, target]);
  expect(balancer.lines.at(-1)).toMatchObject({ ended: 'idle', bytesIn: 4, bytesOut: 4, target: `127.0.0.1:${address.port}` });
});

test('nlb: after it forgot a flow, whoever sends next is reset and the other one is not told', async () => {
  const { address, felt } = await tcpTarget();
  const balancer = await start({ settings: { ...presets.nlb, proxyHeader: 'off' }, targets: [address], scale });
  const client = await open(balancer);
  await expect.poll(() => balancer.counts.expired).toBe(1);
  client.socket.write('still there?');
  await expect.poll(() => client.end).toBe('rst');
  expect(felt[0]).toMatchObject({ text: '', end: 'open' });
});

test('rst on expiry is felt as rst by both', async () => {
  const { address, felt } = await tcpTarget();
  const balancer = await start({ settings: { ...presets['classic-elb'], proxyHeader: 'off', expiry: 'rst' }, targets: [address], scale });
  const client = await open(balancer);
  await expect.poll(() => client.end).toBe('rst');
  await expect.poll(() => felt[0]?.end).toBe('rst');
});

test('one side’s silence can have a timeout of its own', async () => {
  const { address, felt } = await tcpTarget();
  const balancer = await start({ settings: { ...presets['classic-elb'], proxyHeader: 'off', clientSilenceMs: 20_000 }, targets: [address], scale });
  const client = await open(balancer);
  await expect.poll(() => felt.length).toBe(1);
  for (let i = 0; i < 2000 && client.end === 'open'; i++) {
    felt[0]?.socket.write('x');
    await sleep(20);
  }
  expect(client.end).toBe('fin');
});

test('both versions of the PROXY header come before the first byte', async () => {
  for (const preset of ['classic-elb', 'nlb'] as const) {
    const { address, felt } = await tcpTarget();
    const balancer = await start({ settings: presets[preset], targets: [address] });
    const client = await open(balancer);
    client.socket.write('hello');
    await expect.poll(() => felt[0]?.text).toContain('hello');
    const port = client.socket.localPort as number;
    const balancerPort = new URL(balancer.url).port;
    const expected =
      preset === 'classic-elb'
        ? `PROXY TCP4 127.0.0.1 127.0.0.1 ${port} ${balancerPort}\r\nhello`
        : Buffer.concat([
            Buffer.from('0d0a0d0a000d0a515549540a2111000c7f0000017f000001', 'hex'),
            Buffer.from([port >> 8, port & 255, Number(balancerPort) >> 8, Number(balancerPort) & 255]),
            Buffer.from('hello'),
          ]).toString('latin1');
    expect(felt[0]?.text).toBe(expected);
  }
});

test('a half-closed connection still carries the answer', async () => {
  const { address, felt } = await tcpTarget();
  const balancer = await start({ settings: { ...presets['classic-elb'], proxyHeader: 'off' }, targets: [address] });
  const client = await open(balancer);
  client.socket.end('question');
  await expect.poll(() => felt[0]?.end).toBe('fin');
  felt[0]?.socket.end('answer');
  await expect.poll(() => [client.text, client.end]).toEqual(['answer', 'fin']);
});

test('above its connections, above its units, without a target: refused', async () => {
  const { address } = await tcpTarget();
  const small = await start({ settings: { ...presets['classic-elb'], connectionsMax: 2 }, targets: [address] });
  const all = [await open(small), await open(small), await open(small)];
  await expect.poll(() => all.map(({ end }) => end)).toEqual(['open', 'open', 'rst']);
  all[0]?.socket.resetAndDestroy();
  await expect.poll(() => small.counts.active).toBe(1);
  expect((await open(small)).end).toBe('open');
  const cold = await start({
    settings: { ...presets['classic-elb'], capacity: { initialUnits: 0.4, growthFactor: 1.5, growthMs: 300_000, above: 'refuse' } },
    targets: [address],
  });
  for (let i = 0; i < 30; i++) await open(cold);
  expect([cold.counts.accepted, cold.counts.refused]).toEqual([10, 20]);
  expect(cold.units()).toBe(0.4);
  const alone = await start({ settings: presets['classic-elb'], targets: [] });
  const nobody = await open(alone);
  await expect.poll(() => nobody.end).toBe('rst');
});

test('above its units it can delay instead', async () => {
  const { address, felt } = await tcpTarget();
  const settings = {
    ...presets['classic-elb'],
    proxyHeader: 'off' as const,
    capacity: { initialUnits: 0.4, growthFactor: 1.5, growthMs: 300_000, above: 'delay' as const },
  };
  const balancer = await start({ settings, targets: [address], scale: 10 });
  const all = await Promise.all(Array.from({ length: 25 }, () => open(balancer)));
  await expect.poll(() => felt.length).toBe(25);
  expect(balancer.counts.delayed).toBeGreaterThan(0);
  expect(all.every(({ end }) => end === 'open')).toBe(true);
});

test('a drain takes no new connections to a target, and closes the others after its delay; dropAll resets everybody at once', async () => {
  const [first, second] = [await tcpTarget(), await tcpTarget()];
  const balancer = await start({ settings: { ...presets['classic-elb'], proxyHeader: 'off' }, targets: [first.address, second.address], scale });
  const early = [await open(balancer), await open(balancer)];
  await expect.poll(() => [first.felt.length, second.felt.length]).toEqual([1, 1]);
  balancer.drain(first.address, 20_000);
  const late = [await open(balancer), await open(balancer)];
  await expect.poll(() => second.felt.length).toBe(3);
  await expect.poll(() => early.map(({ end }) => end).sort()).toEqual(['fin', 'open']);
  expect(first.felt).toHaveLength(1);
  balancer.dropAll('rst');
  await expect.poll(() => late.map(({ end }) => end)).toEqual(['rst', 'rst']);
});

async function httpTarget(keepAliveMs: number): Promise<{ address: { host: string; port: number }; server: HttpServer; connections: () => number }> {
  let connections = 0;
  const server = createHttpServer({ keepAliveTimeout: keepAliveMs, keepAliveTimeoutBuffer: 0 } as object, (incoming, outgoing) => {
    if (incoming.url === '/silent') return;
    outgoing.end(JSON.stringify({ forwarded: incoming.headers['x-forwarded-for'], url: incoming.url }));
  });
  server.on('connection', () => connections++);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  stops.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return { address: { host: '127.0.0.1', port: (server.address() as AddressInfo).port }, server, connections: () => connections };
}

test('an HTTP listener reuses its connections, adds X-Forwarded-For, and answers 503 without a target', async () => {
  const target = await httpTarget(60_000);
  const balancer = await start({ settings: presets.alb, targets: [target.address] });
  const dispatcher = new Agent({ connections: 1 });
  stops.push(() => dispatcher.close());
  for (let i = 0; i < 5; i++) {
    const answer = await request(`${balancer.url}/x`, { dispatcher, headers: { 'x-forwarded-for': '203.0.113.9' } });
    expect(await answer.body.json()).toEqual({ forwarded: '203.0.113.9, 127.0.0.1', url: '/x' });
  }
  expect(target.connections()).toBe(1);
  expect(balancer.lines).toHaveLength(5);
  expect(balancer.lines[0]).toMatchObject({ request: 'GET /x', status: 200, ended: 'answered' });
  balancer.setTargets([]);
  expect((await request(`${balancer.url}/x`, { dispatcher })).statusCode).toBe(503);
});

test('a target that closes idle connections earlier than the balancer makes 502s, one that keeps them for longer none', async () => {
  const statuses = async (keepAliveMs: number): Promise<Set<number>> => {
    const target = await httpTarget(keepAliveMs);
    const balancer = await start({ settings: presets.alb, targets: [target.address], scale });
    const found = new Set<number>();
    for (let i = 0; i < 6; i++) {
      const answer = await request(`${balancer.url}/x`);
      await answer.body.dump();
      found.add(answer.statusCode);
      await sleep(150);
    }
    return found;
  };
  expect(await statuses(50)).toContain(502);
  expect(await statuses(60_000)).toEqual(new Set([200]));
});

test('an HTTP exchange that is idle: the classic listener resets, the application listener closes', async () => {
  for (const [preset, end] of [
    ['classic-elb-http', 'rst'],
    ['alb', 'fin'],
  ] as const) {
    const target = await httpTarget(60_000);
    const balancer = await start({ settings: presets[preset], targets: [target.address], scale });
    const client = await open(balancer);
    client.socket.write('GET /silent HTTP/1.1\r\nHost: x\r\n\r\n');
    await expect.poll(() => client.end).toBe(end);
    expect(balancer.counts.expired).toBe(1);
  }
});
