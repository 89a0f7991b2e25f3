import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type FrameEvents, FrameReader } from './frame-reader.ts';

const head = 'HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n';
const chunk = (text: string): string => `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`;

function read(parts: readonly Buffer[]) {
  const seen = { head: '', lines: [] as string[], ended: false, trouble: '' };
  const events: FrameEvents = {
    onHead: (text) => {
      seen.head = text;
      return true;
    },
    onLine: (line) => void seen.lines.push(line),
    onEnd: () => {
      seen.ended = true;
    },
    onTrouble: (what) => {
      seen.trouble = what;
    },
  };
  const reader = new FrameReader();
  for (const part of parts) {
    // As the wire does it: one buffer that is written over by the next read.
    const shared = Buffer.concat([Buffer.from('##'), part, Buffer.from('##')]);
    reader.push(shared, 2, 2 + part.length, events);
    shared.fill(0);
  }
  return seen;
}

function cutAt(bytes: Buffer, places: readonly number[]): Buffer[] {
  const cuts = [...new Set([0, ...places.map((place) => place % (bytes.length + 1)), bytes.length])].sort((a, b) => a - b);
  return cuts.slice(1).map((end, i) => bytes.subarray(cuts[i], end));
}

const line = fc.string({ minLength: 1, maxLength: 40, unit: 'grapheme' }).filter((text) => !/[\r\n]/.test(text));

test('the same lines, wherever the bytes are cut and however frames share chunks', () => {
  fc.assert(
    fc.property(fc.array(fc.array(line, { minLength: 1, maxLength: 4 }), { maxLength: 6 }), fc.array(fc.nat(4000), { maxLength: 12 }), (chunks, places) => {
      const bytes = Buffer.from(`${head}${chunks.map((lines) => chunk(lines.map((one) => `${one}\n`).join(''))).join('')}0\r\n\r\n`);
      const seen = read(cutAt(bytes, places));
      expect(seen).toMatchObject({ lines: chunks.flat(), ended: true, trouble: '' });
      expect(seen.head.startsWith('HTTP/1.1 200 OK')).toBe(true);
    }),
  );
});

test('a proxy may cut a frame over chunks', () => {
  const bytes = Buffer.from(`${head}${chunk('{"t":"h')}${chunk('b"}\n{"t":')}${chunk('"sync"}\n')}`);
  expect(read([bytes]).lines).toEqual(['{"t":"hb"}', '{"t":"sync"}']);
});

test.each([
  ['not chunked', 'HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc', 'it is not chunked'],
  ['no size', `${head}zz\r\n`, 'a chunk without a size'],
  ['a size of another chunk', `${head}2\r\nabcd\r\n`, 'a chunk longer than its size'],
  ['a head that does not end', `HTTP/1.1 200 OK\r\n${'x'.repeat(70_000)}`, 'its head does not end'],
])('%s is trouble, and nothing more is read', (_, text, trouble) => {
  expect(read([Buffer.from(text), Buffer.from(chunk('{}\n'))])).toMatchObject({ trouble, lines: [] });
});

test('a head that is refused ends the reading', () => {
  const lines: string[] = [];
  const events = { onHead: () => false, onLine: (text: string) => void lines.push(text), onEnd: () => undefined, onTrouble: () => undefined };
  const bytes = Buffer.from(`${head}${chunk('{}\n')}`);
  new FrameReader().push(bytes, 0, bytes.length, events);
  expect(lines).toEqual([]);
});
