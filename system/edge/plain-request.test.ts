import { expect, test } from 'vitest';
import { readPlainRequest } from './plain-request.ts';

const body = '[{"id":"é"}]';
const base = {
  start: 'POST /v1/events HTTP/1.1',
  headers: ['Host: a', 'Authorization: Bearer t', 'Content-Type: application/json', `Content-Length: ${Buffer.byteLength(body)}`],
  body,
};
const bytesOf = ({ start, headers, body: text }: typeof base): Buffer => Buffer.from([start, ...headers, '', text].join('\r\n'));
const read = (change: Partial<typeof base> = {}) => readPlainRequest(bytesOf({ ...base, ...change }));
const withHeader = (line: string) => read({ headers: [...base.headers, line] });
const without = (name: string) => read({ headers: base.headers.filter((line) => !line.startsWith(name)) });

test('a plain request is read, with what counts of its headers and the bytes of its body', () => {
  expect(read()).toEqual({ authorization: 'Bearer t', requestId: undefined, idempotencyKey: undefined, body: Buffer.from(body) });
  const headers = base.headers.map((line) => line.replace(/^[^:]+/, (name) => name.toUpperCase()));
  expect(read({ headers: [...headers, 'x-request-id:r', 'IDEMPOTENCY-KEY:  k  '] })).toMatchObject({ requestId: 'r', idempotencyKey: 'k' });
});

test.each(['User-Agent: x/1 (y; z)', 'Accept: */*', 'Accept-Encoding: gzip, br', 'Connection: Keep-Alive', 'X-Forwarded-For: 1.2.3.4'])(
  'what changes nothing is passed over: %s',
  (line) => {
    expect(withHeader(line)?.authorization).toBe('Bearer t');
  },
);

test.each([
  'Transfer-Encoding: chunked',
  'Content-Encoding: gzip',
  'Content-Encoding: identity',
  'Expect: 100-continue',
  'Connection: close',
  'Connection: keep-alive, x',
  'Upgrade: websocket',
  'Origin: https://a.example',
  'Te: trailers',
  'Host: b',
  'Content-Length: 13',
  'Authorization: Bearer u',
  'X-Unknown: 1',
  'X-Request-Id: ',
  'X-Request-Id: a b',
  'Accept : */*',
  'no colon',
  ' folded',
  'Accept: \x01',
  'Accept: é',
  'Accept: a\rb',
  'Accept: a\nb',
])('a header that HTTP or this service would treat in its own way is no plain request: %j', (line) => {
  expect(withHeader(line)).toBeUndefined();
});

test.each([
  'GET /v1/events HTTP/1.1',
  'POST /v1/events HTTP/1.0',
  'POST /v1/events?x=1 HTTP/1.1',
  'POST /v1/events/ HTTP/1.1',
  'POST http://a/v1/events HTTP/1.1',
  'post /v1/events HTTP/1.1',
  'POST  /v1/events HTTP/1.1',
  '\r\nPOST /v1/events HTTP/1.1',
  'PUT /v1/devices/d HTTP/1.1',
])('another start line is no plain request: %j', (start) => {
  expect(read({ start })).toBeUndefined();
});

test.each(['Host', 'Authorization', 'Content-Type', 'Content-Length'])('without %s it is no plain request', (name) => {
  expect(without(name)).toBeUndefined();
});

test.each([
  ['Authorization', 'Basic eA=='],
  ['Authorization', 'bearer t'],
  ['Content-Type', 'application/json; charset=latin1'],
  ['Content-Type', 'text/plain'],
  ['Content-Length', '012'],
  ['Content-Length', '+12'],
  ['Content-Length', '0'],
])('%s: %s is no plain request', (name, value) => {
  expect(read({ headers: base.headers.map((line) => (line.startsWith(name) ? `${name}: ${value}` : line)) })).toBeUndefined();
});

test('a body that is not whole, or has something behind it, is no plain request, and neither is any beginning of one', () => {
  const bytes = bytesOf(base);
  for (let length = 0; length < bytes.length; length++) expect(readPlainRequest(bytes.subarray(0, length))).toBeUndefined();
  expect(readPlainRequest(bytes)).toBeDefined();
  expect(readPlainRequest(Buffer.concat([bytes, bytes]))).toBeUndefined();
});
