import { createServer, type Server, type Socket } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { openSubscriber, type SubscribedFrame, type Subscriber } from './subscriber.ts';

let server: Server | undefined;
let subscriber: Subscriber | undefined;
afterEach(() => {
  subscriber?.close();
  server?.close();
});

const nothing = { channel: null, key: null, version: null, cursor: null, at: null, data: null, hashes: null, code: null, retryMs: null };
const put = (key: string, version: number, cursor: string): Partial<SubscribedFrame> => ({ t: 'put', channel: 'sync:trips', key, version, cursor });
const chunk = (text: string): string => `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`;
const next = (frame: object): string => chunk(`event: next\ndata: ${JSON.stringify({ data: { stream: { ...nothing, ...frame } } })}\n\n`);
const head = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: text/event-stream\r\n\r\n';
const complete = `${chunk('event: complete\ndata:\n\n')}0\r\n\r\n`;

/** A service that says what it is told to, in pieces of `piece` bytes. */
async function told(
  text: string,
  { piece = text.length, ends = true } = {},
): Promise<{ end: unknown; counts: unknown; cursor: string | undefined; delays: number }> {
  const say = async (socket: Socket): Promise<void> => {
    const bytes = Buffer.from(text);
    for (let at = 0; at < bytes.length; at += piece) {
      socket.write(bytes.subarray(at, at + piece));
      await new Promise(setImmediate);
    }
    if (ends) socket.end();
    else socket.resetAndDestroy();
  };
  server = createServer((socket) => void socket.once('data', () => void say(socket)));
  const { port } = await new Promise<{ port: number }>((resolve) => server?.listen(0, '127.0.0.1', () => resolve(server?.address() as { port: number })));
  let delays = 0;
  subscriber = openSubscriber({ url: `http://127.0.0.1:${port}`, authorization: 'x', channels: ['sync:trips'], onDelay: () => delays++ });
  const end = await subscriber.ended;
  return { end, counts: subscriber.counts, cursor: subscriber.cursor(), delays };
}
const none = { events: 0, heartbeats: 0, gaps: 0, repeats: 0, errors: 0 };

test.each([1, 7, 100_000])('counts what came in pieces of %i bytes, and how it ended', async (piece) => {
  const frames = [
    { t: 'hello', cursor: 'a' },
    put('k', 1, 'b'),
    { ...put('k', 2, 'c'), at: new Date().toISOString() },
    { t: 'hb', cursor: 'c' },
    { t: 'bye', code: 'age', retryMs: 5, cursor: 'c' },
  ];
  const result = await told(`${head}${chunk(':\n\n')}${frames.map(next).join('')}${complete}`, { piece });
  expect(result).toEqual({ end: { kind: 'bye', code: 'age', retryMs: 5 }, counts: { ...none, events: 2, heartbeats: 1 }, cursor: 'c', delays: 1 });
});

test('a version left out is a gap, a cursor that does not grow a repeat, and a reset begins anew', async () => {
  const frames = [put('k', 1, 'b'), put('k', 4, 'c'), put('other', 9, 'c'), put('k', 5, 'a'), { t: 'reset', channel: 'sync:trips' }, put('k', 9, 'd')];
  const { counts } = await told(`${head}${frames.map(next).join('')}${complete}`);
  expect(counts).toEqual({ ...none, events: 5, gaps: 2, repeats: 2 });
});

test('an end without a word is a loss, an error is counted, and a refusal is told', async () => {
  expect(await told(`${head}${next(put('k', 1, 'b'))}`, { ends: false })).toMatchObject({ end: { kind: 'lost' } });
  const error = chunk('event: next\ndata: {"errors":[{"message":"x"}]}\n\n');
  expect(await told(`${head}${error}${complete}`)).toMatchObject({ end: { kind: 'complete' }, counts: { errors: 1 } });
  const refused = await told('HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\n{}');
  expect(refused.end).toMatchObject({ kind: 'refused', status: 401 });
});
