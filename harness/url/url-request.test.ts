import { describe, expect, test } from 'vitest';
import { operationsOf } from './url-operations.ts';
import { readUrlRequest, type UrlArguments } from './url-request.ts';

const url = 'http://127.0.0.1:3000/orders';
const read = (args: Partial<UrlArguments> = {}, environment = {}) => readUrlRequest({ url, header: [], ...args }, environment);
const requestOf = (args: Partial<UrlArguments> = {}, environment = {}) => {
  const outcome = read(args, environment);
  if (outcome.kind === 'error') throw new Error(outcome.message);
  return outcome.request;
};
const bytes = Buffer.from('{"name":"é"}');

test.each([
  ['http://127.0.0.1:3000/orders', 'http://127.0.0.1:3000', '/orders'],
  ['http://127.0.0.1:3000', 'http://127.0.0.1:3000', '/'],
  ['https://shop.example/a%20b?q=x&q=y', 'https://shop.example', '/a%20b?q=x&q=y'],
  ['http://[::1]:8080/', 'http://[::1]:8080', '/'],
])('%s is asked at its origin, with its query', (given, origin, path) => {
  expect(requestOf({ url: given })).toMatchObject({ origin, path, method: 'GET', body: '', headers: [] });
});

describe('a body', () => {
  test('makes it a POST, says its type by its name, and is sent to the byte', () => {
    const { method, headers, body } = requestOf({ body: { file: 'order.json', bytes } });
    expect([method, headers]).toEqual(['POST', ['Content-Type: application/json']]);
    expect(Buffer.from(body, 'latin1')).toEqual(bytes);
  });
  test('has the type that a header says', () => {
    const { headers } = requestOf({ body: { file: 'order', bytes }, header: ['content-type: text/plain'] });
    expect(headers).toEqual(['content-type: text/plain']);
    expect(requestOf({ body: { file: 'order', bytes } }).headers).toEqual(['Content-Type: application/octet-stream']);
  });
});

test('a header takes what is secret from the environment', () => {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: as it is typed.
  const header = ['Authorization: Bearer ${TOKEN}', 'X-Two: ${TOKEN}-${TOKEN}'];
  expect(requestOf({ header }, { TOKEN: 's3cret' }).headers).toEqual(['Authorization: Bearer s3cret', 'X-Two: s3cret-s3cret']);
});

test.each<[Partial<UrlArguments>, RegExp]>([
  [{ url: '127.0.0.1:3000' }, /--url has to be an http or https URL/],
  [{ url: 'ftp://x/' }, /--url has to be an http or https URL/],
  [{ url: 'http://me:pw@x/' }, /user or password in it.*Authorization: Basic/],
  [{ url: 'http://x/#top' }, /--url ends in #top/],
  [{ method: 'HEAD' }, /--method is one of GET, POST/],
  [{ method: 'get', body: { file: 'b', bytes } }, /--body goes with --method POST/],
  [{ header: ['no colon'] }, /has to be 'Name: value'/],
  [{ header: ['a b: c'] }, /has to be 'Name: value'/],
  [{ header: ['host: other'] }, /--header host: that header is the engine's own/],
  [{ header: ['Content-Length: 3'] }, /the engine's own/],
  // biome-ignore lint/suspicious/noTemplateCurlyInString: as it is typed.
  [{ header: ['Authorization: Bearer ${NOWHERE}'] }, /the environment has no NOWHERE/],
  [{ header: ['X-A: a\r\nX-B: b'] }, /line break/],
  [{ expect: 'ok' }, /--expect has to be statuses/],
  [{ expect: '299-200' }, /--expect has to be statuses/],
  [{ body: { file: 'big', bytes: Buffer.alloc(2 ** 20 + 1) } }, /--body big has 1,048,577 bytes/],
])('%j is answered by a sentence', (args, sentence) => {
  expect(read(args)).toMatchObject({ kind: 'error', message: expect.stringMatching(sentence) });
});

test.each([
  [undefined, { 200: 'good', 204: 'good', 302: 'failed', 304: 'failed', 404: 'failed', 503: 'failed' }],
  ['200,304', { 200: 'good', 201: 'failed', 304: 'good' }],
  ['401-404', { 200: 'failed', 403: 'good' }],
])('with --expect %s', (expected, kinds) => {
  const [operation] = operationsOf(requestOf({ expect: expected }));
  for (const [status, kind] of Object.entries(kinds)) {
    const response = { status: Number(status), header: () => undefined, body: '' };
    expect(operation?.judge(response, {} as never).kind, status).toBe(kind);
  }
});

test('a redirect is not followed, and that is said', () => {
  const [operation] = operationsOf(requestOf());
  const judged = operation?.judge({ status: 302, header: () => '/', body: '' }, {} as never);
  expect(judged).toEqual({ kind: 'failed', reason: 'status 302 (redirects are not followed)' });
});
