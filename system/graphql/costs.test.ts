import { parse } from 'graphql';
import { expect, test } from 'vitest';
import { usageDaysMax } from '#system/store/store.ts';
import { measureOperation } from './costs.ts';

const measured = (text: string, variables = {}, operation?: string) => measureOperation(parse(text), operation, variables);

test.each([
  ['{ a { b { c } } }', { depth: 3, cost: 3 }],
  ['{ a: device(id: 1) { id } b: device(id: 2) { id } }', { depth: 2, cost: 4 }],
  ['{ devices(first: 10) { items { id name } after } }', { depth: 3, cost: 41 }],
  ['{ devices { items { id } } }', { depth: 3, cost: 101 }],
  ['{ devices(first: 10) { items { history(first: 20) { events { id } } } } }', { depth: 5, cost: 1 + 10 * (1 + 1 + 20 * 2) }],
  ['{ usage(to: "2026-11-25", from: null) { calls } }', { depth: 2, cost: 31 }],
  ['{ usage(from: "2026-11-24") { calls date } }', { depth: 2, cost: 1 + usageDaysMax * 2 }],
  ['query ($from: Date) { usage(from: $from) { calls } }', { depth: 2, cost: 1 + usageDaysMax }],
  ['query ($n: Int = 7) { devices(first: $n) { items { id } } }', { depth: 3, cost: 15 }],
  ['{ ... on Query { ...f } } fragment f on Query { device(id: 1) { ...g ...g } } fragment g on Device { id name }', { depth: 2, cost: 5 }],
])('%s', (text, expected) => {
  expect(measured(text)).toMatchObject(expected);
});

test('a variable says how many, and nobody gets many for few', () => {
  const text = 'query ($n: Int!) { devices(first: $n) { items { id } } }';
  expect(measured(text, { n: 100 })?.cost).toBe(201);
  expect(measured(text, { n: -5 })?.cost).toBe(3);
  // A null is refused by the query itself; until then it counts as the page that a missing one gets.
  expect(measured(text, { n: null })?.cost).toBe(101);
});

test('fragments that double at each level are measured once each', () => {
  const levels = Array.from({ length: 60 }, (_, i) => `fragment f${i} on Device { ...f${i + 1} ...f${i + 1} }`).join(' ');
  expect(measured(`{ device(id: 1) { ...f0 } } ${levels} fragment f60 on Device { id }`)?.cost).toBe(1 + 2 ** 60);
});

test('introspection has a depth of its own; the operation is the one that is named', () => {
  expect(measured('{ __schema { types { fields { type { name } } } } }')).toEqual({ depth: 1, cost: 5, introspectionDepth: 5 });
  expect(measured('query a { x } query b { x { y } }', {}, 'b')?.depth).toBe(2);
  expect(measured('query a { x }', {}, 'nobody')).toBeUndefined();
});
