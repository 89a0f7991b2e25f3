import { expect, test } from 'vitest';
import { acceptableTypes } from './accept.ts';

test('weights and how exactly a type is named count as in the examples of RFC 9110, 12.5.1', () => {
  const acceptable = (header: string, ...offered: readonly string[]) => acceptableTypes(header, offered);
  expect(acceptable('audio/*; q=0.2, audio/basic', 'audio/mp3', 'audio/basic')).toEqual(['audio/basic', 'audio/mp3']);
  const four = 'text/plain; q=0.5, text/html,\r\n text/x-dvi; q=0.8, text/x-c';
  expect(acceptable(four, 'text/plain', 'text/x-dvi', 'text/x-c', 'text/html')).toEqual(['text/html', 'text/x-c', 'text/x-dvi', 'text/plain']);
  const table = 'text/*;q=0.3, text/plain;q=0.7, */*;q=0.5';
  expect(acceptable(table, 'image/jpeg', 'text/html', 'text/plain')).toEqual(['text/plain', 'image/jpeg', 'text/html']);
});

const ours = ['application/x-ndjson', 'text/event-stream'] as const;
test.each([
  [undefined, ours],
  ['', ours],
  [' , ', ours],
  ['*/*', ours],
  ['text/event-stream', ['text/event-stream']],
  ['TEXT/Event-Stream; charset="a,\\";q=0"', ['text/event-stream']],
  ['text/*', ['text/event-stream']],
  ['text/event-stream, */*', ['text/event-stream', 'application/x-ndjson']],
  ['text/event-stream;q=0', []],
  ['text/event-stream;q=0, */*', ['application/x-ndjson']],
  ['text/event-stream ; Q=0.000 , application/*', ['application/x-ndjson']],
  ['*/*;q=0', []],
  ['*/*;q=0, text/event-stream;q=0.001', ['text/event-stream']],
  ['application/x-ndjson;q=0.5, text/event-stream;q=0.6', ['text/event-stream', 'application/x-ndjson']],
  ['image/png', []],
  ['nonsense', []],
  ['text/event-stream;q=2', []],
  ['text/event-stream;q=0.1234, application/x-ndjson', ['application/x-ndjson']],
] as const)('%j', (header, types) => {
  expect(acceptableTypes(header, ours)).toEqual(types);
});
