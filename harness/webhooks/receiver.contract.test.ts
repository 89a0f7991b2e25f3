import { createHmac } from 'node:crypto';
import { promises as dns } from 'node:dns';
import { Webhook } from 'standardwebhooks';
import { expect, test } from 'vitest';
import { startNameServer } from './name-server.ts';
import { createReceiver } from './receiver.ts';
import { createCounter, isSignedBy } from './receiver-counts.ts';
import { startReceiver } from './start-receiver.ts';

const secret = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;
const bodyOf = (type: string, data: object = {}, agoMs = 0): string => JSON.stringify({ type, timestamp: new Date(Date.now() - agoMs).toISOString(), data });
const headersOf = (id: string, body: string, key = secret): Record<string, string> => ({
  'webhook-id': id,
  'webhook-timestamp': String(Math.floor(Date.now() / 1000)),
  'webhook-signature': `v1,bm9uZQ== ${new Webhook(key).sign(id, new Date(), body)}`,
});
const post = async (url: string, body: string, headers: Record<string, string> = {}) => {
  const answer = await fetch(url, { method: 'POST', body, headers, redirect: 'manual', signal: AbortSignal.timeout(3000) });
  return { status: answer.status, text: await answer.text(), location: answer.headers.get('location') };
};

test('a receiver answers as it is told to, and writes down what came', async () => {
  const receiver = await createReceiver();
  receiver.react('/moved', (_, before) =>
    before === 0 ? { kind: 'answer', status: 302, headers: { location: '/x' } } : { kind: 'answer', status: 429, afterMs: 50 },
  );
  receiver.react('/cut', () => ({ kind: 'cut' }));
  receiver.react('/hang', () => ({ kind: 'hang' }));
  const body = bodyOf('webhook.confirmation', { challenge: 'c' });
  expect(await post(receiver.url('/any'), body)).toEqual({ status: 200, text: '{"challenge":"c"}', location: null });
  expect(await post(receiver.url('/any'), bodyOf('x'))).toEqual({ status: 200, text: '', location: null });
  expect(await post(receiver.url('/moved'), 'no JSON', { 'webhook-id': 'a' })).toMatchObject({ status: 302, location: '/x' });
  const sentMs = performance.now();
  expect((await post(receiver.url('/moved'), 'no JSON', { 'webhook-id': 'a' })).status).toBe(429);
  expect(performance.now() - sentMs).toBeGreaterThanOrEqual(49);
  await expect(post(receiver.url('/cut'), '{}')).rejects.toThrow();
  await expect(post(receiver.url('/hang'), '{}')).rejects.toThrow(/timeout/);
  expect(receiver.at('/any')[0]).toMatchObject({ body, type: 'webhook.confirmation', data: { challenge: 'c' }, id: '' });
  expect(receiver.hits.map(({ path }) => path)).toEqual(['/any', '/any', '/moved', '/moved', '/cut', '/hang']);
  await receiver.stop();
});

test('a counting receiver tells ids apart, signatures, and how late each came first', async () => {
  const receiver = await startReceiver();
  receiver.expect(secret);
  const send = (id: string, agoMs: number, key = secret) => {
    const body = bodyOf('x', {}, agoMs);
    return post(receiver.url, body, headersOf(id, body, key));
  };
  await send('a', 5000);
  await send('b', 0);
  await send('a', 9000);
  await send('c', 0, `whsec_${Buffer.alloc(32, 8).toString('base64')}`);
  const challenge = bodyOf('webhook.confirmation', { challenge: 'c' });
  expect((await post(receiver.url, challenge, headersOf('h', challenge))).text).toBe('{"challenge":"c"}');
  const { delaysMs, ...counts } = await receiver.read();
  expect(counts).toEqual({ hits: 5, challenges: 1, deliveries: 3, repeated: 1, unsigned: 1, types: { x: 3 } });
  expect(delaysMs.map((ms) => Math.floor(ms / 4000))).toEqual([1, 0, 0]);
  await receiver.stop();
});

test('who asks a counting receiver that died is told so, before and after', async () => {
  const receiver = await startReceiver();
  await receiver.read();
  process.kill(receiver.pid, 'SIGSTOP');
  const asked = receiver.read();
  process.kill(receiver.pid, 'SIGKILL');
  await expect(asked).rejects.toThrow('the receiver ended with null');
  await expect(receiver.read()).rejects.toThrow('the receiver ended with null');
  await receiver.stop();
});

test('a counting receiver that cannot listen says so, and leaves no timer running', async () => {
  const timers = () => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;
  const before = timers();
  await expect(startReceiver({ host: '192.0.2.1' })).rejects.toThrow(/the receiver ended with/);
  expect(timers()).toBeLessThanOrEqual(before);
});

test('our signature’s check agrees with the standard’s, and sees a flipped byte', () => {
  const body = bodyOf('x');
  const headers = headersOf('a', body);
  expect(isSignedBy(secret, { headers, body, id: 'a' })).toBe(true);
  expect(isSignedBy(secret, { headers, body: `${body} `, id: 'a' })).toBe(false);
  expect(isSignedBy(secret, { headers, body, id: 'b' })).toBe(false);
  const other = createHmac('sha256', 'x').update('x').digest('base64');
  expect(isSignedBy(secret, { headers: { ...headers, 'webhook-signature': `v1,${other}` }, body, id: 'a' })).toBe(false);
  expect(createCounter().read()).toMatchObject({ hits: 0, deliveries: 0 });
});

test('a name server follows its script', async () => {
  const server = await startNameServer((n) => `127.0.0.${n + 1}`);
  const resolver = new dns.Resolver();
  resolver.setServers([server.address]);
  expect(await resolver.resolve4('some.test')).toEqual(['127.0.0.1']);
  expect(await resolver.resolve4('some.test')).toEqual(['127.0.0.2']);
  await expect(resolver.resolve6('some.test')).rejects.toThrow(/ENODATA/);
  expect(server.asked()).toBe(2);
  await server.stop();
});
