import { expect, test } from 'vitest';
import { streamForms } from './stream-formats.ts';

const ask = { channels: ['sync:trips', 'inbox'], since: 'now', heartbeatMs: 5000 };
const put = { t: 'put', ch: 'sync:trips', k: 'k1', ver: 3, c: 'c2', ts: '2026-01-01T00:00:00.000Z', d: { id: 'x', n: null } };
const hello = { t: 'hello', epoch: 'e', from: 'c1', resumed: false, hb: 5000, age: 9000 };

/** As the service's schema names it, with null for what a frame does not have. */
const subscribed = (frame: object): string => `data: ${JSON.stringify({ data: { stream: { code: null, hashes: null, ...frame } } })}`;

test.each([
  ['ndjson', (frame: object) => JSON.stringify(frame)],
  ['sse', (frame: object) => `data: ${JSON.stringify(frame)}`],
] as const)('%s tells a frame as it is', (format, told) => {
  for (const frame of [put, hello]) expect(streamForms[format].frameOf(told(frame))).toEqual(frame);
});

test('a subscription tells the same frames under the names of the schema', () => {
  const { frameOf } = streamForms.graphql;
  expect(frameOf(subscribed({ t: 'put', channel: 'sync:trips', key: 'k1', version: 3, cursor: 'c2', at: put.ts, data: put.d }))).toEqual(put);
  expect(frameOf(subscribed({ t: 'hello', epoch: 'e', from: 'c1', resumed: false, heartbeatMs: 5000, ageMs: 9000 }))).toEqual(hello);
  expect(frameOf(subscribed({ t: 'sync', cursor: 'c2', hashes: { inbox: 'h' } }))).toEqual({ t: 'sync', c: 'c2', h: { inbox: 'h' } });
  expect(frameOf(subscribed({ t: 'hb', cursor: 'c2', expiresInSeconds: 5 }))).toEqual({ t: 'hb', c: 'c2' });
  expect(frameOf(subscribed({ t: 'bye', code: 'drain', retryMs: 40, cursor: 'c2' }))).toEqual({ t: 'bye', code: 'drain', retry_ms: 40, c: 'c2' });
});

test('what belongs to the form tells nothing, and what does not is no frame', () => {
  for (const line of ['id: c2', 'event: put', 'retry: 20', ': still here']) {
    expect(streamForms.sse.frameOf(line)).toBe('nothing');
    expect(streamForms.graphql.frameOf(line)).toBe('nothing');
    expect(streamForms.ndjson.frameOf(line)).toBeUndefined();
  }
  expect(streamForms.graphql.frameOf('data:')).toBe('nothing');
  for (const line of ['data: {', 'data: {"errors":[{"message":"no"}],"data":null}', 'data: null', 'data: {"data":{"stream":null}}'])
    expect(streamForms.graphql.frameOf(line), line).toBeUndefined();
  expect(streamForms.sse.frameOf('data: 7')).toBeUndefined();
});

test('what is asked says channels, cursor and heartbeat in each form', () => {
  const asked = (format: 'ndjson' | 'sse' | 'graphql') => streamForms[format].request(ask, 'Bearer t');
  expect(asked('ndjson')).toEqual({
    method: 'GET',
    path: '/v1/stream?ch=sync:trips,inbox&since=now&hb=5000',
    headers: ['Authorization: Bearer t', 'Accept: application/x-ndjson'],
    body: '',
  });
  expect(asked('sse').headers).toContain('Accept: text/event-stream');
  expect(asked('graphql')).toMatchObject({ method: 'POST', path: '/graphql' });
  expect(JSON.parse(asked('graphql').body)).toMatchObject({ variables: ask });
});
