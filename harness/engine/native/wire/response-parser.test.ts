import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ResponseParser } from './response-parser.ts';

type Read = { readonly result: string; readonly status: number; readonly body: string; readonly keepAlive: boolean; readonly trouble: string };

/** Feeds text in pieces of the given lengths, then the rest, from a buffer that is overwritten after each piece as the wire's is. */
function read(text: string, lengths: readonly number[] = [], parser = new ResponseParser()): Read {
  const bytes = Buffer.from(text, 'utf8');
  const shared = Buffer.alloc(bytes.length + 7, 0x58);
  let result = 'more';
  let at = 0;
  const pieces = [...lengths, bytes.length];
  for (const length of pieces) {
    const end = Math.min(bytes.length, at + length);
    if (end === at || result !== 'more') continue;
    bytes.copy(shared, 7, at, end);
    result = parser.push(shared, 7, 7 + end - at);
    shared.fill(0x58);
    at = end;
  }
  return { result, status: parser.status, body: parser.body, keepAlive: parser.keepAlive, trouble: parser.trouble };
}

const head = (...lines: readonly string[]): string => `${lines.join('\r\n')}\r\n\r\n`;
const withLength = (body: string, status = '202 Accepted'): string =>
  head(`HTTP/1.1 ${status}`, 'Date: x', `Content-Length: ${Buffer.byteLength(body)}`) + body;
const chunkedOf = (parts: readonly string[]): string =>
  head('HTTP/1.1 200 OK', 'Transfer-Encoding: chunked') +
  [...parts, ''].map((part) => `${Buffer.byteLength(part).toString(16)};x=y\r\n${part === '' ? 'Trailer: t\r\n' : part}\r\n`).join('');

const body = fc.string({ unit: 'grapheme', maxLength: 80 });
const answers = fc.oneof(
  body.map((text) => ({ text: withLength(text), body: text })),
  fc.array(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }), { maxLength: 6 }).map((parts) => ({ text: chunkedOf(parts), body: parts.join('') })),
  body.map((text) => ({ text: head('HTTP/1.1 100 Continue') + withLength(text), body: text })),
  fc.constant({ text: head('HTTP/1.1 204 No Content', 'Content-Length: 5'), body: '' }),
);

describe('an answer', () => {
  it('is the same however its bytes are split', () => {
    fc.assert(
      fc.property(answers, fc.array(fc.integer({ min: 1, max: 9 }), { maxLength: 60 }), (answer, lengths) => {
        const whole = read(answer.text);
        expect(whole).toMatchObject({ result: 'done', body: answer.body, keepAlive: true });
        expect(read(answer.text, lengths)).toEqual(whole);
        expect(read(answer.text, new Array(Buffer.byteLength(answer.text)).fill(1))).toEqual(whole);
      }),
      { numRuns: 300 },
    );
  });

  it('of any length leaves nothing behind for the next on its connection', () => {
    fc.assert(
      fc.property(answers, answers, (first, second) => {
        const parser = new ResponseParser();
        read(first.text, [5], parser);
        parser.reset();
        expect(read(second.text, [9], parser)).toEqual(read(second.text));
      }),
    );
  });

  it('may end with its connection, and then is complete only by that', () => {
    const parser = new ResponseParser();
    expect(read(`${head('HTTP/1.1 200 OK')}as long as it lasts`, [30], parser).result).toBe('more');
    expect([parser.end(), parser.body, parser.keepAlive]).toEqual(['done', 'as long as it lasts', false]);
    const cut = new ResponseParser();
    read(withLength('twelve bytes').slice(0, -3), [], cut);
    expect(cut.end()).toBe('broken');
  });

  it('says whether its connection goes on', () => {
    expect(read(head('HTTP/1.1 200 OK', 'Connection: Close', 'Content-Length: 0')).keepAlive).toBe(false);
    expect(read(head('HTTP/1.0 200 OK', 'Content-Length: 0')).keepAlive).toBe(false);
    expect(read(head('HTTP/1.0 200 OK', 'Connection: keep-alive', 'Content-Length: 0')).keepAlive).toBe(true);
    // Something behind the answer: nobody asked for it.
    expect(read(`${withLength('a')}HTTP/1.1 200 OK`)).toMatchObject({ result: 'done', body: 'a', keepAlive: false });
  });

  it('is its own where its head was read before', () => {
    const one = read(`${withLength('a')}HTTP/1.1 200 OK`);
    const other = read(withLength('b'));
    expect([one.body, one.keepAlive, other.body, other.keepAlive]).toEqual(['a', false, 'b', true]);
  });

  it('shows its headers by lower-case name, joined where there are several', () => {
    const parser = new ResponseParser();
    read(head('HTTP/1.1 429 Too Many', 'Retry-After:  3 ', 'X-A: 1', 'x-a: 2', 'Content-Length: 0'), [], parser);
    expect([parser.header('retry-after'), parser.header('x-a'), parser.header('none')]).toEqual(['3', '1, 2', undefined]);
  });

  it.each([
    ['HTTP/2 200 OK\r\n\r\n', 'status line'],
    ['SSH-2.0-OpenSSH\r\n\r\n', 'status line'],
    [head('HTTP/1.1 200 OK', 'Content-Length: 1', 'Content-Length: 2'), 'two lengths'],
    [head('HTTP/1.1 200 OK', 'Content-Length: 1', 'Transfer-Encoding: chunked'), 'chunked and a length'],
    [head('HTTP/1.1 200 OK', 'Content-Length: -1'), 'length'],
    [head('HTTP/1.1 200 OK', 'Content-Length: 1e3'), 'length'],
    [head('HTTP/1.1 200 OK', 'Transfer-Encoding: gzip'), 'transfer-encoding'],
    [`${head('HTTP/1.1 200 OK', 'Transfer-Encoding: chunked')}zz\r\n`, 'chunk size'],
    [`${head('HTTP/1.1 200 OK', 'Transfer-Encoding: chunked')}1\r\nab\r\n`, 'longer than its size'],
    [head('HTTP/1.1 200 OK', 'No colon'), 'without a name'],
    [head('HTTP/1.1 200 OK', 'Name : value'), 'without a name'],
    [`HTTP/1.1 200 OK\r\nX: ${'y'.repeat(70_000)}`, 'head does not end'],
  ])('that is malformed is broken and never a guess: %#', (text, what) => {
    const answer = read(text);
    expect(answer).toMatchObject({ result: 'broken', keepAlive: false });
    expect(answer.trouble).toContain(what);
  });
});
