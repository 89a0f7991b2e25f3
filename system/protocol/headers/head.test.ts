import { expect, test } from 'vitest';
import { faultOf } from './head.ts';

const read = (headers: Readonly<Record<string, string>>, { isHttp10 = false, raw = [] as readonly string[] } = {}) =>
  faultOf({ isHttp10, headers, rawHeaders: [...Object.entries(headers).flat(), ...raw] });

test.each(['a', 'www.example.org', 'www.example.org:8080', 'a:', '127.0.0.1:80', '[::1]', '[2001:db8::7]:443', 'x_y', "a!$&'()*+,;=~", '%41'])(
  'the Host %s is one',
  (host) => {
    expect(read({ host })).toBeUndefined();
  },
);

test.each(['', 'a/b', 'user@a', 'a b', 'a, b', 'a:b', 'a:123456', '[::1', '::1', 'é', 'a?b', 'a#b', '%4', 'https://a'])('the Host %j is none', (host) => {
  const fault = { code: 'bad-request', detail: expect.stringContaining('Host'), isLast: false };
  expect([read({ host }), read({ host }, { isHttp10: true })]).toEqual([fault, fault]);
});

test('HTTP/1.1 has one Host, HTTP/1.0 may have none', () => {
  expect(read({})).toMatchObject({ code: 'bad-request', detail: 'Send a Host header: HTTP/1.1 asks for one.' });
  expect(read({}, { isHttp10: true })).toBeUndefined();
  expect(read({ host: 'a' }, { raw: ['HOST', 'a'] })).toMatchObject({ code: 'bad-request', detail: 'The header host is there more than once.' });
});

test.each(['Authorization', 'Content-Type', 'content-encoding'])('%s is there once', (name) => {
  expect(read({ host: 'a', [name]: 'x' })).toBeUndefined();
  expect(read({ host: 'a', [name]: 'x' }, { raw: [name.toUpperCase(), 'y'] })).toMatchObject({ code: 'bad-request' });
});

test('what may be a list may be there twice', () => {
  expect(read({ host: 'a' }, { raw: ['Accept', 'a/b', 'accept', 'c/d', 'If-Match', '"a"', 'If-Match', '"b"'] })).toBeUndefined();
});

test('chunks are the one transfer coding', () => {
  const coded = (coding: string, isHttp10 = false) => read({ host: 'a', 'transfer-encoding': coding }, { isHttp10 });
  expect([coded('chunked'), coded('Chunked')]).toEqual([undefined, undefined]);
  for (const coding of ['TE, chunked', 'gzip, chunked', 'identity, chunked', 'gzip', 'chunked, chunked'])
    expect(coded(coding)).toMatchObject({ code: 'not-implemented', isLast: true });
  expect(coded('chunked', true)).toMatchObject({ code: 'bad-request', isLast: true });
});

test('100-continue is the one expectation, and HTTP/1.0 has none', () => {
  const expecting = (expectation: string, isHttp10 = false) => read({ host: 'a', expect: expectation }, { isHttp10 });
  expect([expecting('100-continue'), expecting('100-Continue'), expecting('x', true)]).toEqual([undefined, undefined, undefined]);
  for (const expectation of ['x', '100-continue, x', 'x-100-continue', '100-continue;y=1'])
    expect(expecting(expectation)).toMatchObject({ code: 'expectation-failed', isLast: false });
});
